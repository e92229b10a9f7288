"""Real servers on this machine, whose every answer is noted and may be spoiled.

One thread each, over TLS or in plain text: files of a folder with ranges and entity tags, and
an S3 service.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from pathlib import Path
from threading import Lock, Thread
from typing import Any

from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.wrappers import Request, Response

Wsgi = Callable[..., Iterable[bytes]]
Spoil = Callable[["Asked"], str | None]


@dataclass
class Asked:
    """A request and what was answered.

    Attributes:
        method: HTTP method.
        path: Path of the URL.
        span: The header ``Range``, or None.
        signed: Whether it carried AWS credentials.
        number: How many of this method and path came before.
        status: Status that was answered.
        sent: Bytes of the body that were sent.
    """

    method: str
    path: str
    span: str | None
    signed: bool
    number: int
    status: int = 0
    sent: int = 0


@dataclass
class Wire:
    """Stands between the network and a service.

    Attributes:
        service: What answers.
        asked: Every request so far.
        spoil: Says of a request how to fail: ``"503"`` or another status instead of an answer,
            ``"cut"`` for half a body, ``"drop"`` for none at all; None for no failure.
    """

    service: Wsgi
    asked: list[Asked] = field(default_factory=list)
    spoil: Spoil = lambda asked: None
    _lock: Lock = field(default_factory=Lock)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        asked = self._note(Request(environ))
        failure = self.spoil(asked)
        if failure is not None and failure.isdigit():
            asked.status = int(failure)
            return Response(status=asked.status)(environ, start_response)
        answer = Response.from_app(self.service, environ)
        asked.status = answer.status_code
        body = b"" if asked.method == "HEAD" else answer.get_data()
        if failure is not None:  # the length that was announced is not kept
            body = body[: len(body) // 2] if failure == "cut" else b""
        asked.sent = len(body)
        start_response(answer.status, answer.headers.to_wsgi_list())
        return [body]

    def _note(self, request: Request) -> Asked:
        with self._lock:
            alike = [a for a in self.asked if (a.method, a.path) == (request.method, request.path)]
            asked = Asked(
                method=request.method,
                path=request.path,
                span=request.headers.get("Range"),
                signed=request.headers.get("Authorization", "").startswith("AWS4-"),
                number=len(alike),
            )
            self.asked.append(asked)
        return asked

    def reset(self) -> None:
        """Forget what was asked, and fail no more."""
        self.asked.clear()
        self.spoil = lambda asked: None

    def sent(self) -> int:
        """Bytes of all bodies."""
        return sum(asked.sent for asked in self.asked)

    def count(self, method: str) -> int:
        """Number of requests of a method."""
        return sum(asked.method == method for asked in self.asked)


@dataclass
class Folder:
    """Serves the files of a folder.

    Attributes:
        path: The folder.
        ranges: Whether parts of files are given.
        etags: Whether files have entity tags: the hash of their bytes.
        dates: Whether files have modification times.
        moved: Where a path is redirected to.
    """

    path: Path
    ranges: bool = True
    etags: bool = True
    dates: bool = True
    moved: dict[str, str] = field(default_factory=dict)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        return self._answer(Request(environ))(environ, start_response)

    def _answer(self, request: Request) -> Response:
        if request.path in self.moved:
            return Response(status=302, headers={"Location": self.moved[request.path]})
        file = self.path / request.path.removeprefix("/")
        if not file.is_file():
            return Response(status=404)
        data = file.read_bytes()
        response = Response(data, mimetype="image/tiff")
        if self.etags:
            response.set_etag(hashlib.sha256(data).hexdigest()[:32])
        if self.dates:
            response.headers["Last-Modified"] = formatdate(file.stat().st_mtime, usegmt=True)
        if not self.ranges:
            return response
        return response.make_conditional(request, accept_ranges=True, complete_length=len(data))


class _Handler(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_request(self, *_: object) -> None:
        """Say nothing."""

    def log(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def serving(service: Wsgi, certificate: tuple[str, str] | None = None) -> Iterator[str]:
    """Serve on a port of this machine; give the address without a slash at its end."""
    server = make_server(
        "127.0.0.1",
        0,
        service,
        threaded=True,
        request_handler=_Handler,
        ssl_context=certificate,
    )
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    scheme = "https" if certificate else "http"
    try:
        yield f"{scheme}://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def age(path: Path, seconds: int = 3600) -> None:
    """Make a file older, as files on servers are."""
    stat = path.stat()
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns - seconds * 10**9))
