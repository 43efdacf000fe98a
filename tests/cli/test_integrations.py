"""`runner integrations`: lists, dry runs and mistakes; real installs are in tests/engine/test_installing.py."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path

import pytest

from runner.cli.main import main


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "runner.toml").touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_list_names_what_is_needed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["integrations", "list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["name", "for", "needs", "installed", "state"]
    assert any(line.startswith("kubernetes   orchestrator kubernetes    kubernetes>=29 ") for line in lines)


def test_list_for_a_program(capsys: pytest.CaptureFixture[str]) -> None:
    main(["integrations", "list", "--format", "json"])
    facts = {each["name"]: each for each in json.loads(capsys.readouterr().out)}
    assert facts["s3"]["for"] == [{"kind": "artifact_store", "flavor": "s3"}]
    assert facts["s3"]["needs"][0]["distribution"] == "obstore" and facts["s3"]["needs"][0]["state"] == "ok"


def test_a_dry_run_prints_the_very_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["integrations", "install", "kubernetes", "s3", "--dry-run", "--upgrade"]) == 0
    command = shlex.split(capsys.readouterr().out)
    assert command[-3] == "--upgrade" and command[-2] == "kubernetes>=29" and command[-1].startswith("obstore>=")
    assert sys.executable in command and command[-5:-3] in (["--python", sys.executable], ["pip", "install"])


def test_an_unknown_name_is_answered_with_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["integrations", "install", "kubernets", "--dry-run"]) == 64
    assert "did you mean 'kubernetes'?" in capsys.readouterr().err


def test_what_the_stack_needs_is_checked(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["integrations", "check"]) == 0
    assert capsys.readouterr().out == "this stack needs no integration\n"


def test_check_imports_for_real(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["integrations", "check", "aws-secrets"]) == 0
    assert "  ok    aws-secrets   boto3>=1.34: " in capsys.readouterr().out


def test_check_for_a_program(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "s.yaml").write_text(
        "kind: stack\nname: s\norchestrator: {flavor: local}\nsecret_store: {flavor: aws, region: eu-central-1}\n"
    )
    assert main(["integrations", "check", "--stack", "s.yaml", "--format", "json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["ok"] and facts["install"] == [] and facts["checked"][0]["integration"] == "aws-secrets"


def test_names_and_a_stack_are_two_ways_to_say_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["integrations", "check", "s3", "--stack", "default"]) == 64
