"""Texts of a command line as values of a field's type."""

from __future__ import annotations

from typing import Annotated, Any

import pytest
from pydantic import Field

from runner.project.typed import typed
from runner.spec.common import Integer, Memory, Spec, Strings


class Settings(Spec):
    """Fields of every type."""

    name: str = ""
    count: Integer = 1
    on: bool = False
    share: Annotated[float, Field(le=1)] = 1
    size: Memory = Field(1, validate_default=False)
    tags: Strings = ()
    labels: dict[str, str] = {}


@pytest.mark.parametrize(
    ("field", "text", "value"),
    [
        ("name", "12", "12"),
        ("count", "12", 12),
        ("on", "true", True),
        ("size", "8GB", "8GB"),
        ("tags", "a, b", ["a", "b"]),
        ("tags", "[a, b]", ["a", "b"]),
        ("labels", "{team: ml}", {"team": "ml"}),
        ("count", "many", "many"),
        ("count", "[", "["),
        ("share", "2", 2),
    ],
)
def test_a_text_is_what_its_field_takes(field: str, text: str, value: Any) -> None:
    assert typed(Settings, field, text) == value
