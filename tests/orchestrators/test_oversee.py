"""A run that its engine walks: what its steps leave, and what only the engine knows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from runner.errors import EngineError
from runner.orchestrators import oversee as module
from runner.orchestrators.base import Seen, Silent, StepSeen
from runner.orchestrators.oversee import oversee, what_is_left
from runner.records import Artifact, Event, LogLines, fold

from .test_follow import RETRY, A, B, Engine


class Walked(Engine):
    """An engine that walks the run itself: each look gives what it says next, and the last thing ever after."""

    said: tuple[Seen | Exception, ...] = (Seen("running"),)
    stopped = 0

    def look(self) -> Seen:
        now, *rest = self.said
        self.said = tuple(rest) or self.said
        if isinstance(now, Exception):
            raise now
        return now

    def stop(self) -> None:
        self.stopped += 1

    def told(self, *said: Any, known: dict[str, int] | None = None, **options: Any) -> list[str]:
        self.said = said or self.said
        happened = list(
            oversee(self.deployment, self.stack, self.look, self.stop, known=known or {}, tick=0.01, **options)
        )
        self.events = [item for item in happened if isinstance(item, Event)]
        self.lines = [item.text for item in happened if isinstance(item, LogLines)]
        return [f"{event.event} {event.step or ''}".strip() for event in self.events]

    def error(self, step: str) -> dict[str, Any]:
        return next(event.data["error"] for event in self.events if event.event == "step_failed" and event.step == step)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOK", 0.0)


def failed(step: str, words: str) -> Seen:
    return Seen("running", "", {step: StepSeen("failed", words)})


def test_steps_tell_of_themselves(tmp_path: Path) -> None:
    engine = Walked(tmp_path, A, B)
    engine.succeed("a")
    engine.succeed("b")
    assert engine.told()[-3:] == ["step_started b", "step_succeeded b", "run_succeeded"]


def test_a_step_that_never_began_has_failed_when_the_engine_says_so(tmp_path: Path) -> None:
    engine = Walked(tmp_path, A, B)
    told = engine.told(failed("a", "ImagePullBackOff: Back-off pulling image 'x'"))
    assert told == ["run_started", "step_failed a", "step_skipped b", "run_failed"]
    assert engine.error("a")["reason"] == "image" and "pulling image 'x'" in engine.error("a")["message"]


def test_what_the_engine_said_of_a_step_is_in_the_ledger_afterwards(tmp_path: Path) -> None:
    engine = Walked(tmp_path, A)
    engine.told(failed("a", "no such thing"))
    result = engine.ledger.result("r1", "a", 1)
    assert result is not None and result.error is not None and result.error.message.endswith(": no such thing")


def test_memory_that_ran_out_is_told_with_the_limit(tmp_path: Path) -> None:
    engine = Walked(tmp_path, A._replace(resources={"memory": 2 * 10**9}))
    engine.begin("a")
    engine.told(failed("a", "OOMKilled (exit code 137)"))
    assert engine.error("a")["reason"] == "out-of-memory"
    assert engine.error("a")["message"].startswith("it took more than its memory of 2GB")


@pytest.mark.parametrize(
    ("words", "reason", "told"),
    [
        (
            "Error (exit code 74)",
            "store",
            "has the step the login that it needs? (Error (exit code 74)); what it printed: show a",
        ),
        (
            "Error (exit code 1)",
            "lost",
            "Error (exit code 1); has its image `python` and `runner`?; what it printed: show a",
        ),
    ],
)
def test_a_step_that_could_not_even_begin_says_where_to_look(
    tmp_path: Path, words: str, reason: str, told: str
) -> None:
    engine = Walked(tmp_path, A)
    engine.told(failed("a", words), look_closer=lambda step: f"show {step}")
    assert engine.error("a")["reason"] == reason and engine.error("a")["message"].endswith(told)


def test_memory_that_ran_out_in_a_step_that_could_say_so_has_its_limit_too(tmp_path: Path) -> None:
    engine = Walked(tmp_path, A._replace(resources={"memory": 2 * 10**9}))
    engine.fail("a", reason="out-of-memory")
    engine.told()
    assert engine.error("a")["message"] == "it took more than its memory of 2GB, and the kernel killed it"


def test_a_step_that_ran_as_its_run_was_deleted_says_so(tmp_path: Path) -> None:
    engine = Walked(tmp_path, A)
    engine.begin("a")
    engine.told(Seen("running"), Seen("failed", "there is no such run any more: it was deleted"))
    assert engine.error("a")["reason"] == "deleted" and engine.error("a")["message"].endswith("it was deleted")


def test_an_engine_that_says_nothing_of_why_is_said_to(tmp_path: Path) -> None:
    engine = Walked(tmp_path, A)
    engine.told(Seen("failed"))
    assert engine.events[-1].data["reason"] == "step 'a' was not run; its engine says that it has failed, and not why"


def test_what_a_step_left_itself_goes_before_what_the_engine_says(tmp_path: Path) -> None:
    engine = Walked(tmp_path, A)
    engine.fail("a")
    engine.told(failed("a", "Error (exit code 1)"))
    assert engine.error("a")["type"] == "ValueError"


def test_a_retry_that_the_engine_does_not_make_ends_the_step(tmp_path: Path) -> None:
    engine = Walked(tmp_path, A._replace(retry=RETRY))
    engine.fail("a")
    assert engine.told(failed("a", "no more retries"))[-3:] == ["step_retrying a", "step_failed a", "run_failed"]
    assert engine.error("a")["message"] == "no"


def test_what_a_step_waits_for_is_told_once(tmp_path: Path) -> None:
    engine = Walked(tmp_path, A)
    waits = Seen("running", "", {"a": StepSeen("pending", "0/3 nodes are available")})
    told = engine.told(waits, waits, failed("a", "x"))
    assert told.count("step_waiting a") == 1
    assert engine.events[1].data == {"reason": "0/3 nodes are available"}


def test_a_run_that_ended_elsewhere_says_why(tmp_path: Path) -> None:
    engine = Walked(tmp_path, A, B)
    told = engine.told(Seen("failed", "somebody deleted it"))
    assert told[-1] == "run_failed"
    assert engine.events[-1].data["reason"] == "step 'a' was not run; somebody deleted it"


def test_a_run_that_was_stopped_in_the_engine_is_cancelled(tmp_path: Path) -> None:
    engine = Walked(tmp_path, A, B)
    engine.begin("a")
    told = engine.told(Seen("running"), Seen("cancelled"))
    assert told[-3:] == ["step_cancelled a", "step_skipped b", "run_cancelled"]


def test_a_request_to_cancel_is_handed_on_once(tmp_path: Path) -> None:
    engine = Walked(tmp_path, A)
    engine.begin("a")
    engine.ledger.request_cancel("r1")
    assert engine.told(Seen("running"), Seen("running"), Seen("cancelled"))[-1] == "run_cancelled"
    assert engine.stopped == 1


def test_what_the_engine_would_try_again_in_vain_is_stopped(tmp_path: Path) -> None:
    engine = Walked(tmp_path, A._replace(retry=RETRY))
    engine.fail("a", reason="secret")
    assert engine.told()[-1] == "run_failed" and engine.stopped == 1


def test_an_engine_that_has_succeeded_without_a_trace_is_not_believed(tmp_path: Path) -> None:
    engine = Walked(tmp_path, A)
    assert engine.told(Seen("succeeded"))[-1] == "run_failed"
    assert "its artifact store has nothing" in engine.events[-1].data["reason"]


def test_silence_is_borne_for_a_while(tmp_path: Path) -> None:
    engine = Walked(tmp_path, A)
    engine.succeed("a")
    assert engine.told(Silent("no answer"), Seen("running"))[-1] == "run_succeeded"


def test_silence_is_told_once_each_time(tmp_path: Path) -> None:
    engine, no, yes = Walked(tmp_path, A), Silent("no answer"), Seen("running")
    told = engine.told(no, no, yes, no, failed("a", "x"))
    assert told == ["run_started", "run_waiting", "run_waiting", "step_failed a", "run_failed"]
    assert engine.events[1].data == {"reason": "no answer; it is asked again, for 5 minutes"}


def test_silence_that_lasts_is_an_error_and_the_run_may_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "DEAF", 0.0)
    with pytest.raises(EngineError, match="no answer") as caught:
        Walked(tmp_path, A).told(Silent("no answer"))
    assert "runs logs -f" in (caught.value.help or "")


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("ErrImagePull", "image"),
        ("Unschedulable: 0/1 nodes are available", "unschedulable"),
        ("The following quotas are exceeded: RESOURCE_EXHAUSTED", "quota"),
        ("The node was low on resource: memory", "evicted"),
        ("pod deleted", "deleted"),
        ("", "lost"),
    ],
)
def test_free_text_is_understood(tmp_path: Path, words: str, reason: str) -> None:
    engine = Walked(tmp_path, A)
    engine.told(failed("a", words))
    assert engine.error("a")["reason"] == reason


def artifact(name: str) -> Artifact:
    return Artifact(f"artifacts/{name}", "json", 1, name)


def test_of_a_resumed_run_only_what_is_left_is_asked_for(tmp_path: Path) -> None:
    made = Engine(tmp_path, A, B).deployment
    left = what_is_left(made, {"a": {"output": artifact("x")}})
    assert (list(left.steps), left.provided) == (["b"], {"a": {"output": artifact("x")}})
    assert what_is_left(made, None) is made


def test_failures_of_before_are_old_news_when_resumed(tmp_path: Path) -> None:
    engine = Walked(tmp_path, A)
    engine.fail("a", 1)
    engine.stack = engine.stack._replace(done={})
    engine.succeed("a", 2)
    assert engine.told(known={"a": 1})[1:] == ["step_started a", "step_succeeded a", "run_succeeded"]
    assert fold(engine.events).steps["a"].attempt == 2
