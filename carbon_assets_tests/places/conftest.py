from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import geopandas
import pytest
from shapely.geometry import box

SQUARES = [box(-60.2, -3.2, -60.1, -3.1), box(-60.1, -3.2, -60.0, -3.1)]

WriteFile = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> WriteFile:
    """Write polygons to ``tmp_path`` as a GeoPackage unless another suffix is given."""

    def write_file(
        geometries: Sequence[Any],
        columns: Mapping[str, Sequence[Any]] | None = None,
        *,
        name: str = "farms.gpkg",
        crs: Any = "EPSG:4326",
        **options: Any,
    ) -> Path:
        keys = [f"f{number}" for number in range(1, len(geometries) + 1)]
        frame = geopandas.GeoDataFrame(columns or {"key": keys}, geometry=list(geometries), crs=crs)
        path = tmp_path / name
        if path.suffix == ".parquet":
            frame.to_parquet(path)
        else:
            frame.to_file(path, engine="pyogrio", **options)
        return path

    return write_file


@pytest.fixture(scope="session")
def sample_data() -> Path:
    """Folder with the real sample data, which is not part of the repository."""
    beside = Path(__file__).parents[2].parent / "shared" / "data"
    folder = Path(os.environ.get("CARBON_SAMPLE_DATA", beside))
    if not (folder / "br-maroaga").is_dir():
        pytest.skip("no sample data: set CARBON_SAMPLE_DATA to its folder")
    return folder
