"""What a step may ask about itself."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import numpy as np
import pytest

from runner import step_context
from runner.worker.context import StepContext, enter, leave


@pytest.fixture
def context() -> Iterator[StepContext]:
    made = StepContext("r1", "fit", 2)
    enter(made)
    yield made
    leave(made)


def test_a_step_knows_its_run_its_name_and_its_attempt(context: StepContext) -> None:
    found = step_context()
    assert (found.run_id, found.step, found.attempt) == ("r1", "fit", 2)


def test_its_threads_see_the_same(context: StepContext) -> None:
    seen: list[StepContext] = []
    thread = threading.Thread(target=lambda: seen.append(step_context()))
    thread.start()
    thread.join()
    assert seen == [context]


def test_outside_a_step_there_is_none() -> None:
    with pytest.raises(RuntimeError, match="inside a running step only"):
        step_context()


def test_metrics_by_name_and_by_mapping_the_last_counts(context: StepContext) -> None:
    context.log_metrics(loss=0.5, epoch=1)
    context.log_metrics({"loss": 0.25, "top 5": 0.9}, done=True, note="fine")
    assert context.metrics == {"loss": 0.25, "epoch": 1, "top 5": 0.9, "done": True, "note": "fine"}


def test_scalars_of_numpy_are_plain_numbers(context: StepContext) -> None:
    context.log_metrics(a=np.float32(0.5), b=np.int64(3), c=np.array([7]), d=np.bool_(True))
    assert context.metrics == {"a": 0.5, "b": 3, "c": 7, "d": True}
    assert {type(value) for value in context.metrics.values()} == {float, int, bool}


@pytest.mark.parametrize("value", [[1], None, {"a": 1}, object()])
def test_what_is_no_metric(context: StepContext, value: object) -> None:
    with pytest.raises(TypeError, match="metric 'loss' is a "):
        context.log_metrics(loss=value)


def test_the_scratch_folder_is_made_when_asked_for_and_removed_at_the_end(context: StepContext) -> None:
    folder = context.folder
    (folder / "file").write_text("x")
    assert context.folder == folder
    context.close()
    assert not folder.exists()


def test_nothing_to_remove_when_nobody_asked(context: StepContext) -> None:
    context.close()
    assert context.metrics == {}


def test_it_says_what_it_is() -> None:
    assert repr(StepContext("r1", "fit", 2)) == "StepContext(run_id='r1', step='fit', attempt=2)"
