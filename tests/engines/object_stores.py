"""Fixtures: real object stores over real sockets, each started once for a process of the tests that asks for it."""

from __future__ import annotations

import os
import subprocess
import sys
import urllib.request
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

SERVERS = Path(__file__).parent / "servers.py"
ACCOUNT = "devstoreaccount1"
# The key of Azurite's one account, as its documentation tells everybody.
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
SECRETS = {"STORE_ID": "an-id", "STORE_KEY": "a-key", "AZURITE_KEY": KEY}


def serve(which: str, host: str = "127.0.0.1") -> Iterator[int]:
    """The port of a server that `servers.py` knows, for as long as it is iterated over."""
    environment = {**os.environ, "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x"}
    with subprocess.Popen(
        [sys.executable, str(SERVERS), which, host], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
    ) as server:
        assert server.stdout is not None and server.stdin is not None
        line = server.stdout.readline()
        assert line.strip().isdigit(), f"the {which} server did not start: {line!r}"
        yield int(line)
        server.stdin.close()


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    """The address of an S3 with a bucket named `bucket`."""
    for port in serve("s3"):
        urllib.request.urlopen(urllib.request.Request(f"http://127.0.0.1:{port}/bucket", method="PUT"))
        yield f"http://127.0.0.1:{port}"


@pytest.fixture(scope="session")
def gcs_endpoint() -> Iterator[str]:
    """The address of a Google Cloud Storage with a bucket named `bucket`."""
    for port in serve("gcs"):
        yield f"http://127.0.0.1:{port}"


@pytest.fixture(scope="session")
def azure_endpoint() -> Iterator[str]:
    """The address of an account of an Azure Blob Storage with a container named `bucket`."""
    from azure.storage.blob import BlobServiceClient

    for port in serve("azure"):
        endpoint = f"http://127.0.0.1:{port}/{ACCOUNT}"
        with BlobServiceClient(endpoint, credential={"account_name": ACCOUNT, "account_key": KEY}) as client:
            client.create_container("bucket")
        yield endpoint


@pytest.fixture
def s3_settings(s3_endpoint: str, login: None) -> dict[str, Any]:
    """Settings of a new, empty store in S3, with its login in the environment's secrets."""
    return in_s3(s3_endpoint)


def in_s3(endpoint: str) -> dict[str, Any]:
    """Such settings for the S3 at this address; the fixture `login` has the secrets."""
    return {
        "flavor": "s3",
        "path": f"s3://bucket/{uuid.uuid4().hex}",
        "endpoint_url": endpoint,
        "region": "us-east-1",
        "access_key_id": "${secrets.STORE_ID}",
        "secret_access_key": "${secrets.STORE_KEY}",
    }


@pytest.fixture
def gcs_settings(gcs_endpoint: str, login: None) -> dict[str, Any]:
    """Settings of a new, empty store in Google Cloud Storage."""
    return {"flavor": "gcs", "path": f"gs://bucket/{uuid.uuid4().hex}", "endpoint_url": gcs_endpoint}


@pytest.fixture
def azure_settings(azure_endpoint: str, login: None) -> dict[str, Any]:
    """Settings of a new, empty store in Azure Blob Storage, with its login in the environment's secrets."""
    return {
        "flavor": "azure",
        "path": f"az://bucket/{uuid.uuid4().hex}",
        "account_name": ACCOUNT,
        "endpoint_url": azure_endpoint,
        "account_key": "${secrets.AZURITE_KEY}",
    }


@pytest.fixture
def login(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The secrets that the settings refer to, and a folder of the test's own for copies of what is fetched."""
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    folder = str(tmp_path_factory.mktemp("copies"))
    monkeypatch.setenv("TMPDIR", folder)
    monkeypatch.setattr("tempfile.tempdir", folder)
