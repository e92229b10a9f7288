"""Files behind https, through requests."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import urljoin

import requests
from urllib3.exceptions import HTTPError

from carbon_assets.rasters.addresses import require_safe_url
from carbon_assets.rasters.remote.model import (
    Body,
    ChangedMeanwhileError,
    InterruptedTransferError,
    RemoteStamp,
    http_stamp,
)
from carbon_assets.rasters.remote.refusals import forbidden, missing, unreachable

TIMEOUTS_S = (10, 60)
"""Seconds to connect, and without a byte."""
CHUNK_BYTES = 1024 * 1024
TRANSIENT = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Status codes after which another attempt may succeed."""
_NO_HEAD = frozenset({403, 405, 501})
_CONTENT_RANGE = re.compile(r"bytes (?:(\d+)-\d+|\*)/(\d+)")


class HttpsClient:
    """Plain requests with the environment's proxies, certificates and netrc file."""

    def __init__(self) -> None:
        self._session = _Session()

    def stamp(self, href: str) -> RemoteStamp:
        """Ask with HEAD, or for one byte where the server does not do HEAD."""
        with self._answer("HEAD", href, {}) as answer:
            if answer.status_code not in _NO_HEAD:
                _require_success(answer, href)
                return _stamp(answer, href)
        with self._answer("GET", href, {"Range": "bytes=0-0"}) as answer:
            _require_success(answer, href)
            return _stamp(answer, href)

    @contextmanager
    def body(self, href: str, start: int, expected: RemoteStamp | None) -> Iterator[Body]:
        """Fetch with ``Range``; ``If-Range`` has the server begin again with another file."""
        headers = {"Range": f"bytes={start}-"}
        if expected is not None and (mark := expected.etag or expected.last_modified):
            headers["If-Range"] = mark
        with self._answer("GET", href, headers) as answer:
            if answer.status_code in (412, 416):
                raise ChangedMeanwhileError
            _require_success(answer, href)
            ranges = answer.status_code == 206
            stamp = _stamp(answer, href)
            yield Body(stamp, _start(answer) if ranges else 0, ranges, _chunks(answer))

    @contextmanager
    def _answer(
        self, method: str, href: str, headers: Mapping[str, str]
    ) -> Iterator[requests.Response]:
        # The bytes themselves are wanted, not a form that the server packed for the way.
        given = {"Accept-Encoding": "identity", **headers}
        try:
            answer = self._session.request(
                method, href, headers=given, stream=True, timeout=TIMEOUTS_S, allow_redirects=True
            )
        except (requests.exceptions.SSLError, requests.exceptions.TooManyRedirects) as error:
            raise unreachable(href, _reason(error)) from error
        except requests.RequestException as error:
            raise InterruptedTransferError(_reason(error)) from error
        with answer:
            yield answer


class _Session(requests.Session):
    def get_redirect_target(self, resp: requests.Response) -> str | None:
        target = super().get_redirect_target(resp)
        if target is not None:
            require_safe_url(urljoin(resp.url, target))
        return target


def _reason(error: Exception) -> str:
    """What went wrong at the bottom, without the URL that the layers above put into it."""
    cause: Any = error.args[0] if error.args else error
    while isinstance(inner := getattr(cause, "reason", None), Exception):
        cause = inner
    return f"{type(error).__name__}: {cause}"


def _require_success(answer: requests.Response, href: str) -> None:
    status = answer.status_code
    if status in (200, 206):
        if answer.headers.get("Content-Encoding", "identity") != "identity":
            raise unreachable(href, "the server packs the file for the way")
        return
    if status in (404, 410):
        raise missing(href)
    if status in (401, 403):
        raise forbidden(href, f"HTTP status {status}")
    if status in TRANSIENT:
        raise InterruptedTransferError(f"HTTP status {status}", answered=True)
    raise unreachable(href, f"HTTP status {status}")


def _stamp(answer: requests.Response, href: str) -> RemoteStamp:
    headers = answer.headers
    size = headers.get("Content-Length")
    if answer.status_code == 206:
        found = _CONTENT_RANGE.fullmatch(headers.get("Content-Range", ""))
        size = found[2] if found else None
    if size is None or not size.isdigit():
        raise unreachable(href, "the server does not say how long the file is")
    etag, changed = headers.get("ETag"), headers.get("Last-Modified")
    return http_stamp(int(size), etag, changed, headers.get("Date"))


def _start(answer: requests.Response) -> int:
    found = _CONTENT_RANGE.fullmatch(answer.headers.get("Content-Range", ""))
    return int(found[1]) if found and found[1] else 0


def _chunks(answer: requests.Response) -> Iterator[bytes]:
    try:
        yield from answer.raw.stream(CHUNK_BYTES, decode_content=False)
    except (HTTPError, OSError) as error:
        raise InterruptedTransferError(type(error).__name__) from error
