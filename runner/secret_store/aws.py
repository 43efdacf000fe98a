"""Secrets of AWS Secrets Manager."""

from __future__ import annotations

from typing import Any

from runner.secret_store.base import SecretMissing, SecretStore, SecretStoreError, sdk_missing

_DENIED = {"AccessDeniedException", "UnrecognizedClientException", "InvalidSignatureException", "ExpiredTokenException"}


class AwsSecretStore(SecretStore):
    """`TOKEN` is the current version of the secret `prefix + TOKEN`, the whole of its text."""

    _client: Any = None

    def get(self, name: str) -> str:
        key = f"{self.settings.get('prefix', '')}{name}"
        client, failed = self._connect()
        try:
            answer = client.get_secret_value(SecretId=key)
        except client.exceptions.ResourceNotFoundException:
            where = f"AWS Secrets Manager has no secret '{key}' in region '{client.meta.region_name}'"
            help = f"put it there: aws secretsmanager create-secret --name '{key}' --secret-string file://…"
            raise SecretMissing(name, where, help) from None
        except failed as error:
            raise _explained(name, error) from None
        if "SecretString" not in answer:
            raise SecretStoreError(
                f"secret '{key}' in AWS Secrets Manager is binary: a secret's value must be text",
                "store it as text (`SecretString`), in base64 if need be",
            )
        return str(answer["SecretString"])

    def _connect(self) -> tuple[Any, tuple[type[Exception], ...]]:
        """The client, and the errors that calls of it may raise."""
        try:
            import boto3
            from botocore.config import Config
            from botocore.exceptions import BotoCoreError, ClientError
        except ImportError:
            raise sdk_missing("boto3", "aws-secrets") from None
        if self._client is None:
            patience = Config(connect_timeout=5, read_timeout=20, retries={"mode": "standard", "total_max_attempts": 3})
            try:
                session = boto3.Session(
                    profile_name=self.settings.get("profile"), region_name=self.settings.get("region")
                )
                address = self.settings.get("endpoint_url")
                self._client = session.client("secretsmanager", endpoint_url=address, config=patience)
            except (BotoCoreError, ValueError) as error:
                raise _unusable(error) from None
        return self._client, (BotoCoreError, ClientError)


def _unusable(error: Exception) -> SecretStoreError:
    help = {
        "NoRegionError": "give the secret store a `region`, or set AWS_DEFAULT_REGION",
        "ProfileNotFound": "name a profile of ~/.aws/config, or leave `profile` out",
    }.get(type(error).__name__, "look at the secret store's fields: region, endpoint_url, profile")
    return SecretStoreError(f"AWS Secrets Manager cannot be used: {error}", help)


def _explained(name: str, error: Exception) -> SecretStoreError:
    # An answer's error code; a failure on this side (no credentials, no connection) has none.
    code = getattr(error, "response", {}).get("Error", {}).get("Code", "")
    help = "is the secret store's `endpoint_url` or `region` right, and can it be reached from here?"
    if code in _DENIED:
        help = "the credentials must be allowed secretsmanager:GetSecretValue on it"
    elif code:
        help = "look at this secret in AWS Secrets Manager"
    elif "Credentials" in type(error).__name__:
        help = "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, where the step runs"
    return SecretStoreError(f"secret '{name}' cannot be read from AWS Secrets Manager: {error}", help)
