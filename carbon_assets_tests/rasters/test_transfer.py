"""Fetching over https: hashed, resumed, begun again, refused."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from carbon_assets.errors import RasterError
from carbon_assets.rasters.remote.model import RemoteStamp, http_stamp
from carbon_assets.rasters.remote.transfer import (
    ATTEMPTS,
    client_of,
    fetch,
    stamp_of,
    stamps_of,
)
from carbon_assets_tests.rasters.conftest import Certificates, Web
from carbon_assets_tests.rasters.servers import Asked, age, serving

CONTENT = np.random.default_rng(5).bytes(3_000_000)
OTHER = np.random.default_rng(6).bytes(2_500_000)


def digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def refusal(call: Callable[[], object]) -> RasterError:
    with pytest.raises(RasterError) as caught:
        call()
    return caught.value


def test_a_file_is_hashed_in_one_request(web: Web) -> None:
    href = web.put("a.tif", CONTENT)
    told: list[tuple[str, int, int]] = []
    fetched = fetch(href, progress=lambda *far: told.append(far))
    assert fetched.content_hash == digest(CONTENT)
    assert (fetched.requests, fetched.ranges) == (1, True)
    assert fetched.stamp == stamp_of(href)
    assert web.wire.sent() == len(CONTENT)
    assert told[-1] == (href, len(CONTENT), len(CONTENT))
    assert [done for _, done, _ in told] == sorted({done for _, done, _ in told})


def test_an_empty_file_is_a_file(web: Web) -> None:
    web.folder.ranges = False
    assert fetch(web.put("a.tif", b"")).content_hash == digest(b"")


@pytest.mark.parametrize("failures", [["503"], ["429", "500", "502", "504"], ["drop", "cut"]])
def test_what_may_pass_is_tried_again(web: Web, failures: list[str]) -> None:
    href = web.put("a.tif", CONTENT)
    web.wire.spoil = lambda asked: failures[asked.number] if asked.number < len(failures) else None
    assert fetch(href).content_hash == digest(CONTENT)
    web.wire.reset()
    web.wire.spoil = lambda asked: failures[asked.number] if asked.number < len(failures) else None
    assert stamp_of(href).size_bytes == len(CONTENT)


def test_a_broken_transfer_goes_on_where_it_was(web: Web) -> None:
    href = web.put("a.tif", CONTENT)
    web.wire.spoil = lambda asked: "cut" if asked.number < 3 else None
    assert fetch(href).content_hash == digest(CONTENT)
    assert web.wire.sent() == len(CONTENT), "no byte twice"


def test_without_ranges_it_begins_again(web: Web) -> None:
    web.folder.ranges = False
    href = web.put("a.tif", CONTENT)
    web.wire.spoil = lambda asked: "cut" if asked.number < 2 else None
    fetched = fetch(href)
    assert (fetched.content_hash, fetched.ranges) == (digest(CONTENT), False)
    assert web.wire.sent() == 2 * len(CONTENT)


def test_a_server_that_never_ends_an_answer_is_given_up(web: Web) -> None:
    web.folder.ranges = False
    href = web.put("a.tif", CONTENT)
    web.wire.spoil = lambda asked: "cut"
    assert refusal(lambda: fetch(href)).code == "RASTER_UNREACHABLE"
    assert web.wire.count("GET") == ATTEMPTS + 1, "the first brought something new"


def test_a_file_that_is_replaced_meanwhile_is_fetched_from_its_beginning(web: Web) -> None:
    href = web.put("a.tif", CONTENT)

    def spoil(asked: Asked) -> str | None:
        if asked.number == 1:
            web.put("a.tif", OTHER)
        return "cut" if asked.number == 0 else None

    web.wire.spoil = spoil
    fetched = fetch(href)
    assert fetched.content_hash == digest(OTHER)
    assert fetched.stamp == stamp_of(href)


def test_a_part_of_a_file_is_completed(web: Web, tmp_path: Path) -> None:
    href, half = web.put("a.tif", CONTENT), len(CONTENT) // 2
    path, stamp = tmp_path / "part", stamp_of(href)
    for held, asked in ((CONTENT[:half], len(CONTENT) - half), (CONTENT, 1)):
        path.write_bytes(held)
        web.wire.reset()
        with path.open("r+b") as file:
            assert fetch(href, file=file, expected=stamp).content_hash == digest(CONTENT)
        assert path.read_bytes() == CONTENT
        assert web.wire.sent() == asked


def test_a_part_of_another_file_is_thrown_away(web: Web, tmp_path: Path) -> None:
    href = web.put("a.tif", OTHER)
    path, stamp = tmp_path / "part", stamp_of(href)
    web.put("a.tif", CONTENT)
    path.write_bytes(OTHER[:1_000_000])
    with path.open("r+b") as file:
        assert fetch(href, file=file, expected=stamp).content_hash == digest(CONTENT)
    assert path.read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("status", "code"),
    [
        ("404", "RASTER_MISSING"),
        ("410", "RASTER_MISSING"),
        ("401", "RASTER_FORBIDDEN"),
        ("403", "RASTER_FORBIDDEN"),
        ("418", "RASTER_UNREACHABLE"),
        ("503", "RASTER_UNREACHABLE"),
    ],
)
def test_what_a_server_refuses(web: Web, status: str, code: str) -> None:
    href = web.put("a.tif", CONTENT)
    web.wire.spoil = lambda asked: status
    for call in (lambda: fetch(href), lambda: stamp_of(href)):
        web.wire.asked.clear()
        assert refusal(call).code == code
        assert (len(web.wire.asked) >= ATTEMPTS) is (status == "503")


def test_nobody_listens(impatient: None) -> None:
    with serving(lambda environ, start_response: []) as url:
        href = f"{url}/a.tif"
    assert refusal(lambda: stamp_of(href)).code == "RASTER_UNREACHABLE"


def test_a_certificate_that_nobody_signed_is_not_tried_twice(
    web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("REQUESTS_CA_BUNDLE")
    monkeypatch.delenv("CURL_CA_BUNDLE", raising=False)
    error = refusal(lambda: stamp_of(web.put("a.tif", CONTENT)))
    assert error.code == "RASTER_UNREACHABLE"
    assert "CERTIFICATE_VERIFY_FAILED" in error.what


def test_a_server_without_head_is_asked_for_one_byte(web: Web) -> None:
    href = web.put("a.tif", CONTENT)
    usual = stamp_of(href)
    for status in ("405", "403"):
        web.wire.reset()
        web.wire.spoil = lambda asked, status=status: status if asked.method == "HEAD" else None
        assert stamp_of(href) == usual
        assert web.wire.sent() == 1


def test_several_files_are_looked_at_at_once(web: Web) -> None:
    hrefs = [web.put(f"{n}.tif", bytes(n)) for n in range(1, 20)]
    looks = stamps_of([*hrefs, web.href("none.tif")])
    assert [looks[href].size_bytes for href in hrefs] == list(range(1, 20))
    assert looks[web.href("none.tif")].code == "RASTER_MISSING"
    assert stamps_of([]) == {}


def test_a_server_that_does_not_answer_is_not_asked_for_every_file(
    impatient: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(lambda environ, start_response: []) as url:
        hrefs = [f"{url}/{n}.tif" for n in range(200)]
    client, asked = client_of(hrefs[0]), []
    original = client.stamp

    def counted(href: str) -> RemoteStamp:
        asked.append(href)
        return original(href)

    monkeypatch.setattr(client, "stamp", counted)
    looks = stamps_of(hrefs, attempts=2)
    assert {looks[href].code for href in hrefs} == {"RASTER_UNREACHABLE"}
    assert len(asked) < 100


def test_a_redirect_is_followed_but_not_into_plain_text(
    web: Web, certificates: Certificates
) -> None:
    web.put("a.tif", CONTENT)
    web.folder.moved["/old.tif"] = "/a.tif"
    assert fetch(web.href("old.tif")).content_hash == digest(CONTENT)
    web.folder.moved["/bad.tif"] = "http://example.org/a.tif"
    error = refusal(lambda: stamp_of(web.href("bad.tif")))
    assert error.code == "RASTER_ADDRESS_INSECURE"


@pytest.mark.parametrize(
    ("etag", "changed", "date", "telling"),
    [
        ('"a"', None, None, True),
        ('W/"a"', None, None, False),
        (None, None, None, False),
        (None, "Sun, 06 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:50:37 GMT", True),
        (None, "Sun, 06 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:50:36 GMT", False),
        (None, "Sun, 06 Nov 1994 08:49:37 GMT", None, False),
        (None, "yesterday", "Sun, 06 Nov 1994 08:50:36 GMT", False),
    ],
)
def test_which_stamps_tell_of_every_change(
    etag: str | None, changed: str | None, date: str | None, telling: bool
) -> None:
    assert http_stamp(1, etag, changed, date) == RemoteStamp(1, etag, changed, telling)
    assert http_stamp(1, etag, changed, date).telling is telling


def test_a_stamp_without_entity_tag_goes_by_time(web: Web) -> None:
    web.folder.etags = False
    href = web.put("a.tif", CONTENT)
    assert not stamp_of(href).telling
    age(web.folder.path / "a.tif")
    assert stamp_of(href).telling
