"""One attempt: from its job to its result."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from runner.artifact_store.base import StoreError
from runner.worker.call import StepError, execute, find, named
from runner.worker.secrets import Resolver


def error(desk: Any, function: str, **fields: Any) -> tuple[str, str]:
    found = desk.run(function, **fields).error
    assert found is not None
    return found.reason, found.message


def test_a_value_is_saved_under_its_name(desk: Any) -> None:
    result = desk.run("one")
    assert (result.status, result.step, result.attempt, result.error) == ("succeeded", "a", 1, None)
    assert desk.values(result) == {"output": 1}
    assert result.started <= result.ended


def test_the_result_is_in_the_ledger(desk: Any) -> None:
    result = desk.run("one")
    assert desk.ledger.result("r1", "a", 1) == result
    assert desk.ledger.started("r1", "a", 1) is None


def test_an_attempt_announces_itself_when_it_is_asked_to(desk: Any) -> None:
    result = desk.run("one", announce=True)
    assert desk.ledger.started("r1", "a", 1) == {"time": result.started, "host": result.host, "pid": result.pid}


def test_inputs_and_parameters_are_arguments(desk: Any) -> None:
    first = desk.run("one")
    assert desk.values(desk.run("add", "b", inputs={"x": first.outputs["output"]}, parameters={"y": 41})) == {
        "output": 42
    }


def test_an_input_is_looked_up_in_the_ledger(desk: Any) -> None:
    desk.run("pair", outputs=("low", "high"))
    assert desk.values(desk.run("add", "b", inputs={"x": ("a", "high")})) == {"output": 10}


def test_the_last_attempt_that_left_the_output_counts(desk: Any) -> None:
    desk.run("one")
    failed = desk.job("fail", parameters={"text": "no"})._replace(attempt=2)
    execute(failed, desk.ledger, Resolver("r1"))
    assert desk.values(desk.run("add", "b", inputs={"x": ("a", "output")})) == {"output": 2}


def test_an_input_that_nobody_left(desk: Any) -> None:
    assert error(desk, "add", inputs={"x": ("a", "output")}) == (
        "cannot-load",
        "input 'x' is not there: step 'a' left no output 'output' in this run",
    )


def test_an_input_that_is_gone_from_the_store(desk: Any) -> None:
    artifact = desk.run("one").outputs["output"]
    desk.ledger.store.delete(artifact.uri)
    reason, message = error(desk, "add", inputs={"x": artifact})
    assert reason == "cannot-load"
    assert message.startswith(f"input 'x' is gone from the artifact store ({artifact.uri})")


def test_an_input_whose_content_is_another(desk: Any) -> None:
    artifact = desk.run("one").outputs["output"]
    reason, message = error(desk, "add", inputs={"x": artifact._replace(digest="0" * 64)})
    assert (reason, message.startswith("input 'x' cannot be read: ")) == ("cannot-load", True)


def test_a_file_is_an_output_and_an_input(desk: Any) -> None:
    made = desk.run("path").outputs["output"]
    assert made.type == "file"
    assert desk.values(desk.run("read", "b", inputs={"file": made})) == {"output": "made"}


def test_the_environment_is_set_with_its_references_filled_in(desk: Any) -> None:
    result = desk.run("environment", environment={"WHO": "run ${run.id}"}, parameters={"name": "WHO"})
    assert desk.values(result) == {"output": "run r1"}


def test_metrics_are_in_the_result(desk: Any) -> None:
    assert desk.run("metrics").metrics == {"loss": 0.5}


def test_a_finished_step_goes_into_the_cache_and_a_failed_one_does_not(desk: Any) -> None:
    result = desk.run("one", cache_key="k1")
    assert desk.ledger.cached("k1", None) == result
    desk.run("fail", parameters={"text": "no"}, cache_key="k2")
    assert desk.ledger.cached("k2", None) is None


# -- failures ----------------------------------------------------------------------------------------------------------


def test_an_exception_is_told_with_the_users_line(desk: Any) -> None:
    found = desk.run("fail", parameters={"text": "too small"}).error
    assert found is not None
    assert (found.reason, found.type, found.message) == ("exception", "ValueError", "too small")
    assert [(frame.file, frame.function) for frame in found.frames] == [("worker_steps.py", "fail")]
    assert "call.py" not in found.traceback


@pytest.mark.parametrize(
    ("function", "said"),
    [
        ("no_such_package.steps:f", "there is no module 'no_such_package'"),
        ("worker_steps:nothing", "module 'worker_steps' has no function 'nothing'"),
        ("worker_steps:not_a_function", "module 'worker_steps' has no function 'not_a_function'"),
    ],
)
def test_an_entrypoint_that_is_not_there(desk: Any, function: str, said: str) -> None:
    reason, message = error(desk, function)
    assert (reason, said in message) == ("entrypoint", True)


def test_a_missing_module_that_the_entrypoint_imports_is_an_exception_of_its_own(desk: Any) -> None:
    (desk.folder / "worker_needs.py").write_text("import no_such_library\ndef f(): ...\n")
    found = desk.run("worker_needs:f").error
    assert found is not None
    assert (found.reason, found.type) == ("exception", "ModuleNotFoundError")


def test_sys_exit_is_no_way_to_end_a_step(desk: Any) -> None:
    reason, message = error(desk, "leave")
    assert (reason, "sys.exit(3)" in message) == ("exit", True)


def test_even_an_interrupt_leaves_a_result(desk: Any) -> None:
    found = desk.run("interrupted").error
    assert found is not None and found.type == "KeyboardInterrupt"
    assert desk.ledger.result("r1", "a", 1).status == "failed"


def test_a_value_that_cannot_be_saved_names_step_output_and_type(desk: Any) -> None:
    reason, message = error(desk, "unsavable")
    assert reason == "cannot-save"
    assert "output 'output' of step 'a' cannot be saved" in message and "'generator'" in message


def test_a_secret_that_is_not_set(desk: Any) -> None:
    reason, message = error(desk, "one", environment={"TOKEN": "${secrets.NO_SUCH_SECRET}"})
    assert (reason, "'NO_SUCH_SECRET' is not set" in message) == ("secret", True)


def test_a_secret_is_in_no_record(desk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", "hush-hush")
    found = desk.run("fail", parameters={"text": "refused ${secrets.TOKEN}"}).error
    assert found is not None
    assert (found.message, "hush-hush" in found.traceback) == ("refused ***", False)


def test_a_secret_is_in_no_metric(desk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", "hush-hush")
    result = desk.run("note", parameters={"token": "${secrets.TOKEN}"})
    assert result.metrics == {"***": 1, "text": "<***>", "loss": 0.5}
    assert desk.ledger.result("r1", "a", 1) == result


def test_a_secret_is_in_no_words_of_an_exit(desk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", "hush\nhush")
    reason, message = error(desk, "quit_with", parameters={"token": "${secrets.TOKEN}"})
    assert (reason, "sys.exit('***')" in message) == ("exit", True)


def test_a_secret_store_that_fails_is_told_with_what_to_do(desk: Any) -> None:
    job = desk.job("one", parameters={"token": "${secrets.TOKEN}"})._replace(
        secret_store={"flavor": "file", "path": "f"}
    )
    result = execute(job, desk.ledger, Resolver().begin(job))
    assert result.error is not None and result.error.reason == "secret"
    assert result.error.message.endswith("f' cannot be read: No such file or directory (make it, with mode 0600)")


def test_a_store_that_fails_while_saving_is_told(desk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*given: object) -> None:
        raise StoreError("the disk is full", "make room")

    monkeypatch.setattr("runner.worker.call.save", full)
    assert error(desk, "one") == ("store", "the disk is full (make room)")


def test_a_result_that_cannot_be_written_is_raised(desk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*given: object) -> None:
        raise StoreError("the disk is full")

    monkeypatch.setattr(desk.ledger, "write_result", full)
    with pytest.raises(StoreError):
        desk.run("one")


# -- entrypoints and outputs -------------------------------------------------------------------------------------------


def test_an_entrypoint_is_found() -> None:
    assert find("posixpath:join")("a", "b") == "a/b"


@pytest.mark.parametrize("function", ["pair", "listed", "mapped", "named"])
def test_several_outputs_by_order_or_by_name(desk: Any, function: str) -> None:
    assert desk.values(desk.run(function, outputs=("low", "high"))) == {"low": 1, "high": 9}


def test_without_declared_outputs_any_value_is_the_one_output() -> None:
    assert named((1, 2), ()) == {"output": (1, 2)}
    assert named(None, ()) == {"output": None}


def test_one_declared_output_is_the_value_itself() -> None:
    assert named(3, ("metrics",)) == {"metrics": 3}
    assert named([1, 2], ("rows",)) == {"rows": [1, 2]}


@pytest.mark.parametrize(
    ("returned", "said"),
    [
        ((1,), "returned 1 values"),
        (None, "returned a NoneType"),
        ({"low": 1}, "returned a mapping of 'low'"),
        ({}, "returned a mapping of nothing"),
        ("ab", "returned a str"),
    ],
)
def test_something_else_than_the_declared_outputs(returned: object, said: str) -> None:
    with pytest.raises(StepError, match=said) as caught:
        named(returned, ("low", "high"))
    assert caught.value.reason == "outputs"


def test_the_scratch_folder_is_gone_when_the_attempt_is_over(desk: Any, tmp_path: Path) -> None:
    import tempfile

    before = tempfile.tempdir
    tempfile.tempdir = str(tmp_path)
    try:
        desk.run("path")
    finally:
        tempfile.tempdir = before
    assert not list(tmp_path.glob("runner-*"))
