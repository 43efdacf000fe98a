"""Exceptions of steps as records."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

from runner.records import Failure
from runner.worker.failure import failure_of


class Unspeakable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words")


def module(folder: Path, text: str) -> ModuleType:
    (folder / "steps_that_fail.py").write_text(text)
    spec = importlib.util.spec_from_file_location("steps_that_fail", folder / "steps_that_fail.py")
    assert spec is not None and spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


def failure(error: BaseException, project: Path) -> Failure:
    try:
        raise error
    except BaseException as caught:
        return failure_of(caught, str(project))


def test_frames_are_the_projects_own_relative_to_it(tmp_path: Path) -> None:
    steps = module(tmp_path, "import json\ndef f():\n    return json.loads('{')\n")
    try:
        steps.f()
    except ValueError as error:
        found = failure_of(error, str(tmp_path))
    assert [tuple(frame) for frame in found.frames] == [("steps_that_fail.py", 3, "f", "return json.loads('{')")]
    assert (found.reason, found.type) == ("exception", "JSONDecodeError")


def test_frames_elsewhere_count_when_the_project_has_none(tmp_path: Path) -> None:
    found = failure(ValueError("no"), tmp_path)
    assert [frame.file for frame in found.frames] == [__file__]


def test_the_cause_is_in_the_traceback(tmp_path: Path) -> None:
    steps = module(
        tmp_path,
        "def f():\n  try:\n    1 / 0\n  except ZeroDivisionError as e:\n    raise ValueError('no') from e\n",
    )
    try:
        steps.f()
    except ValueError as error:
        found = failure_of(error, str(tmp_path))
    assert "ZeroDivisionError" in found.traceback and found.traceback.rstrip().endswith("ValueError: no")


def test_a_memory_error_is_out_of_memory(tmp_path: Path) -> None:
    assert failure(MemoryError(), tmp_path).reason == "out-of-memory"


def test_an_exception_whose_text_raises(tmp_path: Path) -> None:
    assert failure(Unspeakable(), tmp_path).message == "(its message cannot be shown)"


def test_in_a_container_files_are_named_from_the_projects_root(tmp_path: Path) -> None:
    steps = module(
        tmp_path,
        "def f():\n    try:\n        1 / 0\n    except Exception as error:\n        raise OSError from error\n",
    )
    try:
        steps.f()
    except OSError as error:
        found = failure_of(error, str(tmp_path), elsewhere=True)
    assert 'File "steps_that_fail.py", line 3, in f' in found.traceback
    assert 'File "steps_that_fail.py", line 5, in f' in found.traceback and f'"{tmp_path}/steps' not in found.traceback
