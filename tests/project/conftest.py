"""A project of one pipeline and one file of stacks."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from runner.project import Project

PIPELINE = """
kind: pipeline
name: p
parameters:
  n: {type: integer, default: 3}
  m: {type: integer, default: 4}
settings: {image: {base: "debian", apt: [git]}, local: {environment: current}}
defaults: {timeout: 1m}
steps:
  a: {entrypoint: "s:f", parameters: {n: "${parameters.n}"}, settings: {image: {apt: [make]}}}
  b: {entrypoint: "s:f", after: [a], resources: large}
"""
STACKS = """
kind: stack
name: good
orchestrator: four
artifact_store: {flavor: local, path: kept}
---
kind: orchestrator
name: four
flavor: local
max_parallel: 4
---
kind: resources
name: large
cpu_count: 4
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    (tmp_path / "runner.toml").touch()
    for name, text in (("pipelines/p.yaml", PIPELINE), ("stacks/s.yaml", STACKS)):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    return Project(tmp_path)
