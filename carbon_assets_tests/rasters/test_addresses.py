"""What may stand in an href: nothing that chooses how GDAL opens a file, and no secret."""

from __future__ import annotations

import pytest

from carbon_assets.errors import RasterError
from carbon_assets.rasters.addresses import gdal_name, is_local, shown

NAMES = {
    "/data/maps/2020.tif": "/data/maps/2020.tif",
    "/data/odd name, with (signs).tif": "/data/odd name, with (signs).tif",
    "https://example.org/a/b.tif": "/vsicurl/https://example.org/a/b.tif",
    "https://example.org:8443/a%20b/c.TIFF": "/vsicurl/https://example.org:8443/a%20b/c.TIFF",
    "https://[2001:db8::1]/b.tif": "/vsicurl/https://[2001:db8::1]/b.tif",
    "http://127.0.0.1:8000/b.tif": "/vsicurl/http://127.0.0.1:8000/b.tif",
    "http://localhost/b.tif": "/vsicurl/http://localhost/b.tif",
    "http://[::1]:80/b.tif": "/vsicurl/http://[::1]:80/b.tif",
    "s3://bucket-1/folder/b.tif": "/vsis3/bucket-1/folder/b.tif",
    "s3://bucket-1/year=2020/b.tif": "/vsis3/bucket-1/year=2020/b.tif",
}

INVALID = [
    "/vsicurl/https://example.org/b.tif",
    "/vsizip//data/a.zip/b.tif",
    "/vsicurl?max_retry=3&url=https://example.org/b.tif",
    "/vsisubfile/0_100,/data/b.tif",
    "GTIFF_DIR:2:/data/b.tif",
    "vrt:///data/b.tif",
    "file:///data/b.tif",
    "ftp://example.org/b.tif",
    "gs://bucket/b.tif",
    "HTTPS://example.org/b.tif",
    " https://example.org/b.tif",
    "https:///b.tif",
    "https://example.org",
    "https://example.org/b.vrt",
    "https://example.org/b.tif?sig=1",
    "https://example.org/b.tif?",
    "https://example.org/b.tif#page",
    "https://example.org/vsizip/b.tif",
    "https://example.org/x//vsitar/b.tif",
    "https://example.org/../b.tif",
    "https://example.org/a b.tif",
    "https://example.org/a%zz.tif",
    "https://example.org/a|b.tif",
    "https://example.org\\evil.org/b.tif",
    "https://exa_mple.org/b.tif",
    "https://example.org:x/b.tif",
    "https://example.org/b.tif\n.tif",
    "https://example.org/b\x00.tif",
    "s3://bucket",
    "s3://Bucket/b.tif",
    "s3://bucket:80/b.tif",
    "s3://bucket/a b.tif",
    "s3://bucket/a/../b.tif",
    "s3://bucket//b.tif",
    "s3://bucket/b.tif?versionId=1",
]

INSECURE = ["http://example.org/b.tif", "http://10.0.0.1/b.tif", "http://localhost.evil.org/b.tif"]

SECRETS = [
    "https://user:geheim@example.org/b.tif",
    "https://geheim@example.org/b.tif",
    "https://:geheim@example.org/b.tif",
    "s3://AKIA:geheim@bucket/b.tif",
]


@pytest.mark.parametrize("href", NAMES)
def test_a_plain_address_has_one_name(href: str) -> None:
    assert gdal_name(href) == NAMES[href]
    assert is_local(href) is (href == NAMES[href])
    assert shown(href) == href


@pytest.mark.parametrize(
    ("href", "code"),
    [
        *((href, "RASTER_ADDRESS_INVALID") for href in INVALID),
        *((href, "RASTER_ADDRESS_INSECURE") for href in INSECURE),
        *((href, "RASTER_ADDRESS_CREDENTIALS") for href in SECRETS),
    ],
)
def test_others_are_refused(href: str, code: str) -> None:
    with pytest.raises(RasterError) as caught:
        gdal_name(href)
    assert caught.value.code == code
    assert caught.value.do


@pytest.mark.parametrize(
    "href", [*SECRETS, "https://example.org/b.tif?X-Amz-Signature=geheim", "ftp://a/b.tif#geheim"]
)
def test_a_secret_is_never_repeated(href: str) -> None:
    with pytest.raises(RasterError) as caught:
        gdal_name(href)
    assert "geheim" not in str(caught.value) + repr(caught.value.as_dict()) + shown(href)
