"""The fingerprint of one computation (version 1).

SHA-256 over the canonical JSON of ``{asset, fingerprint, geometry, inputs, upstream}``: the
stored polygon's hash, the input document (rasters by content, reference rows, parameters,
code, numerics, membership), and the fingerprints of the partitions that were read. It holds no
clock, path, row number or run.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from carbon_assets.provenance.canonical import canonical, digest, plain

FINGERPRINT_VERSION = 1
"""Changes only with the rules above, announced in the changelog: all receipts become stale."""

CAUSES = {
    "rasters": "raster_version",
    "reference": "reference_data",
    "parameters": "parameter",
    "code": "code",
    "numerics": "library",
    "membership": "membership",
}
"""Part of an input document → cause of staleness when that part differs."""

Mark = bytes | tuple[str, bytes]
"""Fingerprint of a partition that was read, with the member's key where it is one of many."""


@dataclass(frozen=True)
class InputDocument:
    """What all partitions of one asset, vintage and zone share.

    Attributes:
        asset: Asset key.
        document: JSON-ready mapping with the parts named in :data:`CAUSES`.
    """

    asset: str
    document: Mapping[str, Any]

    @cached_property
    def digest(self) -> bytes:
        """SHA-256 of the canonical document, 32 bytes."""
        return hashlib.sha256(self._text).digest()

    @property
    def stored(self) -> dict[str, Any]:
        """The document as it is recorded: its digest can be computed again from there."""
        return dict(plain(self.document))

    @cached_property
    def _text(self) -> bytes:
        return canonical(self.document)

    def fingerprint(self, geometry_hash: str | None, upstream: Sequence[Mark] = ()) -> bytes:
        """Fingerprint of one partition, 32 bytes.

        Args:
            geometry_hash: ``sha256:…`` of the stored polygon; None for an asset that reads
                none itself.
            upstream: Fingerprints of the partitions read, in the order of the asset's edges;
                those of a project's members by their keys, each with its key.
        """
        head = canonical(
            {"asset": self.asset, "fingerprint": FINGERPRINT_VERSION, "geometry": geometry_hash}
        )
        tail = canonical(
            [o.hex() if isinstance(o, bytes) else [o[0], o[1].hex()] for o in upstream]
        )
        # Keys stand in RFC 8785 order, so the parts may be joined as texts.
        text = head[:-1] + b',"inputs":' + self._text + b',"upstream":' + tail + b"}"
        return hashlib.sha256(text).digest()


def causes(recorded: Mapping[str, Any], expected: Mapping[str, Any]) -> tuple[str, ...]:
    """Return which parts of two input documents differ, as causes of staleness."""
    parts = [
        cause
        for part, cause in CAUSES.items()
        if digest(recorded.get(part)) != digest(expected.get(part))
    ]
    if digest(_other_parts(recorded)) != digest(_other_parts(expected)):
        parts.append("parameter")
    return tuple(dict.fromkeys(parts))


def _other_parts(document: Mapping[str, Any]) -> dict[str, Any]:
    return {part: value for part, value in document.items() if part not in CAUSES}


def as_text(fingerprint: bytes) -> str:
    """Write a fingerprint as the text columns hold it."""
    return f"sha256:{fingerprint.hex()}"


def as_bytes(fingerprint: str) -> bytes:
    """Inverse of :func:`as_text`."""
    return bytes.fromhex(fingerprint.removeprefix("sha256:"))
