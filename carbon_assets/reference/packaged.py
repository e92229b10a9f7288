"""Where the reference data lies, in a checkout and in an installed wheel alike."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path


def packaged(*parts: str) -> Path:
    """Return the path of a reference file or folder that ships with the package.

    Args:
        parts: Path below ``carbon_assets/reference``, e.g. ``"legends", "x.csv"``.
    """
    return Path(str(files("carbon_assets.reference").joinpath(*parts)))
