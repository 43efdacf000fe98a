"""A full disk, a wrong state folder, a damaged or missing file: told clearly, and the way out that is told works."""

from __future__ import annotations

import resource
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


def limited(size: int) -> Callable[[], None]:
    """No file of the process to be may grow beyond this: what a full disk is like, for one that is not root too."""
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def refused(done: Any, *words: str) -> bool:
    """Whether a command ended as one that the world refused: in these words, with help, without a traceback."""
    assert done.returncode == 5 and "Traceback" not in done.stderr and "bug in runner" not in done.stderr, done.stderr
    return all(word in done.stderr for word in ("error: ", "help: ", *words))


@pytest.fixture(autouse=True)
def no_bytecode(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python writes bytecode of what it imports, and where a file may not grow only half of it: for all who come."""
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")


@pytest.mark.parametrize("size", [200, 20_000])
def test_a_full_disk_is_told_and_later_all_is_well(workshop: Any, size: int) -> None:
    assert refused(workshop.runner("run", "quick.yaml", preexec_fn=limited(size)))
    assert workshop.runner("runs", "list").returncode == 0
    assert workshop.runner("run", "quick.yaml").returncode == 0


def test_a_step_that_cannot_be_stored_fails_and_is_resumed(workshop: Any) -> None:
    (workshop.folder / "kept_steps.py").write_text("def work(name): return 'x' * 200_000\n")
    (workshop.folder / "quick.yaml").write_text(
        'kind: pipeline\nname: big\nsteps: {big: {entrypoint: "kept_steps:work", parameters: {name: big}}}\n'
    )
    done = workshop.runner("run", "quick.yaml", preexec_fn=limited(100_000))
    assert (done.returncode, "the file would be larger" in done.stdout) == (1, True)
    assert workshop.runner("runs", "resume").returncode == 0


@pytest.mark.parametrize("wrong", ["a file", "a link to nowhere"])
@pytest.mark.parametrize("more", [(), ("--detach",)])
def test_no_folder_for_the_state(workshop: Any, wrong: str, more: tuple[str, ...]) -> None:
    state = workshop.folder / ".runner"
    if wrong == "a file":
        state.write_text("mine")
    else:
        state.symlink_to("/proc/nowhere/at/all")
    assert refused(workshop.runner("run", "quick.yaml", *more), ".runner")
    assert workshop.runner("runs", "list").returncode == 0
    state.rename(workshop.folder / "away")
    assert workshop.runner("run", "quick.yaml").returncode == 0


def garbage(path: Path) -> None:
    path.write_bytes(b"\x00garbage\xff" * 1000)


def truncated(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(5000)


def newer(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 7")
    connection.close()


@pytest.mark.parametrize("damage", [garbage, truncated, newer])
def test_a_run_store_that_cannot_be_read(workshop: Any, damage: Callable[[Path], None]) -> None:
    assert workshop.runner("run", "quick.yaml").returncode == 0
    path = workshop.folder / ".runner/runner.db"
    damage(path)
    before = path.read_bytes()
    for command in (("runs", "list"), ("run", "quick.yaml"), ("runs", "resume", "last")):
        assert refused(workshop.runner(*command), "runner.db", f"mv {path}")
    assert path.read_bytes() == before
    path.rename(f"{path}.old")
    assert workshop.runner("run", "quick.yaml").returncode == 0


def test_an_empty_run_store_is_a_new_one(workshop: Any) -> None:
    (workshop.folder / ".runner").mkdir()
    (workshop.folder / ".runner/runner.db").touch()
    assert workshop.runner("run", "quick.yaml").returncode == 0


def halfway(workshop: Any) -> Any:
    """A run whose second step has failed, and would now succeed."""
    run = workshop.start("run", "broken.yaml")
    assert run.end() == 1
    (workshop.folder / "fixed").touch()
    return run


def objects(workshop: Any) -> list[Path]:
    return [path for path in (workshop.folder / ".runner/artifacts/artifacts").rglob("*") if path.is_file()]


def test_a_deleted_artifact_is_made_again_by_the_resume(workshop: Any) -> None:
    run = halfway(workshop)
    for path in objects(workshop):
        path.unlink()
    assert workshop.start("runs", "resume", run.run_id).end() == 0
    assert workshop.ran() == {"good": 2, "bad": 2}


def test_a_deleted_artifact_is_no_answer_from_the_cache(workshop: Any) -> None:
    path = workshop.folder / "quick.yaml"
    path.write_text(path.read_text().replace("cache: false", "cache: true"))
    assert workshop.runner("run", "quick.yaml").returncode == 0
    for found in objects(workshop):
        found.unlink()
    assert workshop.runner("run", "quick.yaml").returncode == 0
    assert workshop.ran() == {"first": 2, "last": 2}


def test_a_damaged_artifact_is_told_and_made_again_once_it_is_deleted(workshop: Any) -> None:
    (workshop.folder / "broken.yaml").write_text(
        (workshop.folder / "quick.yaml").read_text().replace('kept_steps:work", inputs', 'kept_steps:never", inputs')
    )
    (workshop.folder / "kept_steps.py").write_text(
        (workshop.folder / "kept_steps.py").read_text().replace("def never(name, until", "def never(name, a, until")
    )
    run = halfway(workshop)
    for path in objects(workshop):
        path.chmod(0o644)
        path.write_bytes(b"#" * path.stat().st_size)
    done = workshop.runner("runs", "resume", run.run_id)
    assert (done.returncode, "its digest differs" in done.stdout, "delete 'artifacts/" in done.stdout) == (
        1,
        True,
        True,
    )
    for path in objects(workshop):
        path.unlink()
    assert workshop.start("runs", "resume", run.run_id).end() == 0


def test_an_artifact_that_is_gone_during_the_run(workshop: Any) -> None:
    steps = workshop.folder / "kept_steps.py"
    text = "def work(name, a=None):\n    if name == 'first': return 'x'\n    return a\n"
    steps.write_text(text)
    pipeline = workshop.folder / "quick.yaml"
    pipeline.write_text(
        pipeline.read_text()
        + '  thief: {entrypoint: "kept_steps:steal", after: [last]}\n'
        + '  late: {entrypoint: "kept_steps:work", inputs: {a: first}, parameters: {name: late}, after: [thief]}\n'
    )
    steps.write_text(text + "import shutil\ndef steal(): shutil.rmtree('.runner/artifacts/artifacts')\n")
    done = workshop.runner("run", "quick.yaml")
    assert (done.returncode, "is gone from the artifact store" in done.stdout) == (1, True)
    assert workshop.runner("runs", "resume").returncode == 0


def test_a_damaged_result_is_told_with_its_file(workshop: Any) -> None:
    run = halfway(workshop)
    result = workshop.folder / f".runner/artifacts/runs/{run.run_id}/steps/bad/1/result.json"
    result.write_text("{")
    assert refused(workshop.runner("runs", "resume", run.run_id), f"delete '{result}'")
    result.unlink()
    assert workshop.start("runs", "resume", run.run_id).end() == 0


def test_a_damaged_deployment_is_told_and_a_new_run_works(workshop: Any) -> None:
    run = halfway(workshop)
    deployment = workshop.folder / f".runner/artifacts/runs/{run.run_id}/deployment.json"
    deployment.write_text("{")
    assert refused(workshop.runner("runs", "resume", run.run_id), f"delete '{deployment}'")
    deployment.unlink()
    assert refused(workshop.runner("runs", "resume", run.run_id), "start a new run")
    assert workshop.runner("run", "broken.yaml").returncode == 0
    assert workshop.runner("runs", "delete", run.run_id, "--yes").returncode == 0
