"""What docs/local_docker.md lists is what the code does."""

from __future__ import annotations

import re
from pathlib import Path

from runner.orchestrators.flavors.local_docker.run_args import INSTEAD, REFUSED
from runner.orchestrators.flavors.local_docker.settings import LocalDockerSettings
from runner.orchestrators.flavors.local_docker.translate import RESOURCES, _limits
from runner.records import REASONS

PAGE = (Path(__file__).parents[4] / "docs" / "local_docker.md").read_text()


def part(name: str) -> str:
    return PAGE.partition(f"<!-- {name} -->")[2].partition(f"<!-- /{name} -->")[0]


def words(text: str) -> list[str]:
    return re.findall(r"`(\w+)`", text)


def rows(text: str) -> list[list[str]]:
    return [line.strip("|").split("|") for line in text.splitlines() if line.startswith("| `")]


def test_resources_and_what_they_become() -> None:
    assert {words(left)[0]: tuple(words(right)) for left, right in rows(part("resources"))} == RESOURCES


def test_resources_become_that() -> None:
    for resource, arguments in RESOURCES.items():
        assert tuple(_limits({resource: 1})) == arguments


def test_refused_arguments() -> None:
    assert words(part("refused")) == sorted(REFUSED)
    assert all(f"`{name}`" in PAGE for name in INSTEAD)


def test_fields_of_the_orchestrator() -> None:
    table = PAGE.partition("| field of the orchestrator")[2].partition("\n\n")[0]
    assert {words(row[0])[0] for row in rows(table)} == LocalDockerSettings.model_fields.keys()


def test_reasons() -> None:
    table = PAGE.partition("| reason | when |")[2].partition("\n\n")[0]
    told = {word.strip("`") for row in rows(table) for word in re.findall(r"`[a-z-]+`", row[0])}
    assert told <= REASONS.keys()
    assert {"image", "container", "disk", "killed", "engine", "out-of-memory", "exit"} <= told
