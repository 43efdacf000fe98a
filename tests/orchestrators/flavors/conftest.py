"""Settings of a flavor from their text, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from runner.document.read import read_text
from runner.spec.common import Spec
from runner.spec.stack import component_model
from runner.validate.bind import bind

Told = Callable[[type[Spec], str], list[tuple[int, str, str, str | None]]]


@pytest.fixture
def told() -> Told:
    """Line, code, message and help of every problem of an orchestrator's fields, the first of them on line 1."""

    def told(settings: type[Spec], fields: str) -> list[tuple[int, str, str, str | None]]:
        (document,), _ = read_text(f"{fields}\nkind: orchestrator\nname: o\nflavor: f\n", "o.yaml")
        _, problems = bind(document, component_model("orchestrator", settings))
        return [(problem.position.line, *problem[1:]) for problem in problems]

    return told
