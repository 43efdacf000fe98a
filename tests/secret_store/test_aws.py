"""Secrets of AWS Secrets Manager, from moto's server."""

from __future__ import annotations

import sys
import uuid
from typing import Any

import pytest

from runner.secret_store.aws import AwsSecretStore
from runner.secret_store.base import SecretMissing, SecretStoreError


@pytest.fixture
def prefix() -> str:
    return f"{uuid.uuid4().hex}/"  # the server is everybody's


@pytest.fixture
def store(aws_client: Any, s3_endpoint: str, prefix: str) -> AwsSecretStore:
    return AwsSecretStore({"flavor": "aws", "region": "eu-central-1", "prefix": prefix, "endpoint_url": s3_endpoint})


def refusal(store: AwsSecretStore, name: str = "TOKEN") -> tuple[str, str]:
    with pytest.raises(SecretStoreError) as caught:
        store.get(name)
    return caught.value.message, caught.value.help or ""


def test_the_current_version_of_prefix_and_name(store: AwsSecretStore, aws_client: Any, prefix: str) -> None:
    aws_client.create_secret(Name=f"{prefix}TOKEN", SecretString="old")
    aws_client.put_secret_value(SecretId=f"{prefix}TOKEN", SecretString='{"new": "hush"}')
    assert store.get("TOKEN") == '{"new": "hush"}'


def test_a_missing_one_names_secret_and_region(store: AwsSecretStore, prefix: str) -> None:
    with pytest.raises(SecretMissing) as caught:
        store.get("TOKEN")
    assert f"AWS Secrets Manager has no secret '{prefix}TOKEN' in region 'eu-central-1'" in caught.value.message
    assert "aws secretsmanager create-secret" in (caught.value.help or "")


def test_a_binary_one_is_refused(store: AwsSecretStore, aws_client: Any, prefix: str) -> None:
    aws_client.create_secret(Name=f"{prefix}TOKEN", SecretBinary=b"hush")
    message, help = refusal(store)
    assert "is binary: a secret's value must be text" in message and "SecretString" in help


def test_one_that_is_being_deleted_is_refused(store: AwsSecretStore, aws_client: Any, prefix: str) -> None:
    aws_client.create_secret(Name=f"{prefix}TOKEN", SecretString="hush")
    aws_client.delete_secret(SecretId=f"{prefix}TOKEN")
    message, _ = refusal(store)
    assert "secret 'TOKEN' cannot be read from AWS Secrets Manager" in message and "hush" not in message


def test_an_address_where_nobody_answers(aws_client: Any) -> None:
    message, help = refusal(AwsSecretStore({"region": "x", "endpoint_url": "http://127.0.0.1:9"}))
    assert "cannot be read from AWS Secrets Manager" in message and "`endpoint_url`" in help


def test_without_a_region(aws_client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    message, help = refusal(AwsSecretStore({}))
    assert "cannot be used" in message and "give the secret store a `region`" in help


def test_without_credentials(monkeypatch: pytest.MonkeyPatch, s3_endpoint: str) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, "/nonexistent")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    _, help = refusal(AwsSecretStore({"region": "x", "endpoint_url": s3_endpoint}))
    assert "AWS_ACCESS_KEY_ID" in help


def test_a_profile_that_is_not_there(aws_client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    message, help = refusal(AwsSecretStore({"region": "x", "profile": "nobody-s"}))
    assert "(nobody-s)" in message and "leave `profile` out" in help


def test_without_the_sdk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "boto3", None)
    message, help = refusal(AwsSecretStore({}))
    assert "'boto3'" in message and "runner integrations install aws-secrets" in help
