"""Servers of rasters on this machine.

``web``
    A folder behind https, with a certificate that the environment trusts.
``bucket``
    A bucket of a local S3 service, empty at first.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import trustme

from carbon_assets.rasters import opening
from carbon_assets.rasters.remote import s3, transfer
from carbon_assets_tests.rasters.servers import Folder, Wire, serving

SECRET = "AbCdEfGh0123456789"


@dataclass
class Web:
    """A folder behind https.

    Attributes:
        url: Its address.
        folder: What it serves.
        wire: What was asked.
    """

    url: str
    folder: Folder
    wire: Wire

    def href(self, name: str) -> str:
        return f"{self.url}/{name}"

    def put(self, name: str, content: bytes) -> str:
        """Serve some bytes; return their address."""
        (self.folder.path / name).write_bytes(content)
        return self.href(name)


@dataclass
class Bucket:
    """A bucket of a local S3 service.

    Attributes:
        name: Its name.
        client: A client of its own, apart from the package's.
        wire: What was asked, by either.
    """

    name: str
    client: Any
    wire: Wire

    def href(self, key: str) -> str:
        return f"s3://{self.name}/{key}"

    def put(self, key: str, content: bytes) -> str:
        """Store an object; return its address. It is not counted."""
        self.client.put_object(Bucket=self.name, Key=key, Body=content)
        self.wire.reset()
        return self.href(key)


@dataclass(frozen=True)
class Certificates:
    """Files of a certificate for this machine, and of the authority that signed it."""

    authority: str
    pair: tuple[str, str]


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    folder = tmp_path_factory.mktemp("certificates")
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    authority.cert_pem.write_to_path(folder / "authority.pem")
    issued.private_key_and_cert_chain_pem.write_to_path(folder / "server.pem")
    server = str(folder / "server.pem")
    return Certificates(str(folder / "authority.pem"), (server, server))


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait little between two attempts."""
    monkeypatch.setattr(transfer, "FIRST_WAIT_S", 0.001)
    monkeypatch.setattr(transfer, "LONGEST_WAIT_S", 0.01)
    monkeypatch.setitem(opening.GDAL_OPTIONS, "GDAL_HTTP_RETRY_DELAY", 0.001)


@pytest.fixture
def web(
    certificates: Certificates,
    impatient: None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Web]:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", certificates.authority)
    path = tmp_path / "web"
    path.mkdir()
    folder = Folder(path)
    wire = Wire(folder)
    with serving(wire, certificates.pair) as url:
        yield Web(url, folder, wire)


@pytest.fixture(scope="session")
def s3_service() -> Iterator[tuple[str, Wire]]:
    from moto.server import DomainDispatcherApplication, create_backend_app

    wire = Wire(DomainDispatcherApplication(create_backend_app))
    with serving(wire) as url:
        yield url, wire


@pytest.fixture
def bucket(
    s3_service: tuple[str, Wire], impatient: None, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Bucket]:
    import boto3

    url, wire = s3_service
    for name, value in {
        "AWS_ENDPOINT_URL_S3": url,
        "AWS_ACCESS_KEY_ID": "AKIATESTONLY",
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_CONFIG_FILE": "/dev/null",
        "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
    }.items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_NO_SIGN_REQUEST"):
        monkeypatch.delenv(name, raising=False)
    s3._client.cache_clear()
    client = boto3.client("s3")
    name = f"rasters-{secrets.token_hex(4)}"
    client.create_bucket(Bucket=name)
    wire.reset()
    yield Bucket(name, client, wire)
    wire.reset()
    s3._client.cache_clear()
