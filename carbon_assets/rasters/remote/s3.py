"""Files behind s3, through boto3: every standard way to name credentials works."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import cache
from typing import Any
from urllib.parse import urlsplit

from carbon_assets.rasters.remote.https import CHUNK_BYTES, TIMEOUTS_S, TRANSIENT
from carbon_assets.rasters.remote.model import (
    Body,
    ChangedMeanwhileError,
    InterruptedTransferError,
    RemoteStamp,
)
from carbon_assets.rasters.remote.refusals import forbidden, missing, unreachable

_MISSING = frozenset({"404", "NoSuchKey", "NoSuchBucket"})
_CHANGED = frozenset({"412", "416", "PreconditionFailed", "InvalidRange"})


def is_unsigned() -> bool:
    """Whether ``AWS_NO_SIGN_REQUEST`` asks for anonymous access to public buckets."""
    return os.environ.get("AWS_NO_SIGN_REQUEST", "").upper() in ("YES", "TRUE", "1", "ON")


def is_requester_paying() -> bool:
    """Whether ``AWS_REQUEST_PAYER`` says that we pay for what we read."""
    return os.environ.get("AWS_REQUEST_PAYER") == "requester"


@cache
def _client() -> Any:
    import boto3
    from botocore import UNSIGNED
    from botocore.config import Config

    connect, read = TIMEOUTS_S
    # One attempt: transfers are tried again, from where they were, by their caller.
    config = Config(
        connect_timeout=connect,
        read_timeout=read,
        retries={"total_max_attempts": 1},
        signature_version=UNSIGNED if is_unsigned() else None,
    )
    return boto3.client("s3", config=config)


class S3Client:
    """The environment's and the AWS configuration's access to buckets."""

    def stamp(self, href: str) -> RemoteStamp:
        """Ask with HeadObject."""
        with _explained(href):
            return _stamp(_client().head_object(**_place(href)))

    @contextmanager
    def body(self, href: str, start: int, expected: RemoteStamp | None) -> Iterator[Body]:
        """Fetch with ``Range``, and ``IfMatch`` where a file is expected."""
        wanted = {**_place(href), "Range": f"bytes={start}-"} if start else _place(href)
        if expected is not None and expected.etag:
            wanted["IfMatch"] = expected.etag
        with _explained(href):
            answer = _client().get_object(**wanted)
        stamp = _stamp(answer, start)
        with closing(answer["Body"]) as stream:
            yield Body(stamp, start, True, _chunks(stream, href))


def gdal_access() -> tuple[Any, dict[str, str]]:
    """Credentials, and the options with which GDAL finds the same service as boto3.

    Returns:
        A rasterio session and GDAL options.
    """
    import boto3
    from rasterio.session import AWSSession

    unsigned, ours = is_unsigned(), boto3.Session()
    session = AWSSession(
        None if unsigned else ours, aws_unsigned=unsigned, requester_pays=is_requester_paying()
    )
    service = urlsplit(_client().meta.endpoint_url)
    if (service.hostname or "").endswith((".amazonaws.com", ".amazonaws.com.cn")):
        return session, {}
    return session, {
        "AWS_S3_ENDPOINT": service.netloc,
        "AWS_HTTPS": "YES" if service.scheme == "https" else "NO",
        "AWS_VIRTUAL_HOSTING": "FALSE",
    }


def _place(href: str) -> dict[str, Any]:
    parts = urlsplit(href)
    place = {"Bucket": parts.netloc, "Key": parts.path.removeprefix("/")}
    return place | ({"RequestPayer": "requester"} if is_requester_paying() else {})


def _stamp(answer: dict[str, Any], start: int = 0) -> RemoteStamp:
    changed = answer["LastModified"].isoformat()
    etag = answer.get("ETag")
    return RemoteStamp(start + int(answer["ContentLength"]), etag, changed, telling=bool(etag))


def _chunks(stream: Any, href: str) -> Iterator[bytes]:
    with _explained(href):
        yield from stream.iter_chunks(CHUNK_BYTES)


@contextmanager
def _explained(href: str) -> Iterator[None]:
    """Say in our own words what boto3 says; a network error may pass."""
    from botocore import exceptions

    try:
        yield
    except exceptions.ClientError as error:
        raise _refusal(error.response, href) from error
    except (exceptions.NoCredentialsError, exceptions.PartialCredentialsError) as error:
        raise forbidden(href, str(error)) from error
    except (exceptions.HTTPClientError, exceptions.IncompleteReadError) as error:
        raise InterruptedTransferError(type(error).__name__) from error
    except exceptions.BotoCoreError as error:
        raise unreachable(href, type(error).__name__) from error


def _refusal(answer: dict[str, Any], href: str) -> Exception:
    code = str(answer.get("Error", {}).get("Code", ""))
    status = int(answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    if code in _MISSING:
        return missing(href)
    if code in _CHANGED:
        return ChangedMeanwhileError()
    if status in (401, 403):
        return forbidden(href, code)
    if status in TRANSIENT:
        return InterruptedTransferError(f"HTTP status {status}", answered=True)
    return unreachable(href, f"{code}, HTTP status {status}")
