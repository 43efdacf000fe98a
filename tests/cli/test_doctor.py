"""`runner doctor`: its lines, its JSON, its exit codes, and that nothing keeps it from ending."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from runner.cli.main import main


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "runner.toml").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_COLOR", "1")
    return tmp_path


def test_a_project_where_all_is_well(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--timeout", "60"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("  ok    versions         runner ") and lines[-1] == "all 9 checks are ok"


def test_facts_for_a_program(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--format", "json", "--timeout", "60"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["ok"] and {"name", "ok", "told", "help", "warning"} == set(facts["checks"][0])


def test_what_is_broken_ends_with_5(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "s.yaml").write_text(
        "kind: stack\nname: s\norchestrator: {flavor: local}\nsecret_store: {flavor: file, path: none}\n"
    )
    assert main(["doctor", "--stack", "s.yaml", "--timeout", "60"]) == 5
    told = capsys.readouterr().out
    assert "  FAIL  secret store     " in told and "→ make it, with mode 0600" in told
    assert told.endswith("1 of 9 checks failed\n")


def test_an_unknown_stack(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--stack", "defualt", "--timeout", "60"]) == 5
    assert "→ did you mean 'default'?" in capsys.readouterr().out


def test_a_service_that_never_answers_does_not_keep_it_from_ending(project: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        uri = f"127.0.0.1:{silent.getsockname()[1]}/ml"
        text = "kind: stack\nname: s\norchestrator: {flavor: local}\n"
        (project / "s.yaml").write_text(f"{text}container_registry: {{flavor: generic, uri: '{uri}'}}\n")
        command = [sys.executable, "-m", "runner", "doctor", "--stack", "s.yaml", "--timeout", "1"]
        done = subprocess.run(command, text=True, capture_output=True, timeout=120, env={**os.environ})
    assert done.returncode == 5 and "FAIL  registry         no answer within 1 s" in done.stdout
