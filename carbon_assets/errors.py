"""The one family of errors that a user may see.

Every error carries a stable ``code`` (documented in ``docs/errors.md``), says what was
wrong and where, and what to do about it. The command line prints it without a traceback
and exits with status 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class CarbonAssetsError(Exception):
    """Something the user can act on.

    Args:
        code: Stable upper-snake-case code, e.g. ``RASTER_MISSING``.
        what: One sentence: what is wrong, with the offending values.
        where: File, field, feature or table concerned.
        do: What to do about it.
        details: Machine-readable facts for ``--json``.
    """

    def __init__(
        self,
        code: str,
        what: str,
        *,
        where: str | None = None,
        do: str | None = None,
        details: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(code, what)
        self.code = code
        self.what = what
        self.where = where
        self.do = do
        self.details = dict(details or {})

    def __str__(self) -> str:
        parts = [f"{self.code}: {self.what}"]
        if self.where:
            parts.append(f"  where: {self.where}")
        if self.do:
            parts.append(f"  do: {self.do}")
        return "\n".join(parts)

    def __reduce__(self) -> tuple[Any, ...]:
        """Keep every field when the error crosses a process boundary."""
        return (_rebuild, (type(self), self.code, self.what, self.where, self.do, self.details))

    def as_dict(self) -> dict[str, Any]:
        """Return the error as a JSON-ready mapping."""
        return {
            "code": self.code,
            "what": self.what,
            "where": self.where,
            "do": self.do,
            "details": self.details,
        }


def _rebuild(
    kind: type[CarbonAssetsError],
    code: str,
    what: str,
    where: str | None,
    do: str | None,
    details: dict[str, Any],
) -> CarbonAssetsError:
    return kind(code, what, where=where, do=do, details=details)


class PortfolioError(CarbonAssetsError):
    """The portfolio file is not usable."""


class CatalogueError(CarbonAssetsError):
    """Reference data or a source catalogue entry is not usable."""


class PlaceError(CarbonAssetsError):
    """A vector file or one of its features is not usable."""


class IntakeError(CarbonAssetsError):
    """A file that arrived in the watched folder is not usable."""


class RasterError(CarbonAssetsError):
    """A raster is missing, unreadable, or not what the catalogue says."""


class StoreError(CarbonAssetsError):
    """The database cannot be reached or refuses."""


class ProvenanceError(CarbonAssetsError):
    """A receipt, metric or partition cannot be found or recomputed."""


class MartError(CarbonAssetsError):
    """A SQL model, or the relation it makes in schema ``marts``, is not usable."""
