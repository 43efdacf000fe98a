"""What a stack may write about its artifact store, one class a flavor. Fields say where; secrets stay references."""

# No `from __future__ import annotations` here: pydantic would evaluate every annotation from its text, at every start.

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from runner.spec.common import SecretReference, Spec, rule

# One `/` between the parts and none at the end: two ways of writing a place would be two places.
PREFIX = "(/[A-Za-z0-9!_.*'()=@+,:-]+)*"
S3_PATH = f"^s3://[a-z0-9][a-z0-9.-]{{1,61}}[a-z0-9]{PREFIX}$"
GCS_PATH = f"^gs://[a-z0-9][a-z0-9._-]{{1,220}}[a-z0-9]{PREFIX}$"
AZURE_PATH = f"^az://[a-z0-9][a-z0-9-]{{1,61}}[a-z0-9]{PREFIX}$"
URL = "^https?://[^/?#@ ]+(/[^?# ]*)?$"
BUCKET = "the first part is 3 characters or longer, of small letters, digits and '-'"
ACCOUNT = "^[a-z0-9]{3,24}$"


def _written(pattern: str, code: str, words: str, example: str) -> BeforeValidator:
    """Refuses text of another form, in these words."""

    def check(value: Any) -> Any:
        if isinstance(value, str) and not re.fullmatch(pattern, value):
            raise rule(code, f"'{value}' is no {words}", f"write it as in {example}")
        return value

    return BeforeValidator(check)


def _schema(pattern: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": pattern})


Url = Annotated[str, _written(URL, "bad-url", "URL of a service", "http://minio.example.com:9000"), _schema(URL)]
S3Path = Annotated[str, _written(S3_PATH, "bad-path", "place in S3", f"s3://bucket/prefix; {BUCKET}"), _schema(S3_PATH)]
GcsPath = Annotated[
    str,
    _written(GCS_PATH, "bad-path", "place in Google Cloud Storage", f"gs://bucket/prefix; {BUCKET}"),
    _schema(GCS_PATH),
]
AzurePath = Annotated[
    str,
    _written(AZURE_PATH, "bad-path", "place in Azure Blob Storage", f"az://container/prefix; {BUCKET}"),
    _schema(AZURE_PATH),
]
Text = Annotated[str, Field(min_length=1)]


class LocalSettings(Spec):
    """A folder on this machine."""

    path: Text = Field(".runner/artifacts", description="The folder; a relative one stands beside the project's file.")


class S3Settings(Spec):
    """A bucket of Amazon S3, or of a service that speaks its protocol."""

    path: S3Path = Field(description="Bucket and prefix, as in s3://bucket/prefix; the bucket must be there.")
    endpoint_url: Url | None = Field(None, description="Another service than Amazon's, as in http://127.0.0.1:9000.")
    region: Text | None = Field(None, description="The bucket's region; the provider's own choice when left out.")
    profile: Text | None = Field(
        None, description="The profile of the AWS configuration to log in with; the provider's own chain when left out."
    )
    access_key_id: SecretReference | None = Field(None, description="The access key's id, as ${secrets.NAME}.")
    secret_access_key: SecretReference | None = Field(None, description="The access key, as ${secrets.NAME}.")
    session_token: SecretReference | None = Field(
        None, description="The token of a temporary access key, as ${secrets.NAME}."
    )

    @model_validator(mode="after")
    def _one_way_to_log_in(self) -> "S3Settings":
        if (self.access_key_id is None) != (self.secret_access_key is None):
            raise rule(
                "half-a-login", "access_key_id and secret_access_key belong together", "write both, or none of them"
            )
        if self.session_token is not None and self.access_key_id is None:
            raise rule(
                "half-a-login",
                "session_token belongs to an access key",
                "write access_key_id and secret_access_key too",
            )
        if self.profile is not None and self.access_key_id is not None:
            raise rule("two-logins", "profile and access_key_id are two ways to log in", "write one of them")
        return self


class GcsSettings(Spec):
    """A bucket of Google Cloud Storage."""

    path: GcsPath = Field(description="Bucket and prefix, as in gs://bucket/prefix; the bucket must be there.")
    endpoint_url: Url | None = Field(
        None, description="Another service than Google's, as in http://127.0.0.1:9023; without credentials, no login."
    )
    project: Text | None = Field(
        None, description="The project that is billed, for a bucket whose requesters pay; else leave it out."
    )
    credentials: SecretReference | None = Field(
        None,
        description="The JSON key of a service account, as ${secrets.NAME}; the provider's own chain when left out.",
    )


class AzureSettings(Spec):
    """A container of Azure Blob Storage."""

    path: AzurePath = Field(
        description="Container and prefix, as in az://container/prefix; the container must be there."
    )
    account_name: Annotated[str, Field(pattern=ACCOUNT)] | None = Field(
        None, description="The storage account; needed unless connection_string says it."
    )
    endpoint_url: Url | None = Field(
        None, description="Another service than Azure's, as in http://127.0.0.1:10000/devstoreaccount1."
    )
    account_key: SecretReference | None = Field(
        None, description="A key of the account, as ${secrets.NAME}; the provider's own chain when left out."
    )
    connection_string: SecretReference | None = Field(
        None, description="A connection string, as ${secrets.NAME}: instead of account_name, endpoint_url, account_key."
    )

    @model_validator(mode="after")
    def _one_way_to_log_in(self) -> "AzureSettings":
        if self.connection_string is None and self.account_name is None:
            raise rule("missing-key", "there is no storage account", "write account_name, or connection_string")
        if self.connection_string is not None and (self.account_key is not None or self.endpoint_url is not None):
            raise rule(
                "two-logins", "connection_string says where and how to log in", "leave account_key and endpoint_url out"
            )
        return self
