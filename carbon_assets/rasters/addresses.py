"""Addresses of rasters: what may stand in an href, and what GDAL is given to open.

An address never chooses how GDAL opens something: options, chained file systems, query
strings and credentials are refused before a name is made of it.
"""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import SplitResult, urlsplit

from carbon_assets.errors import RasterError

EXTENSIONS = (".tif", ".tiff")

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+._-]+:")
_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\]")
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_URL_PATH = re.compile(r"(?:/(?:[A-Za-z0-9._~!$&'()*+,;=:@-]|%[0-9A-Fa-f]{2})+)+")
_S3_KEY = re.compile(r"(?:/[A-Za-z0-9._~!=+@()-]+)+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def is_local(href: str) -> bool:
    """Whether an href names a file on this machine."""
    return "://" not in href


def shown(href: str) -> str:
    """An href as messages may show it: what could be a secret is left out."""
    if is_local(href):
        return href
    scheme, _, rest = href.partition("://")
    host, slash, path = re.split(r"[?#]", rest, maxsplit=1)[0].partition("/")
    return f"{scheme}://{host.rpartition('@')[2]}{slash}{path}"


def require_address(href: str) -> None:
    """Refuse an href that is neither a path nor a plain https or s3 address of a GeoTIFF.

    Raises:
        RasterError: ``RASTER_ADDRESS_INVALID``, ``RASTER_ADDRESS_CREDENTIALS``,
            ``RASTER_ADDRESS_INSECURE``.
    """
    if _CONTROL.search(href):
        raise _invalid(_CONTROL.sub("?", href), "it holds control characters")
    if is_local(href):
        _require_path(href)
        return
    try:
        parts = urlsplit(href)
        port = parts.port
    except ValueError as error:
        raise _invalid(href, "it is not a URL") from error
    if "@" in parts.netloc:
        raise RasterError(
            "RASTER_ADDRESS_CREDENTIALS",
            "the address holds a user name or a password",
            where=shown(href),
            do="leave them out: credentials come from the environment, ~/.netrc or the AWS "
            "configuration",
        )
    if "?" in href or "#" in href:
        raise _invalid(href, "it has a query or a fragment, which may hold a signature")
    if not href.startswith(f"{parts.scheme}://"):
        raise _invalid(href, "its scheme is not written in small letters")
    if parts.scheme == "s3":
        _require_s3(parts, href)
    elif parts.scheme in ("https", "http"):
        _require_url(parts, port, href)
    else:
        raise _invalid(href, f"{parts.scheme or 'no scheme'} is not https or s3")
    _require_file_name(parts.path, href)


def gdal_name(href: str) -> str:
    """Translate an href (path, https or s3 address) into the name that GDAL opens.

    Raises:
        RasterError: As :func:`require_address`.
    """
    require_address(href)
    if is_local(href):
        return href
    if href.startswith("s3://"):
        return f"/vsis3/{href.removeprefix('s3://')}"
    return f"/vsicurl/{href}"


def require_safe_url(url: str) -> None:
    """Refuse a URL that would leave the machine unencrypted, e.g. where a redirect leads.

    Raises:
        RasterError: ``RASTER_ADDRESS_INSECURE``.
    """
    parts = urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and _is_loopback(parts.hostname)):
        raise RasterError(
            "RASTER_ADDRESS_INSECURE",
            f"the address is, or leads to, plain {parts.scheme or 'text'}: anybody on the way "
            "could change the pixels",
            where=shown(url),
            do="use https; plain http is for servers on this machine only",
        )


def _require_path(href: str) -> None:
    if href.startswith("/vsi") or _SCHEME.match(href):
        raise _invalid(href, "it is neither a file's path nor an https or s3 address")


def _require_url(parts: SplitResult, port: int | None, href: str) -> None:
    host = parts.netloc.removesuffix(f":{port}") if port is not None else parts.netloc
    if not _HOST.fullmatch(host):
        raise _invalid(href, "its host is none")
    require_safe_url(href)
    if not _URL_PATH.fullmatch(parts.path):
        raise _invalid(href, "its path has characters that are not percent-encoded")


def _require_s3(parts: SplitResult, href: str) -> None:
    if not _BUCKET.fullmatch(parts.netloc):
        raise _invalid(href, "its bucket is none")
    if not _S3_KEY.fullmatch(parts.path):
        raise _invalid(href, "its key has characters other than letters, digits and ._~!=+@()-")


def _require_file_name(path: str, href: str) -> None:
    segments = path.split("/")
    if {".", ".."} & set(segments) or any(one.lower().startswith("vsi") for one in segments[:-1]):
        raise _invalid(href, "it has a segment that is no plain name")
    if not path.lower().endswith(EXTENSIONS):
        raise _invalid(href, f"it does not end in {' or '.join(EXTENSIONS)}")


def _is_loopback(host: str | None) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False


def _invalid(href: str, reason: str) -> RasterError:
    return RasterError(
        "RASTER_ADDRESS_INVALID",
        f"the address of a raster cannot be used: {reason}",
        where=shown(href),
        do="name a file, https://host/path.tif or s3://bucket/key.tif",
    )
