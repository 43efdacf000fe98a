"""What errors of secret stores say."""

from __future__ import annotations

from runner.errors import EngineError
from runner.secret_store.base import SecretMissing, SecretStoreError, sdk_missing


def test_a_missing_secret_is_an_error_of_its_store_with_exit_code_5() -> None:
    error = SecretMissing("TOKEN", "the store has none", "add it")
    assert isinstance(error, SecretStoreError) and isinstance(error, EngineError)
    assert (error.name, error.message, error.help, error.exit_code) == (
        "TOKEN",
        "secret 'TOKEN' is not set: the store has none",
        "add it",
        5,
    )


def test_a_missing_sdk_names_the_command_that_installs_it() -> None:
    error = sdk_missing("boto3", "aws-secrets")
    assert "'boto3'" in error.message and "runner integrations install aws-secrets" in (error.help or "")
