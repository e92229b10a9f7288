"""Bands of raster sources: where the values stand and how raw numbers become values."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from carbon_assets.reference.rows import Frozen

Pool = Literal["agb", "bgb"]
Dtype = Literal["uint8", "int8", "uint16", "int16", "uint32", "int32", "float32", "float64"]
Key = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")]
# Strict, as YAML reads "no" and "yes" as booleans, which would pass for 0 and 1.
Finite = Annotated[float, Field(allow_inf_nan=False, strict=True)]

_PLACEHOLDER = re.compile(r"\{[^{}]*\}|[{}]")


def _known_placeholders(href: str) -> str:
    unknown = [
        found for found in _PLACEHOLDER.findall(href) if found not in ("{vintage}", "{tile}")
    ]
    if unknown:
        raise ValueError(f"unknown placeholder {unknown[0]}; known: {{vintage}}, {{tile}}")
    return href


Href = Annotated[str, Field(min_length=1), AfterValidator(_known_placeholders)]


class Uncertainty(Frozen):
    """Which band holds a band's error, and what that error means.

    Attributes:
        band: Name of the error band, in the unit of the band it belongs to (``CV`` and
            ``interval_ratio``: a ratio).
        meaning: ``SE`` standard error, ``SD`` standard deviation, ``CV`` coefficient of
            variation, ``interval_ratio`` interval width over the median.
        level: Coverage of the interval, only with ``interval_ratio``.
    """

    band: str
    meaning: Literal["SE", "SD", "CV", "interval_ratio"]
    level: Annotated[float, Field(gt=0, lt=1, strict=True)] | None = None

    @property
    def is_ratio(self) -> bool:
        """Whether the error is relative to the value."""
        return self.meaning in ("CV", "interval_ratio")

    @model_validator(mode="after")
    def _level_with_interval(self) -> Self:
        if (self.meaning == "interval_ratio") != (self.level is not None):
            raise ValueError("level goes with interval_ratio, and only with it")
        return self


class Band(Frozen):
    """A band of a source: value = raw * scale + offset, unless the raw value means no data.

    Attributes:
        name: Name within the source.
        href: URL or path, with ``{vintage}`` and ``{tile}`` where files differ by them;
            null where there is no public address and the user names an own copy.
        index: 1-based band number in the file.
        pool: Carbon pool of a biomass or carbon density band.
        unit: Unit of the value after scaling: ``class``, ``Mg/ha`` (dry matter) or
            ``MgC/ha``; ``one`` or ``%`` for an error that is a ratio.
        dtype: Asserted data type of the file; null = not asserted.
        header_nodata: Nodata tag asserted for the file's header: a number, the word ``nan``,
            or the word ``none`` where the file must carry no tag; null = not asserted.
        nodata: Raw values that mean "no data"; the header's own tag joins them.
        scale: Factor from raw to value.
        offset: Added after scaling.
        uncertainty: Where the error of this band stands.
    """

    name: Key
    href: Href | None = None
    index: int = Field(default=1, ge=1, strict=True)
    pool: Pool | None = None
    unit: Literal["class", "Mg/ha", "MgC/ha", "one", "%"]
    dtype: Dtype | None = None
    header_nodata: Finite | Literal["none", "nan"] | None = None
    nodata: tuple[Finite, ...] = ()
    scale: Finite = 1.0
    offset: Finite = 0.0
    uncertainty: Uncertainty | None = None

    @model_validator(mode="after")
    def _scales(self) -> Self:
        if self.scale == 0:
            raise ValueError("scale must not be 0")
        if self.unit == "class" and (self.scale, self.offset) != (1.0, 0.0):
            raise ValueError("class ids are not scaled: scale is 1 and offset 0")
        return self


def absolute(href: str, folder: Path) -> str:
    """Return a URL or absolute path as it is, and a relative path below a folder."""
    is_url = re.match(r"^[A-Za-z][A-Za-z0-9+.-]+:", href) or href.startswith("/vsi")
    return href if is_url else str((folder / href).resolve())
