"""Where the reference data lies, in a checkout and in an installed wheel alike."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from carbon_assets.errors import CatalogueError
from carbon_assets.reference.yaml_files import suggestion


def packaged(*parts: str) -> Path:
    """Return the path of a reference file or folder that ships with the package.

    Args:
        parts: Path below ``carbon_assets/reference``, e.g. ``"legends", "x.csv"``.
    """
    return Path(str(files("carbon_assets.reference").joinpath(*parts)))


def find_table(folder: str, name: str, *, code: str) -> Path:
    """Return the file of a named table, or the file that a name ending in ``.csv`` is.

    Raises:
        CatalogueError: With the code given, listing the packaged names.
    """
    if name.endswith(".csv"):
        return Path(name)
    known = {path.stem: path for path in packaged(folder).glob("*.csv")}
    if name not in known:
        raise CatalogueError(code, f"no {name} in {folder}{suggestion(name, sorted(known))}")
    return known[name]
