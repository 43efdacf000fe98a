"""A field's value from text, as it stands on a command line."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from runner.document.read import read_nodes
from runner.spec.common import Spec


def typed(settings: type[Spec], name: str, text: str) -> Any:
    """The text itself where the field takes it, else what it says as YAML, else as a list with commas.

    Where the field takes none of these, the first one that is of its type, if any is: its error says the most.
    """
    readings: list[Any] = [text]
    nodes, problems = read_nodes(text, "value.yaml")
    if len(nodes) == 1 and not problems:
        readings.append(nodes[0].plain())
    readings.append([part.strip() for part in text.split(",")])
    wrong = [(_wrong(settings, name, value), value) for value in readings]
    fits = [value for kind, value in wrong if not kind]
    close = [value for kind, value in wrong if not kind.endswith("_type")]
    return next(iter([*fits, *close, text]))


def _wrong(settings: type[Spec], name: str, value: Any) -> str:
    """The kind of error that this field makes of a value; empty when it takes it."""
    try:
        settings.model_validate({name: value})
    except ValidationError as error:
        found = [details["type"] for details in error.errors(include_url=False) if details["loc"][:1] == (name,)]
        return found[0] if found else ""
    return ""
