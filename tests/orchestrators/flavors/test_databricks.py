"""The databricks flavor's declarations."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from runner.orchestrators.flavors.databricks import DatabricksSettings, DatabricksStepSettings

WHERE = "host: https://d.example.com\nnode_type_id: i3.xlarge\n"


def test_two_ways_to_log_in_are_one_too_many(told) -> None:
    login = 'client_id: c\nclient_secret: "${secrets.S}"\n'
    assert told(DatabricksSettings, WHERE + login.rstrip()) == []
    found = told(DatabricksSettings, WHERE + login + 'token: "${secrets.T}"')
    assert found == [(5, "cannot-combine", "'token' and 'client_id' are two ways to log in", "leave one of them out")]


def test_a_service_principal_has_a_secret(told) -> None:
    found = told(DatabricksSettings, f"{WHERE}client_id: c")
    assert found == [(3, "missing-key", "'client_id' is of no use without 'client_secret'", "add 'client_secret'")]


@pytest.mark.parametrize(
    "version", ["15.4.x-scala2.12", "14.3.x-gpu-ml-scala2.12", "16.x-scala2.13", "13.3.x-photon-scala2.12"]
)
def test_runtimes_as_databricks_names_them(version: str) -> None:
    assert DatabricksStepSettings(spark_version=version).spark_version == version


@pytest.mark.parametrize("version", ["15", "latest", "scala2.12"])
def test_runtimes_that_are_none(version: str) -> None:
    with pytest.raises(ValidationError):
        DatabricksStepSettings(spark_version=version)
