"""Every wrong document in `invalid/` gives exactly the text beside it: what a user reads."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.document.read import text_of
from runner.project import find_project, validate_paths
from runner.report.problems import as_text

FOLDER = Path(__file__).parent / "invalid"
DOCUMENTS = sorted(
    path for path in FOLDER.iterdir() if path.suffix in (".yaml", ".toml") and path.name != "runner.toml"
)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_the_text_that_a_user_reads(
    path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    monkeypatch.chdir(FOLDER)
    monkeypatch.setattr("runner.plugins._entry_points", lambda group: {})  # whatever flavors are installed here
    problems, sources, _ = validate_paths(find_project(FOLDER), [path], imports=False, env={"HOME": "/home/me"})
    text = as_text(problems, {path.name: text_of(path)[0] or ""} | sources) + "\n"
    expected = path.with_suffix(".txt")
    if request.config.getoption("--golden"):
        expected.write_text(text, "utf-8")
    assert problems
    assert text == expected.read_text("utf-8")


def test_no_text_is_left_without_its_document() -> None:
    texts = [path.stem for path in FOLDER.glob("*.txt")]
    assert sorted(texts) == sorted(path.stem for path in DOCUMENTS)
