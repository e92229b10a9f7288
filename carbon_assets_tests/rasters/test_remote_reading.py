"""Blocks of remote rasters: the right ones, few bytes, and never those of another file."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import cache
from pathlib import Path
from threading import Barrier, Thread
from typing import Any

import numpy as np
import pytest

from carbon_assets.errors import RasterError
from carbon_assets.rasters.opening import gdal_session, open_raster
from carbon_assets.rasters.reader import OpenRasters, RasterFile
from carbon_assets.rasters.remote.handles import RemoteHandles
from carbon_assets.rasters.remote.transfer import stamp_of
from carbon_assets.science.zonal.grid import Lattice, Window
from carbon_assets_tests.rasters.conftest import Bucket, Web
from carbon_assets_tests.rasters.servers import Wire
from carbon_assets_tests.rasters.writing import raster_file, source_version, write

LATTICE = Lattice("EPSG:4326", 0.001, 0.001)
WHOLE = Window(0, 0, 3072, 3072)
PART = Window(1500, 1700, 120, 90)
VERSION = source_version(
    quantity="carbon_density", epoch=2010, bands=[{"name": "agb", "unit": "MgC/ha"}]
)

Put = Callable[[str, bytes], str]


@cache
def values(seed: int) -> np.ndarray[Any, Any]:
    return np.random.default_rng(seed).integers(1, 250, (3072, 3072)).astype(np.uint8)


@pytest.fixture(scope="module")
def rasters(tmp_path_factory: pytest.TempPathFactory) -> list[RasterFile]:
    """Two tiled, compressed rasters of some 9 MB on one grid."""
    folder = tmp_path_factory.mktemp("tiled")
    profile = {"blockxsize": 256, "blockysize": 256, "compress": "deflate"}
    paths = [
        write(folder / f"{seed}.tif", values(seed), LATTICE, WHOLE, **profile) for seed in (1, 2)
    ]
    return [raster_file(VERSION, "agb", path) for path in paths]


@pytest.fixture(params=["https", "s3"])
def remote(request: pytest.FixtureRequest) -> tuple[Put, Wire]:
    """How to put a file on a server, and what is asked there."""
    server: Web | Bucket = request.getfixturevalue({"https": "web", "s3": "bucket"}[request.param])
    return server.put, server.wire


def behind(href: str, local: RasterFile) -> RasterFile:
    return replace(local, href=href)


def read(file: RasterFile, window: Window = PART) -> np.ndarray[Any, Any]:
    with gdal_session(), OpenRasters() as opened:
        found, outside = opened.read([file], window)
    assert outside is None
    return found


def test_few_bytes_are_read(remote: tuple[Put, Wire], rasters: list[RasterFile]) -> None:
    put, wire = remote
    content = Path(rasters[0].href).read_bytes()
    file = behind(put("a.tif", content), rasters[0])
    assert (read(file) == values(1)[PART.slices_in(WHOLE)]).all()
    assert 0 < wire.sent() < 0.06 * len(content), "four blocks of 144, and the directory"
    assert {asked.path.rpartition("/")[2] for asked in wire.asked} == {"a.tif"}, "no sidecars"
    wire.reset()
    with gdal_session(), open_raster(file.href) as dataset:
        assert dataset.shape == (3072, 3072)
    assert wire.sent() <= 64 * 1024, "the header alone"


def test_requests_to_s3_are_signed(bucket: Bucket, rasters: list[RasterFile]) -> None:
    file = behind(bucket.put("a.tif", Path(rasters[0].href).read_bytes()), rasters[0])
    read(file)
    stamp_of(file.href)
    assert len(bucket.wire.asked) >= 3
    assert all(asked.signed for asked in bucket.wire.asked)
    assert "AWS_SECRET_ACCESS_KEY" in os.environ, "they come from the environment"


def test_public_buckets_are_read_without_credentials(
    bucket: Bucket, rasters: list[RasterFile], monkeypatch: pytest.MonkeyPatch
) -> None:
    href = bucket.put("a.tif", Path(rasters[0].href).read_bytes())
    bucket.client.put_object_acl(Bucket=bucket.name, Key="a.tif", ACL="public-read")
    bucket.wire.reset()
    monkeypatch.setenv("AWS_NO_SIGN_REQUEST", "YES")
    stamp_of(href)
    assert (read(behind(href, rasters[0])) == values(1)[PART.slices_in(WHOLE)]).all()
    assert not any(asked.signed for asked in bucket.wire.asked)


def test_what_was_read_before_is_not_read_as_new(
    remote: tuple[Put, Wire], rasters: list[RasterFile]
) -> None:
    """Regression: GDAL keeps what it read of a remote file for as long as the process lives."""
    put, _ = remote
    for seed in (1, 2, 1):
        local = rasters[seed - 1]
        file = behind(put("a.tif", Path(local.href).read_bytes()), local)
        assert (read(file) == values(seed)[PART.slices_in(WHOLE)]).all()


def test_two_contents_of_one_address_are_not_open_at_once(
    web: Web, rasters: list[RasterFile]
) -> None:
    href = web.put("a.tif", Path(rasters[0].href).read_bytes())
    with gdal_session(), OpenRasters() as first, OpenRasters() as second:
        first.read([behind(href, rasters[0])], PART)
        web.put("a.tif", Path(rasters[1].href).read_bytes())
        with pytest.raises(RasterError) as caught:
            second.read([behind(href, rasters[1])], PART)
        assert caught.value.code == "RASTER_CHANGED"
    assert (read(behind(href, rasters[1])) == values(2)[PART.slices_in(WHOLE)]).all()


def test_handles_are_counted_over_threads() -> None:
    handles, barrier = RemoteHandles(), Barrier(8)

    def work() -> None:
        barrier.wait()
        for _ in range(200):
            handles.add("href", "one")
            handles.remove("href")

    threads = [Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    handles.add("href", "two")
    with pytest.raises(RasterError):
        handles.add("href", "one")


class UnreachableError(Exception):
    """The only way in which reading may fail."""


def read_or_unreachable(file: RasterFile, window: Window) -> np.ndarray[Any, Any]:
    try:
        return read(file, window)
    except RasterError as error:
        if error.code == "RASTER_UNREACHABLE":
            raise UnreachableError from error
        raise


@pytest.mark.parametrize("seed", range(12))
def test_failures_give_the_right_pixels_or_an_error(
    web: Web, rasters: list[RasterFile], seed: int
) -> None:
    draw = random.Random(seed)
    file = behind(web.put("a.tif", Path(rasters[0].href).read_bytes()), rasters[0])
    share = draw.choice([0.2, 0.5, 0.9])
    web.wire.spoil = lambda asked: (
        draw.choice(["503", "500", "cut", "drop"]) if draw.random() < share else None
    )
    with suppress(UnreachableError):
        found = read_or_unreachable(file, Window(900, 900, 300, 300))
        assert (found == values(1)[900:1200, 900:1200]).all()
    web.wire.reset()
    assert (read(file) == values(1)[PART.slices_in(WHOLE)]).all()


@pytest.mark.parametrize("failure", ["503", "cut", "drop"])
def test_a_passing_failure_is_not_noticed(
    remote: tuple[Put, Wire], rasters: list[RasterFile], failure: str
) -> None:
    put, wire = remote
    file = behind(put("a.tif", Path(rasters[0].href).read_bytes()), rasters[0])
    wire.spoil = lambda asked: failure if asked.method == "GET" and asked.number < 2 else None
    assert (read(file) == values(1)[PART.slices_in(WHOLE)]).all()


def test_a_server_that_is_gone_is_named(web: Web, rasters: list[RasterFile]) -> None:
    file = behind(web.put("a.tif", Path(rasters[0].href).read_bytes()), rasters[0])
    web.wire.spoil = lambda asked: "503"
    with pytest.raises(RasterError) as caught:
        read(file)
    assert (caught.value.code, caught.value.where) == ("RASTER_UNREACHABLE", file.href)


def test_a_local_copy_is_read_in_place_of_the_address(web: Web, rasters: list[RasterFile]) -> None:
    file = replace(rasters[0], href=web.href("gone.tif"), copy=rasters[0].href)
    assert (read(file) == values(1)[PART.slices_in(WHOLE)]).all()
    assert web.wire.asked == []
