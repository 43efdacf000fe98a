"""A field's value from text, as it stands on a command line."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from runner.document.read import read_nodes
from runner.spec.common import Spec


def typed(settings: type[Spec], name: str, text: str) -> Any:
    """The text itself where the field takes it, else what it says as YAML, else as a list with commas; the text where
    the field takes none of these."""
    readings: list[Any] = [text]
    nodes, problems = read_nodes(text, "value.yaml")
    if len(nodes) == 1 and not problems:
        readings.append(nodes[0].plain())
    readings.append([part.strip() for part in text.split(",")])
    return next((value for value in readings if _takes(settings, name, value)), text)


def _takes(settings: type[Spec], name: str, value: Any) -> bool:
    try:
        settings.model_validate({name: value})
    except ValidationError as error:
        return not any(details["loc"][:1] == (name,) for details in error.errors(include_url=False))
    return True
