"""Settings of artifact stores: places have a form, secrets are references, and there is one way to log in."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from runner.spec.artifact_store import AzureSettings, GcsSettings, LocalSettings, S3Settings
from runner.spec.common import Spec

KEY = {"access_key_id": "${secrets.KEY_ID}", "secret_access_key": "${secrets.KEY}"}
S3, AZURE = {"path": "s3://bucket/prefix"}, {"path": "az://container", "account_name": "account"}


def refused(model: type[Spec], fields: dict[str, Any]) -> Any:
    with pytest.raises(ValidationError) as caught:
        model.model_validate(fields)
    (error,) = caught.value.errors()
    return error


@pytest.mark.parametrize(
    ("model", "fields"),
    [
        (LocalSettings, {}),
        (S3Settings, S3),
        (S3Settings, S3 | KEY | {"session_token": "${secrets.TOKEN}", "region": "eu-central-1"}),
        (S3Settings, S3 | {"profile": "work", "endpoint_url": "http://127.0.0.1:9000"}),
        (GcsSettings, {"path": "gs://a_bucket.example/a/b", "credentials": "${secrets.ACCOUNT}", "project": "p"}),
        (AzureSettings, AZURE | {"account_key": "${secrets.KEY}", "endpoint_url": "https://x.example/y"}),
        (AzureSettings, {"path": "az://container/a", "connection_string": "${secrets.CONNECTION}"}),
    ],
)
def test_what_is_right(model: type[Spec], fields: dict[str, Any]) -> None:
    assert model.model_validate(fields).model_dump(exclude_unset=True) == fields


@pytest.mark.parametrize(
    ("model", "path"),
    [
        (S3Settings, "bucket/prefix"),
        (S3Settings, "s3://Bucket"),
        (S3Settings, "s3://bucket/prefix/"),
        (S3Settings, "s3://bucket//prefix"),
        (S3Settings, "s3://bucket/a b"),
        (GcsSettings, "s3://bucket"),
        (AzureSettings, "az://"),
    ],
)
def test_a_place_of_another_form(model: type[Spec], path: str) -> None:
    fields = {"path": path} | ({"account_name": "account"} if model is AzureSettings else {})
    error = refused(model, fields)
    assert error["ctx"]["code"] == "bad-path" and "://" in error["ctx"]["help"]


@pytest.mark.parametrize("url", ["127.0.0.1:9000", "s3.example.com", "http://user@host", "http://host?a=b"])
def test_an_endpoint_of_another_form(url: str) -> None:
    assert refused(S3Settings, S3 | {"endpoint_url": url})["ctx"]["code"] == "bad-url"


@pytest.mark.parametrize("value", ["AKIAIOSFODNN7EXAMPLE", "${env.KEY}", "x${secrets.KEY}", ""])
def test_a_secret_is_a_reference_and_no_value(value: str) -> None:
    assert refused(S3Settings, S3 | KEY | {"secret_access_key": value})["type"] == "secret"


@pytest.mark.parametrize(
    ("model", "fields", "code"),
    [
        (S3Settings, S3 | {"access_key_id": "${secrets.A}"}, "half-a-login"),
        (S3Settings, S3 | {"session_token": "${secrets.A}"}, "half-a-login"),
        (S3Settings, S3 | KEY | {"profile": "work"}, "two-logins"),
        (AzureSettings, {"path": "az://container"}, "missing-key"),
        (AzureSettings, AZURE | {"connection_string": "${secrets.A}", "account_key": "${secrets.B}"}, "two-logins"),
    ],
)
def test_one_way_to_log_in(model: type[Spec], fields: dict[str, Any], code: str) -> None:
    assert refused(model, fields)["ctx"]["code"] == code


@pytest.mark.parametrize("model", [LocalSettings, S3Settings, GcsSettings, AzureSettings])
def test_each_field_says_what_it_is(model: type[Spec]) -> None:
    assert all(field.description for field in model.model_fields.values())
