"""Stacks and components as declared."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import Field, ValidationError

from runner.spec.artifact_store import LocalSettings
from runner.spec.common import Spec
from runner.spec.stack import StackSpec, component_model


class Settings(Spec):
    """An engine of ours."""

    size: int = Field(1, description="How large.")


def stack(**fields: Any) -> StackSpec:
    return StackSpec.model_validate({"kind": "stack", "name": "s", "orchestrator": "one"} | fields)


def test_a_component_is_a_name_or_fields() -> None:
    assert stack().orchestrator == "one"
    assert stack(orchestrator={"flavor": "local"}).orchestrator == {"flavor": "local"}


def test_a_component_is_nothing_else() -> None:
    with pytest.raises(ValidationError) as caught:
        stack(orchestrator=["one"])
    assert len(caught.value.errors()) == 1


def test_a_stack_needs_an_orchestrator() -> None:
    with pytest.raises(ValidationError):
        StackSpec.model_validate({"kind": "stack", "name": "s"})


def test_a_component_has_its_flavors_fields_beside_its_own() -> None:
    model = component_model("orchestrator", Settings)
    found = model.model_validate({"kind": "orchestrator", "name": "o", "flavor": "a.b:C", "size": 2})
    assert found.model_dump() == {"kind": "orchestrator", "name": "o", "flavor": "a.b:C", "size": 2}
    assert isinstance(found, Settings)
    assert (model.__name__, model.__doc__) == ("Orchestrator", "An engine of ours.")


def test_in_place_it_has_neither_kind_nor_name() -> None:
    model = component_model("artifact_store", LocalSettings, in_place=True)
    assert model.model_validate({"flavor": "local"}).model_dump() == {"flavor": "local", "path": ".runner/artifacts"}
    assert model.__name__ == "ArtifactStoreInPlace"
    with pytest.raises(ValidationError):
        model.model_validate({"flavor": "local", "name": "a"})


@pytest.mark.parametrize("flavor", ["", "my flavor", "a:b:c", "a/b", "1a"])
def test_what_is_no_flavor(flavor: str) -> None:
    with pytest.raises(ValidationError):
        component_model("orchestrator", Settings, in_place=True).model_validate({"flavor": flavor})
