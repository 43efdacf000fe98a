"""Runs on a real cluster, carried by their controllers: followed, left alone, killed, cancelled, resumed."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
import urllib.request
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kube import Kube, until

from runner.artifact_store.ledger import Ledger
from runner.artifact_store.stores import open_store
from runner.cli.main import main
from runner.engine.prepare import Prepared, Request, deployment_of, prepare, with_images
from runner.engine.run import resume, start
from runner.engine.stack import OpenStack
from runner.errors import EngineError
from runner.orchestrators.base import Submission
from runner.orchestrators.cluster_api import Cluster
from runner.orchestrators.container import ATTEMPT, MARK, STEP, mark_of
from runner.orchestrators.flavors.kubernetes import starting, watching
from runner.project import find_project
from runner.records import Event, LogLines, Run, fold

pytestmark = [pytest.mark.engine("kubernetes"), pytest.mark.engine("docker"), pytest.mark.engine("registry")]

SECRETS = {"STORE_ID": "an-id", "STORE_KEY": "a-key"}
STACK = """
kind: stack
name: cluster
orchestrator:
  flavor: kubernetes
  kubernetes_context: {context}
  kubernetes_namespace: {namespace}
  controller_image: "{image}"
artifact_store: {store}
secret_store: {{flavor: kubernetes, secret: login}}
"""
PIPELINE = """
kind: pipeline
name: p
stack: cluster
settings: {{image: {{image: "{image}"}}, kubernetes: {{pod: {{terminationGracePeriodSeconds: 8}}}}}}
steps:
{steps}
"""
WORK = """
import os, socket, time, urllib.request

def say(text, times=1, pause=0.5, x=None, proof=None):
    if proof:
        prove(f"{proof}/{text}/{socket.gethostname()}/{time.time_ns()}")
    for number in range(times):
        print(text, number, flush=True)
        time.sleep(pause)
    if proof:
        prove(f"{proof}/{text}/{socket.gethostname()}/ended")
    return text

def prove(url):
    urllib.request.urlopen(urllib.request.Request(url, method="PUT", data=b"it ran"))

def last(x):
    print("mended")
    return x
"""
QUICK = '{entrypoint: "work:say", cache: false, parameters: {text: quick}}'
SLOW = '{entrypoint: "work:say", cache: false, parameters: {text: slow, times: 600}}'
LAST = '{entrypoint: "work:last", cache: false, inputs: {x: quick}}'


class Project:
    """A project whose stack is the cluster."""

    def __init__(self, root: Path, cluster: Cluster, store: dict[str, Any], image: str, context: str) -> None:
        self.root, self.cluster, self.store, self.image = root, cluster, store, image
        self.ledger = Ledger(open_store({**store, "access_key_id": "an-id", "secret_access_key": "a-key"}))
        for name, text in (("runner.toml", ""), ("work.py", WORK)):
            (root / name).write_text(text)
        self.stack = root / "cluster.yaml"
        self.context = context
        self.write_stack()

    def write_stack(self, more: str = "", **changed: str) -> None:
        fields = {"context": self.context, "namespace": self.cluster.namespace, "image": self.image} | changed
        text = STACK.format(store=str(self.store).replace("'", '"'), **fields)
        self.stack.write_text(text.replace("artifact_store:", f"{more}artifact_store:", 1))

    def prepared(self, **steps: str) -> Prepared:
        lines = "\n".join(f"  {name}: {step}" for name, step in steps.items())
        (self.root / "p.yaml").write_text(PIPELINE.format(image=self.image, steps=lines))
        request = Request(self.root / "p.yaml", stack=str(self.stack))
        return with_images(prepare(find_project(self.root), request, to_run=True), lambda progress: None)

    def objects(self, plural: str, run_id: str, *more: str) -> list[dict[str, Any]]:
        """Of one run, in the cluster."""
        return self.cluster.list(plural, ",".join([f"{MARK}={mark_of(run_id, self.store)}", *more]))[0]

    def controllers(self, run_id: str) -> list[dict[str, Any]]:
        return self.objects("pods", run_id, f"!{STEP}")


@pytest.fixture
def project(
    tmp_path: Path,
    kube: Kube,
    kubeconfig: str,
    in_cluster: Cluster,
    kube_s3_settings: dict[str, Any],
    controller_image: str,
    monkeypatch: pytest.MonkeyPatch,
) -> Project:
    if in_cluster.get("secrets", "login") is None:
        in_cluster.create("secrets", {"metadata": {"name": "login"}, "stringData": SECRETS})
    for name, value in SECRETS.items():
        monkeypatch.setenv(f"RUNNER_SECRET_{name}", value)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.delenv("RUNNER_STACK", raising=False)
    return Project(tmp_path, in_cluster, kube_s3_settings, controller_image, kube.context)


class Following(threading.Thread):
    """A run that is followed beside the test."""

    def __init__(self, happens: Iterator[Event | LogLines]) -> None:
        super().__init__(daemon=True)
        self.happens, self.heard = happens, list[Event | LogLines]()
        self.error: BaseException | None = None
        self.start()

    def run(self) -> None:
        try:
            for item in self.happens:
                self.heard.append(item)
        except BaseException as error:
            self.error = error

    def words(self) -> list[str]:
        """What was heard: events as words, lines as the step's name before their first."""
        return [
            f"{item.event} {item.step or ''}".strip() if isinstance(item, Event) else f"{item.step}: {item.text}"
            for item in list(self.heard)
        ]

    def until(self, word: str) -> None:
        until(lambda: self.error or any(each.startswith(word) for each in self.words()))
        assert self.error is None, self.error

    def ended(self) -> Run:
        self.join(180)
        assert not self.is_alive() and self.error is None, (self.words(), self.error)
        return fold(item for item in self.heard if isinstance(item, Event))


def watched(project: Project, prepared: Prepared, run_id: str) -> Following:
    """The same run, followed by somebody else."""
    submission = Submission(run_id, "kubernetes", project.ledger.submission(run_id))
    stack = OpenStack(project.ledger, project.root)
    return Following(prepared.stack.orchestrator.watch(submission, stack))


def test_a_run_is_followed_and_told_again(project: Project) -> None:
    prepared = project.prepared(
        quick=QUICK, slow='{entrypoint: "work:say", cache: false, parameters: {text: slow, times: 12}}', last=LAST
    )
    following = Following(start(prepared, "twice"))
    following.until("slow: slow 1")
    words = following.words()
    assert words[0] == "run_started" and "step_succeeded slow" not in words  # live
    # Sent again, it is the same run.
    deployment = deployment_of(prepared, "twice")
    orchestrator = prepared.stack.orchestrator
    again = orchestrator.submit(orchestrator.compile(deployment), OpenStack(project.ledger, project.root))
    assert again.handle == project.ledger.submission("twice")
    run = following.ended()
    words = following.words()
    assert run.status == "succeeded" and words[-1] == "run_succeeded"
    assert len(project.objects("jobs", "twice")) == 1 and len(project.controllers("twice")) == 1
    assert "".join(item.text for item in following.heard if isinstance(item, LogLines) and item.step == "slow") == (
        "".join(f"slow {number}\n" for number in range(12))
    )
    assert max(number for number, word in enumerate(words) if word.startswith("slow: ")) < words.index(
        "step_succeeded slow"
    )
    later = watched(project, prepared, "twice")
    assert later.ended() == run
    assert sorted(later.words()[1:]) == sorted(after_lines(words)[1:])


def after_lines(words: list[str]) -> list[str]:
    """The same, all lines of a step in one."""
    found: dict[str, str] = {}
    rest = []
    for word in words:
        name, colon, text = word.partition(": ")
        if colon:
            found[name] = found.get(name, "") + text
        else:
            rest.append(word)
    return rest + [f"{name}: {text}" for name, text in found.items()]


def test_a_controller_that_is_killed_is_followed_by_another(project: Project) -> None:
    proof = f"{project.store['endpoint_url']}/bucket/{uuid.uuid4().hex}"  # where each start and each end is an object
    steps = {name: proven(name, times, proof, needs) for name, (times, needs) in KILLED.items()}
    prepared = project.prepared(**steps)
    following = Following(start(prepared, "killed"))
    following.until("step_succeeded quick")
    for word in ("slow: slow 1", "brief: brief 1"):
        following.until(word)
    (first,) = project.controllers("killed")
    project.cluster.delete("pods", first["metadata"]["name"], grace=0)
    run = following.ended()
    assert run.status == "succeeded", run
    assert {name: step.attempt for name, step in run.steps.items()} == dict.fromkeys(steps, 1)
    told = [word for word in following.words() if word.startswith("step_")]
    assert sorted(told) == sorted({f"step_{what} {name}" for what in ("started", "succeeded") for name in steps})
    pods = {each["metadata"]["name"]: each["metadata"]["labels"] for each in project.objects("pods", "killed", STEP)}
    assert {labels[ATTEMPT] for labels in pods.values()} == {"1"}  # no step was started twice
    starts, ends = proofs(proof)
    assert starts == ends and set(starts) == set(steps)
    assert {len(where) for where in starts.values()} == {1}
    # A pod that was about to end may be gone: whoever takes over has no use for it when its result is there.
    assert set(pods) <= {pod for where in starts.values() for pod in where}
    assert project.ledger.log("killed", "slow", 1) == "".join(f"slow {number}\n" for number in range(40))
    names = {each["metadata"]["name"] for each in project.controllers("killed")}
    assert names and first["metadata"]["name"] not in names


# The controller is killed while `slow` and `brief` run; `brief` ends when there may be none.
KILLED = {"quick": (1, ""), "slow": (40, "quick"), "brief": (6, "quick"), "after": (1, "brief"), "last": (1, "slow")}


def proven(name: str, times: int, proof: str, needs: str) -> str:
    """A step that leaves proof of having run."""
    inputs = f"inputs: {{x: {needs}}}, " if needs else ""
    parameters = f'{{text: {name}, times: {times}, proof: "{proof}"}}'
    return f'{{entrypoint: "work:say", cache: false, {inputs}parameters: {parameters}}}'


def proofs(url: str) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """Step → the pods that it started in, and those that it came to its end in, each as often as it did."""
    endpoint, bucket, prefix = url.rsplit("/", 2)
    listed = urllib.request.urlopen(f"{endpoint}/{bucket}?list-type=2&prefix={prefix}").read().decode()
    starts, ends = dict[str, list[str]](), dict[str, list[str]]()
    for step, pod, what in (key.split("/") for key in re.findall(rf"<Key>{prefix}/([^<]+)</Key>", listed)):
        (ends if what == "ended" else starts).setdefault(step, []).append(pod)
    return starts, ends


def test_a_controller_watches_and_does_not_poll(project: Project) -> None:
    chain = {f"s{number}": proven(f"s{number}", 3, "", f"s{number - 1}" if number else "") for number in range(5)}
    run = Following(start(project.prepared(**chain), "asked")).ended()
    assert run.status == "succeeded"
    (controller,) = project.controllers("asked")
    printed = project.cluster.log(controller["metadata"]["name"]).read().decode().splitlines()
    (took,) = [line for line in printed if line.startswith("controller: ")]
    found = re.fullmatch(r"controller: peak memory (\d+) MB; requests: (.*)", took)
    assert found is not None and 10 < int(found[1]) < 150, took
    assert found[2] == "create pods 5, list pods 1, watch pods 1"  # and nothing that grows with time


def test_left_alone_looked_at_and_cancelled_from_another_folder(
    project: Project, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, capfd: Any
) -> None:
    list(start(project.prepared(slow=SLOW, last=LAST.replace("quick", "slow")), "alone", follow=False))
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "runner.toml").touch()
    monkeypatch.chdir(elsewhere)
    stack = ["--stack", str(project.stack)]
    until(lambda: "slow 2" in said(capfd, "runs", "logs", "alone", *stack))
    assert "running" in said(capfd, "runs", "show", "alone", *stack)
    assert "run alone is cancelled" in said(capfd, "runs", "cancel", "alone", *stack)
    assert "cancelled" in said(capfd, "runs", "show", "alone", *stack)
    going = [each for each in project.objects("pods", "alone") if each["status"]["phase"] in ("Pending", "Running")]
    assert [each for each in going if STEP in each["metadata"]["labels"]] == []


def test_its_lines_are_followed_from_another_folder(project: Project, tmp_path_factory: pytest.TempPathFactory) -> None:
    steps = {name: SLOW.replace("slow", name).replace("600", "24") for name in ("left", "right")}
    list(start(project.prepared(**steps), "heard", follow=False))
    follow = [sys.executable, "-m", "runner", "runs", "logs", "-f", "heard", "--stack", str(project.stack)]
    pipes = {"text": True, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(follow, cwd=tmp_path_factory.mktemp("elsewhere"), **pipes) as logs:
        first = [logs.stdout.readline() for _ in range(4)]
        going = fold(project.ledger.events("heard") or ()).status
        rest, notes = logs.communicate(timeout=180)
    told = "".join([*first, rest]).splitlines()
    assert going == "running" and notes == "run heard: succeeded\n"
    for name in steps:
        lines = [line.partition("| ")[2] for line in told if line.startswith(f"{name} ")]
        assert lines == [f"{name} {number}" for number in range(24)]
    assert len(told) == 48


def test_where_the_cluster_is_not_known_its_lines_come_from_the_artifact_store(
    project: Project, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, capfd: Any
) -> None:
    list(start(project.prepared(slow=SLOW.replace("600", "12")), "unheard", follow=False))
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "kubeconfig").write_text("{apiVersion: v1, kind: Config, contexts: [], clusters: [], users: []}")
    monkeypatch.chdir(elsewhere)
    monkeypatch.setattr("kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(elsewhere / "kubeconfig"))
    main(["runs", "logs", "-f", "unheard", "--step", "slow", "--stack", str(project.stack)])
    told, notes = capfd.readouterr()
    assert told == "".join(f"slow {number}\n" for number in range(12))
    note, end = notes.splitlines()
    assert note.startswith("note: its engine cannot be followed from here: ") and end == "run unheard: succeeded"


def said(capfd: Any, *command: str) -> str:
    main(list(command))
    return str(capfd.readouterr().out)


def test_what_nobody_carries_on_is_cancelled_and_leaves_nothing(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared = project.prepared(slow=SLOW)
    following = Following(start(prepared, "gone"))
    following.until("slow: slow 1")
    submission = Submission("gone", "kubernetes")  # nobody kept the handle
    monkeypatch.setattr(watching, "LAST_WORD", 2.0)
    prepared.stack.orchestrator.cancel(submission, OpenStack(project.ledger, project.root))
    assert project.objects("pods", "gone") == project.objects("jobs", "gone") == []
    following.join(180)
    assert isinstance(following.error, EngineError) and "nobody carries run 'gone' on" in following.error.message


def test_a_run_that_failed_goes_on_where_it_failed(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    (project.root / "work.py").write_text(WORK.replace('print("mended")', 'raise ValueError("not yet")'))
    monkeypatch.chdir(project.root)
    failed = Following(start(project.prepared(quick=QUICK, last=LAST), "again"))
    assert failed.ended().status == "failed" and "not yet" in "".join(failed.words())
    (job,) = project.objects("jobs", "again")
    (project.root / "work.py").write_text(WORK)
    resumed = Following(resume(find_project(project.root), "again"))
    run = resumed.ended()
    assert run.status == "succeeded" and run.steps["last"].attempt == 2
    assert "last: mended\n" in resumed.words() and "step_started quick" not in resumed.words()
    (other,) = project.objects("jobs", "again")
    assert other["metadata"]["uid"] != job["metadata"]["uid"]


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"image": "127.0.0.1:5000/runner-test/no-such-image:1"}, "its image '127.0.0.1:5000/runner-test/no-such"),
        ({"more": "  service_account_name: nobody\n"}, "error looking up service account"),
    ],
    ids=["image", "account"],
)
def test_a_controller_that_cannot_start_is_told(
    project: Project, changed: dict[str, str], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(starting, "PATIENCE", 3.0)
    project.write_stack(**changed)
    following = Following(start(project.prepared(quick=QUICK), "never"))
    following.join(180)
    assert isinstance(following.error, EngineError), following.words()
    assert (
        following.error.message.startswith("the run's controller cannot start: ") and words in following.error.message
    )
    assert following.error.help is not None and "runner runs cancel" in following.error.help


def test_controllers_that_end_before_they_begin_are_told_in_their_words(project: Project) -> None:
    project.cluster.create("secrets", {"metadata": {"name": "half"}, "stringData": {"STORE_ID": "an-id"}})
    project.stack.write_text(project.stack.read_text().replace("secret: login", "secret: half"))
    prepared = project.prepared(quick=QUICK)
    with pytest.raises(EngineError, match=r"cannot carry it on: secret 'STORE_KEY' is not set") as raised:
        list(start(prepared, "half"))
    assert "the Job tries again until `runner runs cancel half`" in str(raised.value.help)
    prepared.stack.orchestrator.cancel(Submission("half", "kubernetes"), OpenStack(project.ledger, project.root))
