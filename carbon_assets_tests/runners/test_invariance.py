"""Results are the same to the last bit, however files are cut and work is divided."""

from __future__ import annotations

import multiprocessing
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from shapely.geometry import box

from carbon_assets.errors import RasterError
from carbon_assets.rasters import opening
from carbon_assets.rasters.registered import RegisteredSource
from carbon_assets.runners.all_runners import runner_named
from carbon_assets.runners.bound import BoundRunner
from carbon_assets.runners.compute import finest_lattice, in_block_order, require_coverage
from carbon_assets.runners.receipts import PartitionReceipts
from carbon_assets.science.zonal import cells as cells_module
from carbon_assets.science.zonal.cells import on_lattice
from carbon_assets.science.zonal.grid import Lattice, Window
from carbon_assets_tests.rasters.writing import registered, write
from carbon_assets_tests.runners.worker import NAMES, bound_of, compute_in_worker
from carbon_assets_tests.runners.world import (
    CLASS_WINDOW,
    FINE,
    VINTAGES,
    World,
    class_maps,
    class_values,
    compute,
    dry_matter_version,
    hgb_maps,
    mapbiomas,
    places,
    receipts_of,
    task,
    world,
)


@pytest.fixture(scope="module", params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def expected(name: str, carbon_world: World) -> list[PartitionReceipts]:
    return compute(bound_of(carbon_world, name), places())


def with_classes(one: World, name: str, classes: RegisteredSource) -> BoundRunner:
    sources: Mapping[str, RegisteredSource] = bound_of(one, name).sources
    return BoundRunner(runner_named(name), {**sources, "land_cover": classes})


def test_batches_and_order(
    name: str, carbon_world: World, expected: list[PartitionReceipts]
) -> None:
    bound = bound_of(carbon_world, name)
    backwards = compute(bound, places()[::-1])
    alone = [one for place in places() for one in compute(bound, [place])]
    assert sorted(backwards, key=lambda one: (one.place_id, one.vintage)) == expected
    assert alone == expected


def test_subsets_of_vintages(
    name: str, carbon_world: World, expected: list[PartitionReceipts]
) -> None:
    bound = bound_of(carbon_world, name)
    singly = [
        one
        for place in places()
        for vintage in VINTAGES
        for one in compute(bound, [place], [vintage])
    ]
    assert singly == expected
    assert compute(bound, places(), reversed(VINTAGES)) == expected


@pytest.mark.parametrize(
    "profile",
    [
        {"blockxsize": 256, "blockysize": 256},
        {"blockxsize": 512, "blockysize": 512, "compress": "deflate"},
        {"tiled": False, "blockxsize": 240, "blockysize": 1, "compress": "lzw"},
        {"tiled": False, "blockxsize": 240, "blockysize": 64},
    ],
)
def test_blocks_and_compression_of_the_files(
    name: str,
    carbon_world: World,
    expected: list[PartitionReceipts],
    tmp_path: Path,
    profile: dict[str, Any],
) -> None:
    classes = registered(mapbiomas(), class_maps(tmp_path, **profile))
    assert compute(with_classes(carbon_world, name, classes), places()) == expected


@pytest.mark.parametrize("margin", [(3, 5, 7, 11), (0, 0, 13, 1)])
def test_a_clip_of_the_rasters(
    name: str, carbon_world: World, tmp_path: Path, margin: tuple[int, int, int, int]
) -> None:
    inner = places()[:4]
    paths = {}
    top, left, bottom, right = margin
    for one in carbon_world.land_cover.sources["land_cover"].files:
        out = tmp_path / Path(one.file.href).name
        with rasterio.open(one.file.href) as whole:
            size = (whole.width - left - right, whole.height - top - bottom)
            window = rasterio.windows.Window(left, top, *size)
            old = whole.transform
            x, y = old.c + left * old.a, old.f + top * old.e
            profile = {**whole.profile, "width": size[0], "height": size[1]}
            profile["transform"] = rasterio.Affine(old.a, 0.0, x, 0.0, old.e, y)
            with rasterio.open(out, "w", **profile) as clip:
                clip.write(whole.read(window=window))
        paths["class", one.year] = str(out)
    clipped = with_classes(carbon_world, name, registered(mapbiomas(), paths))
    assert compute(clipped, inner) == compute(bound_of(carbon_world, name), inner)


def test_a_raster_in_tiles(
    name: str, carbon_world: World, expected: list[PartitionReceipts], tmp_path: Path
) -> None:
    whole = CLASS_WINDOW
    parts = {
        f"S{row}W{col}": Window(whole.row + row, whole.col + col, height, width)
        for row, height in ((0, 90), (90, 110))
        for col, width in ((0, 100), (100, 140))
    }
    paths = {
        ("class", year, tile): write(
            tmp_path / f"{tile}_{year}.tif",
            class_values(year)[part.slices_in(whole)],
            FINE,
            part,
        )
        for year in VINTAGES
        for tile, part in parts.items()
    }
    tiled = registered(mapbiomas(), paths)
    made = compute(with_classes(carbon_world, name, tiled), places())
    assert receipts_of(made) == receipts_of(expected)
    assert all(len(one.inputs) > 3 for one in made)


@pytest.mark.parametrize("cache", [0, 2**20, 2**30])
def test_the_block_cache(
    name: str,
    carbon_world: World,
    expected: list[PartitionReceipts],
    cache: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(opening.GDAL_OPTIONS, "GDAL_CACHEMAX", cache)
    assert compute(bound_of(carbon_world, name), places()) == expected


def numbers(one: PartitionReceipts) -> list[Any]:
    return [
        (r.value, r.covered_area_ha, r.valid_area_ha, r.uncertainty_pct_ci95) for r in one.receipts
    ]


@pytest.mark.parametrize("strip_cells", [500, 3000])
def test_strips_change_no_more_than_the_last_digits(
    name: str,
    carbon_world: World,
    expected: list[PartitionReceipts],
    strip_cells: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(cells_module, "STRIP_CELLS", strip_cells)
    made = compute(bound_of(carbon_world, name), places())
    for one, other in zip(made, expected, strict=True):
        assert [r.pixel_count for r in one.receipts] == [r.pixel_count for r in other.receipts]
        for ours, theirs in zip(numbers(one), numbers(other), strict=True):
            for found, wanted in zip(ours, theirs, strict=True):
                assert found == (None if wanted is None else pytest.approx(wanted, rel=1e-12))


def test_a_process_pool(carbon_world: World, tmp_path: Path) -> None:
    class_maps(tmp_path)
    hgb_maps(tmp_path)
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(2, mp_context=spawn) as pool:
        jobs = [pool.submit(compute_in_worker, str(tmp_path), place.place_id) for place in places()]
        made = [job.result() for job in jobs]
    for name in NAMES:
        together = [one for of_place in made for one in of_place[name]]
        assert together == compute(bound_of(carbon_world, name), places())


def test_block_order_keeps_every_place_and_groups_neighbours(carbon_world: World) -> None:
    tasks = [
        task(shape_at(x, y), number)
        for number, (x, y) in enumerate([(5, 5), (180, 150), (7, 6), (182, 151), (100, 5)], start=1)
    ]
    ordered = in_block_order(carbon_world.land_cover, tasks)
    assert [place.place_id for place in ordered] == [1, 3, 5, 2, 4]


def shape_at(x: float, y: float) -> Any:
    return box(x, y, x + 2, y + 2)


def test_block_order_knows_projected_rasters(tmp_path: Path) -> None:
    # Degrees were once taken for metres, which put every place into one block.
    utm = Lattice("EPSG:32722", 30.0, 30.0)
    west, north = utm_corner(utm)
    window = Window(north - 20, west - 20, 320, 320)
    values = np.full((320, 320), 3, dtype=np.uint8)
    path = write(tmp_path / "classes.tif", values, utm, window)
    entry = mapbiomas().model_copy(update={"crs": None, "resolution": None, "origin": None})
    bound = BoundRunner(
        runner_named("land_cover"), {"land_cover": registered(entry, {("class", 2020): path})}
    )
    spots = [(150, 150), (5, 5), (150, 5), (5, 150)]
    tasks = [task(shape_at(x, y), number) for number, (x, y) in enumerate(spots, start=1)]
    ordered = in_block_order(bound, tasks)
    assert [place.place_id for place in ordered] == [2, 3, 4, 1]
    for made in compute(bound, tasks, [2020]):
        assert made.receipts[0].histogram is not None
        assert list(made.receipts[0].histogram) == ["3"]


def utm_corner(lattice: Lattice) -> tuple[int, int]:
    column, row = on_lattice(FINE.x(CLASS_WINDOW.col), FINE.y(CLASS_WINDOW.row), lattice)
    return int(column), int(row)


def test_a_place_that_no_file_touches_is_refused(carbon_world: World) -> None:
    inside, outside = task(shape_at(5, 5), 1), task(shape_at(500, 5), 2)
    require_coverage(carbon_world.biomass, [inside], 2020)
    with pytest.raises(RasterError) as caught:
        require_coverage(carbon_world.biomass, [inside, outside], 2020)
    assert caught.value.code == "PLACE_OUTSIDE_RASTER"
    assert "place-2" in caught.value.what


def test_a_finer_biomass_grid_rules(tmp_path: Path) -> None:

    fine = Lattice("EPSG:4326", 1e-4, 1e-4)
    north, west = FINE.y(CLASS_WINDOW.row), FINE.x(CLASS_WINDOW.col)
    window = fine.window_at(float(west), float(north), 60, 60)
    version = dry_matter_version()
    band = version.bands[0].model_copy(update={"uncertainty": None})
    values = np.full((60, 60), 50.0, dtype=np.float32)
    paths = {("agb", 2020): write(tmp_path / "agb.tif", values, fine, window)}
    bound = world(
        class_maps(tmp_path), paths, version.model_copy(update={"bands": (band,)})
    ).biomass
    assert finest_lattice(bound) == bound.value_source.files[0].file.lattice
    (made,) = compute(bound, [task(shape_at(5, 5))], [2020])
    whole = made.receipts[0]
    assert whole.value == 50.0
    assert whole.weighted_pixel_count == pytest.approx((2 * FINE.cell_width / 1e-4) ** 2, rel=1e-5)
