"""The table of integrations fits our own package, the flavors there are, and the commands that errors name."""

from __future__ import annotations

import importlib.metadata
import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from runner import integrations
from runner.errors import EngineError, UsageError
from runner.integrations import ALL, INTEGRATIONS, chosen, core, integration_of, needed, sdk
from runner.orchestrators.registry import BUILTINS
from runner.project.components import SETTINGS

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
NO_SDKS = ("all", "dev", "examples")


@pytest.fixture
def nothing_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    def version(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", version)


def test_every_extra_is_an_integration() -> None:
    assert list(INTEGRATIONS) == [name for name in EXTRAS if name not in NO_SDKS]


@pytest.mark.parametrize("name", INTEGRATIONS)
def test_an_integration_needs_what_its_extra_says(name: str) -> None:
    declared = [Requirement(text) for text in EXTRAS[name]]
    found = [(each.distribution, each.bounds) for each in needed(name)]
    assert sorted(found) == sorted((each.name, str(each.specifier)) for each in declared)


def test_the_extra_all_has_every_integration() -> None:
    (everything,) = EXTRAS[ALL]
    assert Requirement(everything).extras == set(INTEGRATIONS)


def test_an_integration_serves_flavors_that_there_are() -> None:
    known = {("orchestrator", name) for name in BUILTINS}
    known |= {(kind, name) for kind, flavors in SETTINGS.items() for name in flavors}
    assert {served for each in INTEGRATIONS.values() for served in each.serves} <= known


def test_a_flavor_of_the_core_needs_none() -> None:
    assert integration_of("orchestrator", "local") is None
    assert integration_of("artifact_store", "s3") == "s3"


def test_every_command_that_is_named_anywhere_is_a_real_one() -> None:
    ways = (
        r"runner integrations install ([a-z0-9-]+)",
        r"\bextra = \"([^\"]+)\"",
        r"\bsdk_missing\(\"[^\"]+\", \"([^\"]+)\"\)",
        r"(?:(?<![.\w])command|sdk|cluster_checks)\(\"([^\"]+)\"",
    )
    files = [*(ROOT / "runner").rglob("*.py"), *(ROOT / "docs").glob("*.md"), ROOT / "README.md"]
    texts = [path.read_text("utf-8") for path in files]
    named = [{name for text in texts for name in re.findall(way, text)} for way in ways]
    assert all(named) and chosen(sorted(set.union(*named)))


def test_what_is_missing_names_the_command(nothing_installed: None) -> None:
    check = sdk("kubernetes")
    assert check.told == "'kubernetes>=29' is missing"
    assert check.help == "install it: runner integrations install kubernetes"


def test_what_is_too_old_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "0.1")
    assert sdk("s3").told.endswith("is too old")


def test_a_prerelease_is_new_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "99.0rc1")
    assert sdk("kubernetes").ok


def test_the_core_is_what_the_package_needs() -> None:
    assert len(core()) == len(PROJECT["dependencies"]) and all(each.state == "ok" for each in core())


def test_a_name_that_is_none_is_answered_with_the_nearest() -> None:
    with pytest.raises(UsageError, match="no integration 'kubernets'") as caught:
        chosen(["kubernets"])
    assert "did you mean 'kubernetes'?" in (caught.value.help or "")


def test_all_is_every_one_once() -> None:
    assert chosen(["s3", ALL]) == ["s3", *(name for name in INTEGRATIONS if name != "s3")]


def test_a_runner_that_is_no_installed_package_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(integrations, "DISTRIBUTION", "no-such-package-of-ours")
    with pytest.raises(EngineError, match="is not installed as a package"):
        needed("s3")
