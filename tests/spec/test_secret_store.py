"""What may be written about secret stores."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from runner.spec.common import Spec
from runner.spec.secret_store import AwsSettings, EnvSettings, FileSettings, GcpSettings, KubernetesSettings


@pytest.mark.parametrize(
    ("settings", "fields"),
    [
        (EnvSettings, {}),
        (EnvSettings, {"prefix": "ML_"}),
        (FileSettings, {"path": "secrets.env"}),
        (AwsSettings, {}),
        (AwsSettings, {"region": "eu-central-1", "prefix": "team/ml-", "profile": "ml"}),
        (GcpSettings, {"project": "p1", "prefix": "ml-"}),
        (KubernetesSettings, {"secret": "ml.secrets", "namespace": "ml"}),
    ],
)
def test_what_is_right(settings: type[Spec], fields: dict[str, Any]) -> None:
    assert settings.model_validate(fields).model_dump(exclude_unset=True) == fields


@pytest.mark.parametrize(
    ("settings", "fields"),
    [
        (EnvSettings, {"prefix": "ml-"}),
        (FileSettings, {}),
        (FileSettings, {"path": ""}),
        (AwsSettings, {"prefix": "a b"}),
        (AwsSettings, {"endpoint_url": "localhost"}),
        (GcpSettings, {}),
        (GcpSettings, {"project": "p1", "prefix": "ml/"}),
        (KubernetesSettings, {"namespace": "ml"}),
        (KubernetesSettings, {"secret": "No_Name"}),
        (AwsSettings, {"password": "hush"}),
    ],
)
def test_what_is_refused(settings: type[Spec], fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        settings.model_validate(fields)
