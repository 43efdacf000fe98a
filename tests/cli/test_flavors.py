"""`runner flavors`: tables from what flavors declare."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from runner.cli.main import main
from runner.orchestrators import registry

GOLDEN = Path(__file__).parents[1] / "golden" / "flavors"
Run = Callable[..., str]


@pytest.fixture
def runner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("runner.plugins._entry_points", lambda group: {})  # whatever flavors are installed here

    def run(*arguments: str) -> str:
        assert main(["flavors", *arguments]) == 0
        return capfd.readouterr().out

    return run


@pytest.mark.parametrize("name", ["", *registry.BUILTINS])
def test_what_is_printed(runner: Run, name: str, request: pytest.FixtureRequest) -> None:
    text = runner(*([name] if name else []))
    expected = GOLDEN / f"{name or 'all'}.txt"
    if request.config.getoption("--golden"):
        expected.parent.mkdir(parents=True, exist_ok=True)
        expected.write_text(text, "utf-8")
    assert text == expected.read_text("utf-8")


def test_the_table_fits_a_terminal(runner: Run) -> None:
    assert max(map(len, runner().splitlines())) <= 120


def test_every_flavor_as_json(runner: Run) -> None:
    facts = json.loads(runner("--format", "json"))
    assert list(facts)[: len(registry.BUILTINS)] == list(registry.BUILTINS)
    for name in registry.BUILTINS:
        assert facts[name]["capabilities"] == {
            capability: str(support) for capability, support in registry.flavor(name).capabilities._asdict().items()
        }


def test_one_flavor_as_json(runner: Run) -> None:
    facts = json.loads(runner("vertex", "--format", "json"))
    assert (facts["available"], facts["remote"], facts["traits"]["cost"]) == (True, True, "per use")
    assert facts["settings"]["project"]["required"] and facts["settings"]["project"]["type"] == "text"
    assert {"schedule", "foreach", "when", "expand"} <= set(facts["not_yet"])
