"""The vertex flavor as a whole: what it refuses, what it hands over, and what it hears of a run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from vertex_server import Fault, VertexServer

from runner.artifact_store.ledger import Ledger
from runner.artifact_store.stores import open_store
from runner.engine.stack import OpenStack
from runner.orchestrators.base import Seen, Silent, StepSeen, Submission
from runner.orchestrators.flavors.vertex import service
from runner.orchestrators.flavors.vertex.orchestrator import VertexOrchestrator
from runner.orchestrators.flavors.vertex.settings import VertexSettings
from runner.orchestrators.kfp.names import task_names
from runner.plan.deployment import DeployedStep, Deployment, digest_of
from runner.records import Artifact, Event, StepResult

SETTINGS = VertexSettings(project="my-project-123", location="europe-west4")
GCS = {"flavor": "gcs", "path": "gs://b/p"}
SECRET = DeployedStep("a", "s:f", environment={"A": "${secrets.B}"})
MADE = Artifact("file:///x", "json", "int", 1, "d")


def beside(*steps: DeployedStep, settings: VertexSettings = SETTINGS, **components: Any) -> list[tuple[str, str]]:
    found = VertexOrchestrator(settings).beside(steps, {"artifact_store": GCS, **components})
    return [(".".join(refusal.path), refusal.code) for refusal in found]


class Bench:
    """A run of two steps, its stack, and a service in which nothing happens by itself."""

    def __init__(self, server: VertexServer, folder: Path) -> None:
        self.server, self.store = server, {"flavor": "local", "path": str(folder / "store")}
        server.runs_containers = False
        self.stack = OpenStack(Ledger(open_store(self.store)), folder)
        steps = {name: DeployedStep(name, "m:f", container={"image": "i"}) for name in ("a_b", "a-b")}
        self.run = Deployment("r1", "a-b", "s", "vertex", steps, self.store, str(folder))
        self.stack.ledger.write_deployment(self.run)
        place = {"project": "my-project-123", "location": "europe-west4", "pipeline_root": "gs://bucket/v"}
        self.orchestrator = VertexOrchestrator(VertexSettings(**place, endpoint_url=server.url))

    def submit(self, done: dict[str, dict[str, Artifact]] | None = None) -> Submission:
        stack = self.stack._replace(done=done)
        return self.orchestrator.submit(self.orchestrator.compile(self.run), stack)

    def tell(self, state: str, **tasks: str) -> None:
        """Let the last job be in a state, and its tasks (`_` for `-`) in theirs."""
        job = list(self.server.jobs.values())[-1]
        job.state = f"PIPELINE_STATE_{state}"
        document = job.pipeline_spec["root"]["dag"]["tasks"]
        names = {about["taskInfo"]["name"]: task for task, about in document.items()}
        details = [
            {"task_id": 2, "parent_task_id": 1, "task_name": names[name], "state": tasks[name]} for name in tasks
        ]
        job.job_detail = {"task_details": [{"task_id": 1, "task_name": "a-b", "state": "RUNNING"}, *details]}


@pytest.fixture
def bench(vertex_service: VertexServer, tmp_path: Path) -> Bench:
    return Bench(vertex_service, tmp_path)


def test_secrets_come_from_where_googles_machines_reach_them() -> None:
    assert beside(SECRET, secret_store={"flavor": "gcp", "project": "p"}) == []
    assert beside(SECRET) == [("steps.a.environment.A", "unreachable-secret")]
    assert beside(secret_store={"flavor": "kubernetes", "secret": "s"}) == [
        ("secret_store.flavor", "unreachable-secret")
    ]


def test_vertex_needs_a_place_for_its_own_records() -> None:
    s3 = {"flavor": "s3", "path": "s3://b/p"}
    assert beside(artifact_store=s3) == [("orchestrator.pipeline_root", "missing-key")]
    rooted = SETTINGS.model_copy(update={"pipeline_root": "gs://b/r"})
    assert beside(artifact_store=s3, settings=rooted) == []


def test_a_misspelt_region_is_refused_where_it_stands() -> None:
    misspelt = SETTINGS.model_copy(update={"location": "europe-wset4"})
    assert beside(settings=misspelt) == [("orchestrator.location", "unknown-region")]
    assert beside(settings=SETTINGS.model_copy(update={"location": "europe-north9"})) == []


def test_machines_and_retries_are_refused_together() -> None:
    retry = {"max_retries": 3, "delay": 3600.0, "backoff": 1.0, "max_delay": 3600.0}
    step = DeployedStep("a", "m:f", resources={"cpu_count": 97}, retry=retry)
    assert [each.path[-1] for each in VertexOrchestrator(SETTINGS).refusals([step], "/")] == [
        "max_retries",
        "cpu_count",
    ]


def test_what_is_sent_is_what_is_compiled(bench: Bench) -> None:
    bench.submit()
    (job,) = bench.server.jobs.values()
    assert (job.display_name, job.labels["runner_run_id"]) == ("a-b", "r1")
    assert job.runtime_config.gcs_output_directory == "gs://bucket/v"
    assert job.runtime_config.parameter_values["run_id"] == "r1"
    assert set(job.pipeline_spec["root"]["dag"]["tasks"]) == set(task_names(["a_b", "a-b"]).values())


def test_a_blueprint_is_there_before_the_job(bench: Bench) -> None:
    bench.server.fail("CreatePipelineJob", Fault("INVALID_ARGUMENT"))
    with pytest.raises(Exception, match="does not take this"):
        bench.submit()
    assert bench.stack.ledger.blueprint(digest_of(bench.run)) is not None


def test_a_handle_can_be_stored_and_leads_to_a_page(bench: Bench) -> None:
    submission = bench.submit()
    assert json.loads(json.dumps(submission.handle)) == {"job": next(iter(bench.server.jobs))}
    url = bench.orchestrator.url(submission)
    assert url is not None and url.endswith("?project=my-project-123") and "/locations/europe-west4/" in url
    assert bench.orchestrator.url(Submission("r1", "vertex")) is None


def test_a_run_that_is_gone_on_with_has_what_is_left_of_it(bench: Bench) -> None:
    bench.submit()
    bench.tell("FAILED")
    result = StepResult("r1", "a-b", 4, "failed", 1.0, 2.0)
    bench.stack.ledger.write_result(result)
    submission = bench.submit(done={"a_b": {"output": MADE}})
    assert submission.handle["known"] == {"a-b": 4}
    (task,) = bench.server.jobs[submission.handle["job"]].pipeline_spec["root"]["dag"]["tasks"].values()
    assert task["taskInfo"]["name"] == "a-b"


def test_where_nothing_is_left_nothing_is_sent(bench: Bench) -> None:
    done = {name: {"output": MADE} for name in bench.run.steps}
    submission = bench.submit(done=done)
    assert (submission.handle["job"], bench.server.jobs) == ("", {})
    assert bench.orchestrator.url(submission) is None
    watched = bench.orchestrator.watch(submission, bench.stack._replace(done=done))
    events = [each.event for each in watched if isinstance(each, Event)]
    assert events[-1] == "run_succeeded"


def test_the_engines_word_is_about_steps_by_their_own_names(bench: Bench) -> None:
    submission = bench.submit()
    bench.tell("RUNNING", **{"a_b": "SUCCEEDED", "a-b": "PENDING"})
    steps = {"a_b": StepSeen("succeeded"), "a-b": StepSeen("pending")}
    assert bench.orchestrator.seen(submission, bench.stack) == Seen("running", "", steps)


def test_a_name_that_only_one_of_what_is_left_has_is_understood(bench: Bench) -> None:
    bench.submit()
    bench.tell("FAILED")
    submission = bench.submit(done={"a-b": {"output": MADE}})
    bench.tell("RUNNING", a_b="RUNNING")
    assert bench.orchestrator.seen(submission, bench.stack).steps == {"a_b": StepSeen("running")}


def test_a_job_that_is_gone_has_failed(bench: Bench) -> None:
    submission = bench.submit()
    bench.server.jobs.clear()
    found = bench.orchestrator.seen(submission, bench.stack)
    assert found.status == "failed" and "any more: was it deleted?" in found.message


def test_where_nobody_kept_the_handle_the_last_job_counts(bench: Bench) -> None:
    lost = Submission("r1", "vertex")
    assert bench.orchestrator.seen(lost, bench.stack).message.startswith("Vertex AI has no job of the run 'r1'")
    bench.submit()
    bench.tell("FAILED")
    bench.submit(done={})
    assert bench.orchestrator.seen(lost, bench.stack).status == "running"
    bench.orchestrator.cancel(lost, bench.stack)
    states = [job.state.name for job in bench.server.jobs.values()]
    assert states == ["PIPELINE_STATE_FAILED", "PIPELINE_STATE_CANCELLING"]


def test_cancel_leaves_alone_what_is_over(bench: Bench) -> None:
    submission = bench.submit()
    bench.tell("SUCCEEDED")
    bench.orchestrator.cancel(submission, bench.stack)
    bench.server.jobs.clear()
    bench.orchestrator.cancel(submission, bench.stack)


def test_a_service_that_says_nothing_this_time_is_silent(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "FIRST", 100.0)
    submission = bench.submit()
    bench.server.fail("GetPipelineJob", Fault("UNAVAILABLE"))
    with pytest.raises(Silent):
        bench.orchestrator.seen(submission, bench.stack)


def test_a_watch_tells_what_vertex_alone_knows(bench: Bench) -> None:
    submission = bench.submit()
    bench.tell("FAILED", a_b="FAILED")
    (job,) = bench.server.jobs.values()
    job.job_detail.task_details[1].error = {"message": "CustomJob failed: cannot pull the container image i"}
    events = [each for each in bench.orchestrator.watch(submission, bench.stack) if isinstance(each, Event)]
    (failed,) = [each for each in events if each.event == "step_failed"]
    assert (failed.step, failed.data["error"]["reason"]) == ("a_b", "image")
    assert events[-1].event == "run_failed"


def test_a_request_to_cancel_reaches_vertex(bench: Bench) -> None:
    submission = bench.submit()
    bench.stack.ledger.request_cancel("r1")
    events = [each for each in bench.orchestrator.watch(submission, bench.stack) if isinstance(each, Event)]
    (job,) = bench.server.jobs.values()
    assert job.state.name == "PIPELINE_STATE_CANCELLING"
    assert events[-1].event == "run_cancelled"


def test_it_can_run() -> None:
    assert VertexOrchestrator.available and VertexOrchestrator.detaches and VertexOrchestrator.compiles
