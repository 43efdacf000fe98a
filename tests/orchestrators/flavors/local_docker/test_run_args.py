"""The table of run_args is the Docker SDK's, and what is wrong with them is told where it stands."""

from __future__ import annotations

import inspect
import re
from typing import Any

import pytest
from docker.models.containers import RUN_CREATE_KWARGS, RUN_HOST_CONFIG_KWARGS, ContainerCollection

from runner.document.read import read_text
from runner.orchestrators.flavors.local_docker.run_args import INSTEAD, REFUSED, RUN_ARGS, wrong
from runner.orchestrators.flavors.local_docker.settings import LocalDockerSettings
from runner.orchestrators.flavors.local_docker.translate import RESOURCES
from runner.spec.stack import component_model
from runner.validate.bind import bind

# What the SDK's `run` takes out of its keywords before it hands them on, and what it splits over two places.
MORE = {"stream", "ports", "volumes", "network", "networking_config"}


def documented() -> dict[str, set[str]]:
    """Argument → its types, as the docstring of containers.run has them."""
    text = inspect.getdoc(ContainerCollection.run) or ""
    found = re.findall(r"^    (\w+) \(([^:]*|:py:class:`list`)\):", text, re.MULTILINE)
    simple = {
        name: set(kinds.replace(":py:class:`list`", "list").split(" of ")[0].split(" or ")) for name, kinds in found
    }
    return {name: kinds for name, kinds in simple.items() if kinds <= {"bool", "int", "str", "list", "dict"}}


def test_it_has_the_arguments_of_the_sdk_and_no_others() -> None:
    own = set(inspect.signature(ContainerCollection.run).parameters) - {"self", "kwargs"}
    assert {*RUN_ARGS, *REFUSED} == {*RUN_CREATE_KWARGS, *RUN_HOST_CONFIG_KWARGS, *own, *MORE}
    assert not RUN_ARGS.keys() & REFUSED.keys()


def test_it_has_the_types_of_the_sdk() -> None:
    known = documented()
    assert len(known) > 50
    assert {name: set(RUN_ARGS[name]) for name in known if name in RUN_ARGS} == {
        name: kinds for name, kinds in known.items() if name in RUN_ARGS
    }


def test_what_resources_become_is_known_as_said_twice() -> None:
    given = {argument for arguments in RESOURCES.values() for argument in arguments}
    assert given - {"device_requests"} == INSTEAD.keys()
    assert "device_requests" in REFUSED


@pytest.mark.parametrize(
    ("run_args", "code"),
    [
        ({"privilged": True}, "unknown-run-arg"),
        ({"detach": True}, "refused-run-arg"),
        ({"labels": {"runner/step": "x"}}, "refused-run-arg"),
        ({"labels": ["runner/step=x"]}, "refused-run-arg"),
        ({"pids_limit": "many"}, "bad-run-arg"),
        ({"pids_limit": True}, "bad-run-arg"),
    ],
)
def test_what_cannot_be_taken_is_told(run_args: dict[str, Any], code: str) -> None:
    assert [each.code for each in wrong(run_args)] == [code]


def test_what_can_be_taken_is() -> None:
    assert (
        list(wrong({"cap_add": ["SYS_PTRACE"], "mem_reservation": "1g", "user": 1000, "labels": {"team": "ml"}})) == []
    )


def test_every_problem_stands_at_its_place() -> None:
    text = """kind: orchestrator
name: o
flavor: local_docker
run_args:
  privilged: true
  remove: true
  cap_add: SYS_PTRACE
"""
    (document,), _ = read_text(text, "o.yaml")
    _, problems = bind(document, component_model("orchestrator", LocalDockerSettings))
    assert [(*each.position[1:3], each.code) for each in problems] == [
        (5, 3, "unknown-run-arg"),
        (6, 3, "refused-run-arg"),
        (7, 12, "bad-run-arg"),
    ]
    assert problems[0].help == "did you mean 'privileged'?"
