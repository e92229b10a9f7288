"""Files behind s3: hashed, resumed, refused."""

from __future__ import annotations

import hashlib

import boto3
import numpy as np
import pytest

from carbon_assets.errors import RasterError
from carbon_assets.rasters.remote import s3
from carbon_assets.rasters.remote.transfer import ATTEMPTS, fetch, stamp_of
from carbon_assets_tests.rasters.conftest import SECRET, Bucket
from carbon_assets_tests.rasters.servers import Asked

CONTENT = np.random.default_rng(7).bytes(2_500_000)
OTHER = np.random.default_rng(8).bytes(2_600_000)


def digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def test_an_object_is_hashed_in_one_request(bucket: Bucket) -> None:
    href = bucket.put("maps/a.tif", CONTENT)
    fetched = fetch(href)
    assert fetched.content_hash == digest(CONTENT)
    assert (fetched.requests, fetched.ranges) == (1, True)
    assert bucket.wire.sent() == len(CONTENT)
    assert fetched.stamp == stamp_of(href)
    assert fetched.stamp.telling


@pytest.mark.parametrize("failures", [["cut", "cut"], ["503", "drop", "500"]])
def test_a_broken_transfer_goes_on_where_it_was(bucket: Bucket, failures: list[str]) -> None:
    href = bucket.put("a.tif", CONTENT)
    bucket.wire.spoil = lambda asked: (
        failures[asked.number] if asked.number < len(failures) else None
    )
    assert fetch(href).content_hash == digest(CONTENT)
    assert bucket.wire.sent() == len(CONTENT), "no byte twice"


def test_an_object_that_is_replaced_meanwhile_is_fetched_from_its_beginning(
    bucket: Bucket,
) -> None:
    href = bucket.put("a.tif", CONTENT)

    def spoil(asked: Asked) -> str | None:
        if asked.method == "GET" and asked.number == 0:
            bucket.client.put_object(Bucket=bucket.name, Key="a.tif", Body=OTHER)
            return "cut"
        return None

    stamp = stamp_of(href)
    bucket.wire.spoil = spoil
    fetched = fetch(href)
    assert fetched.content_hash == digest(OTHER)
    assert fetched.stamp != stamp


@pytest.mark.parametrize(
    ("status", "code"),
    [("403", "RASTER_FORBIDDEN"), ("503", "RASTER_UNREACHABLE"), ("418", "RASTER_UNREACHABLE")],
)
def test_what_the_service_refuses(bucket: Bucket, status: str, code: str) -> None:
    href = bucket.put("a.tif", CONTENT)
    bucket.wire.spoil = lambda asked: status
    for call in (fetch, stamp_of):
        bucket.wire.asked.clear()
        with pytest.raises(RasterError) as caught:
            call(href)
        assert caught.value.code == code
        assert len(bucket.wire.asked) == (ATTEMPTS if status == "503" else 1)
        assert SECRET not in str(caught.value)


def test_what_is_not_there(bucket: Bucket) -> None:
    for href in (bucket.href("none.tif"), "s3://no-such-bucket-here/a.tif"):
        with pytest.raises(RasterError) as caught:
            stamp_of(href)
        assert caught.value.code == "RASTER_MISSING"


def test_without_credentials(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    href = bucket.put("a.tif", CONTENT)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    s3._client.cache_clear()
    with pytest.raises(RasterError) as caught:
        stamp_of(href)
    assert caught.value.code == "RASTER_FORBIDDEN"
    assert bucket.wire.asked == []
