"""A flavor that cannot run yet says so, whatever it is asked to do."""

from __future__ import annotations

from typing import Any

import pytest

from runner.errors import EngineError
from runner.orchestrators import registry
from runner.orchestrators.base import Bundle, Submission
from runner.orchestrators.portability import as_it_comes
from runner.plan.deployment import Deployment

PENDING = [name for name in registry.BUILTINS if not registry.flavor(name).available]
DEPLOYMENT = Deployment("r1", "p", "s", "f", {}, {"flavor": "local"}, "/p")
CALLS: dict[str, tuple[Any, ...]] = {
    "compile": (DEPLOYMENT,),
    "submit": (Bundle("r1", "f", {}, DEPLOYMENT), None),
    "watch": (Submission("r1", "f"), None),
    "logs": (Submission("r1", "f"), "a", None),
    "cancel": (Submission("r1", "f"), None),
    "prepare_or_run_pipeline": (DEPLOYMENT, None),
}


@pytest.mark.parametrize(
    ("name", "call"),
    [(name, call) for name in PENDING for call in CALLS if call != "compile" or not registry.flavor(name).compiles],
)
def test_it_says_so_in_one_sentence(name: str, call: str) -> None:
    with pytest.raises(EngineError, match=f"cannot run anything on flavor '{name}' yet") as caught:
        list(getattr(as_it_comes(registry.flavor(name)), call)(*CALLS[call]) or ())
    assert "flavors that can run now: local" in (caught.value.help or "")
