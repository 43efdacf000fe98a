"""The double of Kubeflow Pipelines, through the vendor's own client: what it takes and refuses, and how runs go."""

from __future__ import annotations

import json
import os
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any

import kfp_server_api as api
import pytest
from kubeflow_service import KubeflowService

from runner.docker_engine import address, ask

Make = Callable[..., Any]
NUMBER = {"n": {"parameterType": "NUMBER_INTEGER", "defaultValue": 1}}


def document(*tasks: str, image: str = "python", command: str = "pass", **more: Any) -> dict[str, Any]:
    """A pipeline whose tasks follow each other; `more` stands in the container of each."""
    container = {"image": image, "command": ["python", "-c", command], **more}
    chain = zip(tasks, [[], *([task] for task in tasks)], strict=False)
    return {
        "pipelineInfo": {"name": "p"},
        "schemaVersion": "2.1.0",
        "root": {
            "dag": {
                "tasks": {task: {"componentRef": {"name": "c"}, "dependentTasks": before} for task, before in chain}
            },
            "inputDefinitions": {"parameters": NUMBER},
        },
        "components": {"c": {"executorLabel": "e"}},
        "deploymentSpec": {"executors": {"e": {"container": container}}},
    }


@pytest.fixture
def client(kubeflow_service: KubeflowService) -> api.ApiClient:
    return api.ApiClient(api.Configuration(host=kubeflow_service.url))


@pytest.fixture
def runs(client: api.ApiClient) -> api.RunServiceApi:
    return api.RunServiceApi(client)


@pytest.fixture
def experiments(client: api.ApiClient) -> api.ExperimentServiceApi:
    return api.ExperimentServiceApi(client)


@pytest.fixture
def held(kubeflow_service: KubeflowService, runs: api.RunServiceApi) -> Make:
    """Makes runs that stay pending: no Docker Engine is asked for anything."""
    kubeflow_service.configure(hold=True)

    def make(spec: Any = None, name: str = "r", arguments: Any = None, **more: Any) -> Any:
        config = api.V2beta1RuntimeConfig(parameters=arguments) if arguments else None
        run = api.V2beta1Run(display_name=name, pipeline_spec=spec or document("a"), runtime_config=config, **more)
        return runs.run_service_create_run(run)

    return make


@pytest.fixture
def started(kubeflow_service: KubeflowService, runs: api.RunServiceApi, tmp_path: Path, plain_image: str) -> Make:
    """Makes runs whose containers have the test's folder, at the same path, and the test's user."""
    own = {"working_dir": str(tmp_path), "user": f"{os.getuid()}:{os.getgid()}"}

    def make(*tasks: str, retry: Any = None, **given: Any) -> str:
        kubeflow_service.configure(root=str(tmp_path), docker=own)
        spec = document(*tasks, **{"image": plain_image, **given})
        if retry:
            for task in spec["root"]["dag"]["tasks"].values():
                task["retryPolicy"] = retry
        run_id: str = runs.run_service_create_run(api.V2beta1Run(display_name="r", pipeline_spec=spec)).run_id
        return run_id

    return make


def refusal(call: Callable[[], Any]) -> tuple[int, int, str]:
    """The HTTP status, and the code and message in the body, of what the double answers."""
    with pytest.raises(api.ApiException) as caught:
        call()
    body = json.loads(caught.value.body)
    return caught.value.status, body["code"], body["message"]


def states(run: dict[str, Any]) -> dict[str, str | None]:
    return {task["display_name"]: task.get("state") for task in run.get("run_details", {}).get("task_details", [])}


def test_the_double_says_that_it_is_well(client: api.ApiClient) -> None:
    assert api.HealthzServiceApi(client).healthz_service_get_healthz().multi_user is False


def test_the_double_has_an_experiment_by_default(experiments: api.ExperimentServiceApi, held: Make) -> None:
    (default,) = experiments.experiment_service_list_experiments().experiments
    assert default.display_name == "Default"
    assert held().experiment_id == default.experiment_id


def test_the_double_finds_an_experiment_by_its_name(experiments: api.ExperimentServiceApi) -> None:
    made = experiments.experiment_service_create_experiment(api.V2beta1Experiment(display_name="mine"))
    wanted = {"predicates": [{"key": "display_name", "operation": "EQUALS", "string_value": "mine"}]}
    found = experiments.experiment_service_list_experiments(filter=json.dumps(wanted))
    assert [each.experiment_id for each in found.experiments] == [made.experiment_id]
    assert experiments.experiment_service_get_experiment(made.experiment_id).display_name == "mine"


def test_the_double_takes_a_filter_as_the_sdk_spells_it(experiments: api.ExperimentServiceApi) -> None:
    wanted = {"predicates": [{"key": "name", "operation": 1, "stringValue": "Default"}]}
    assert experiments.experiment_service_list_experiments(filter=json.dumps(wanted)).total_size == 1


def test_the_double_refuses_a_name_that_is_taken(experiments: api.ExperimentServiceApi) -> None:
    taken = api.V2beta1Experiment(display_name="Default")
    status, code, message = refusal(lambda: experiments.experiment_service_create_experiment(taken))
    assert (status, code) == (409, 6)
    assert "The name Default already exists" in message


def test_the_double_knows_what_it_does_not_have(runs: api.RunServiceApi, held: Make) -> None:
    assert refusal(lambda: runs.run_service_get_run("nowhere")) == (
        404,
        5,
        "Failed to get a run: Failed to fetch run nowhere: ResourceNotFoundError: Run nowhere not found.",
    )
    assert refusal(lambda: held(experiment_id="nowhere"))[:2] == (404, 5)


def test_the_double_gives_lists_a_page_at_a_time(runs: api.RunServiceApi, held: Make) -> None:
    made = {held(name=f"r{number}").run_id for number in range(3)}
    first = runs.run_service_list_runs(page_size=2)
    second = runs.run_service_list_runs(page_size=2, page_token=first.next_page_token)
    assert (first.total_size, len(first.runs), second.next_page_token) == (3, 2, None)
    assert {run.run_id for run in [*first.runs, *second.runs]} == made


def test_the_double_sorts_and_filters_runs(runs: api.RunServiceApi, held: Make) -> None:
    for name in ("b", "c", "a"):
        held(name=name)
    found = runs.run_service_list_runs(sort_by="display_name desc").runs
    assert [run.display_name for run in found] == ["c", "b", "a"]
    wanted = {"predicates": [{"key": "name", "operation": "IN", "string_values": {"values": ["a", "b"]}}]}
    assert runs.run_service_list_runs(filter=json.dumps(wanted)).total_size == 2
    assert refusal(lambda: runs.run_service_list_runs(sort_by="colour"))[:2] == (400, 3)


def test_an_empty_list_has_no_field_for_its_things(runs: api.RunServiceApi) -> None:
    assert runs.run_service_list_runs().runs is None


def test_the_double_keeps_users_apart(kubeflow_service: KubeflowService, experiments: Any, held: Make) -> None:
    kubeflow_service.configure(multi_user=True)
    theirs = api.V2beta1Experiment(display_name="mine", namespace="team")
    made = experiments.experiment_service_create_experiment(theirs)
    assert experiments.experiment_service_list_experiments(namespace="others").experiments is None
    assert held(experiment_id=made.experiment_id).state == "PENDING"
    assert "Experiment id can not be empty in multi-user mode" in refusal(held)[2]
    assert refusal(experiments.experiment_service_list_experiments)[:2] == (400, 3)


@pytest.mark.parametrize(
    ("changed", "status", "said"),
    [
        ({"schemaVersion": "2.0.0"}, 500, "only supports schema version 2.1.0"),
        ({"colour": "red"}, 500, "unknown template format"),
        ({"pipelineInfo": {"name": "P"}}, 500, "Failed to create a workflow"),
        ({"components": {}}, 500, 'component spec for "c" not found'),
        ({"deploymentSpec": {"executors": {}}}, 500, 'executor with label "e" not found'),
    ],
)
def test_the_double_refuses_what_is_no_pipeline(held: Make, changed: Any, status: int, said: str) -> None:
    found = refusal(lambda: held({**document("a"), **changed}))
    assert found[0] == status and said in found[2]


def test_the_double_refuses_what_kubernetes_cannot_count(held: Make) -> None:
    spec = document("a", resources={"resourceMemoryLimit": "1 GB"})
    assert refusal(lambda: held(spec))[:2] == (400, 3)


def test_the_double_reads_what_is_kubernetes_own(held: Make) -> None:
    labels = {"podMetadata": {"labels": {"team": "vision"}}}
    platform = {"platforms": {"kubernetes": {"deploymentSpec": {"executors": {"e": labels}}}}}
    both = {"pipeline_spec": document("a"), "platform_spec": platform}
    assert held(both).pipeline_spec == both
    labels["podMetadata"]["colour"] = {}
    assert refusal(lambda: held(both))[0] == 500


@pytest.mark.parametrize(
    ("arguments", "said"),
    [({"m": 1}, "not required by pipeline: m"), ({"n": "1"}, "requires type double"), ({"n": True}, "type double")],
)
def test_the_double_checks_arguments(held: Make, arguments: Any, said: str) -> None:
    status, code, message = refusal(lambda: held(arguments=arguments))
    assert (status, code) == (400, 3) and said in message


def test_the_double_asks_for_an_argument_without_default(held: Make) -> None:
    spec = document("a")
    spec["root"]["inputDefinitions"]["parameters"] = {"n": {"parameterType": "STRING"}}
    assert "parameter n is not optional" in refusal(lambda: held(spec))[2]
    assert held(spec, arguments={"n": "x" * 20_000}).state == "PENDING"


def test_the_double_takes_nothing_that_is_not_of_its_types(client: api.ApiClient) -> None:
    def post(body: Any) -> Any:
        return client.call_api(
            "/apis/v2beta1/runs", "POST", body=body, header_params={"Content-Type": "application/json"}
        )

    assert 'unknown field "colour"' in refusal(lambda: post({"colour": "red"}))[2]
    assert "str field display_name" in refusal(lambda: post({"display_name": 7}))[2]
    assert refusal(lambda: post({"display_name": ""}))[0] == 500


def test_a_run_that_has_not_ended_says_so_in_gos_way(held: Make) -> None:
    run = held()
    assert (run.state, run.finished_at.year, run.run_details) == ("PENDING", 1970, None)
    assert [each.state for each in run.state_history] == ["PENDING"]


def test_a_pending_run_can_be_terminated_once(kubeflow_service: KubeflowService, runs: Any, held: Make) -> None:
    run_id = held().run_id
    runs.run_service_terminate_run(run_id)
    ended = kubeflow_service.wait(run_id)
    assert [each["state"] for each in ended["state_history"]] == ["PENDING", "CANCELING", "FAILED"]
    status, code, message = refusal(lambda: runs.run_service_terminate_run(run_id))
    assert (status, code) == (400, 3) and message.endswith("Row not found")


def test_a_run_can_be_archived_and_deleted(runs: api.RunServiceApi, held: Make) -> None:
    run_id = held().run_id
    runs.run_service_archive_run(run_id)
    assert runs.run_service_get_run(run_id).storage_state == "ARCHIVED"
    runs.run_service_delete_run(run_id)
    assert refusal(lambda: runs.run_service_get_run(run_id))[0] == 404


def test_the_double_fails_as_often_as_it_is_told(kubeflow_service: KubeflowService, runs: api.RunServiceApi) -> None:
    kubeflow_service.fail_next("GET", "/apis/v2beta1/runs", status=503, times=2)
    for _ in range(2):
        assert refusal(runs.run_service_list_runs)[:2] == (503, 14)
    assert runs.run_service_list_runs().total_size is None
    assert kubeflow_service.requests() == ["GET /apis/v2beta1/runs"] * 3


def test_an_answer_can_be_lost_of_what_was_done(kubeflow_service: KubeflowService, held: Make) -> None:
    kubeflow_service.fail_next("POST", "/apis/v2beta1/runs", cut=True, late=True)
    with pytest.raises(Exception, match=r"(?i)connection|remote"):
        held()
    assert len(kubeflow_service.runs()) == 1


def test_the_double_asks_for_a_token(kubeflow_service: KubeflowService, client: api.ApiClient, runs: Any) -> None:
    kubeflow_service.require(token="secret")
    assert refusal(runs.run_service_list_runs)[:2] == (401, 16)
    client.set_default_header("Authorization", "Bearer secret")
    assert runs.run_service_list_runs().runs is None


def test_the_double_asks_for_a_password(kubeflow_service: KubeflowService, client: api.ApiClient, runs: Any) -> None:
    kubeflow_service.require(user="me", password="secret")
    with pytest.raises(api.ApiException, match="401"):
        runs.run_service_list_runs()
    client.set_default_header("Authorization", "Basic bWU6c2VjcmV0")
    assert runs.run_service_list_runs().runs is None


def browse(opener: urllib.request.OpenerDirector, url: str, **form: str) -> tuple[str, str]:
    """Where one ends up, and the page there."""
    with opener.open(url, urllib.parse.urlencode(form).encode() if form else None) as answer:
        return answer.url, answer.read().decode()


@pytest.mark.parametrize(
    ("front", "cookie"), [("authservice", "authservice_session"), ("oauth2-proxy", "oauth2_proxy_kubeflow")]
)
def test_the_double_asks_for_dex_s_form(kubeflow_service: KubeflowService, runs: Any, front: str, cookie: str) -> None:
    kubeflow_service.require(user="me@example.com", password="secret", form=front)
    jar = CookieJar()
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))
    start = f"{kubeflow_service.url}/pipeline/apis/v2beta1/runs"
    if front == "oauth2-proxy":
        with pytest.raises(urllib.error.HTTPError, match="403"):
            browse(browser, start)
        start = f"{kubeflow_service.url}/oauth2/start?rd=/pipeline/apis/v2beta1/runs"
    form, page = browse(browser, start)
    assert urllib.parse.urlsplit(form).path == "/dex/auth/local/login" and 'name="password"' in page
    assert browse(browser, form, login="me@example.com", password="guess")[0] == form
    assert browse(browser, form, login="me@example.com", password="secret")[1] == "{}"
    assert [each.name for each in jar] == [cookie]
    runs.api_client.cookie = f"{cookie}={next(iter(jar)).value}"
    assert runs.run_service_list_runs().runs is None


@pytest.mark.engine("docker")
def test_a_run_is_carried_out_in_containers(kubeflow_service: KubeflowService, started: Make, tmp_path: Path) -> None:
    run_id = started("a", "b", command="import os; print(os.getuid(), file=open('seen', 'a'))")
    run = kubeflow_service.wait(run_id)
    assert [each["state"] for each in run["state_history"]] == ["PENDING", "RUNNING", "SUCCEEDED"]
    assert (tmp_path / "seen").read_text() == f"{os.getuid()}\n" * 2


@pytest.mark.engine("docker")
def test_tasks_stand_among_what_argo_makes_of_them(kubeflow_service: KubeflowService, started: Make) -> None:
    run = kubeflow_service.wait(started("a"))
    details = run["run_details"]["task_details"]
    assert {"root", "root-driver", "a", "a-driver", "executor"} < states(run).keys()
    assert set(states(run).values()) == {"SUCCEEDED"}
    (task,) = [each for each in details if each["display_name"] == "a"]
    assert len(task["child_tasks"]) == 1 and "error" not in task
    assert [each["task_id"] for each in details] == sorted(each["task_id"] for each in details)


@pytest.mark.engine("docker")
def test_nothing_follows_a_task_that_has_failed(kubeflow_service: KubeflowService, started: Make) -> None:
    run_id = started("a", "b", command="raise SystemExit(3)")
    run = kubeflow_service.wait(run_id)
    assert (run["state"], "error" in run) == ("FAILED", False)
    # What Argo omits has the first state of the enumeration, which JSON leaves out.
    assert (states(run)["a"], states(run)["b"]) == ("FAILED", None)
    with urllib.request.urlopen(f"{kubeflow_service.url}/apis/v1beta1/runs/{run_id}") as answer:
        workflow = json.loads(json.load(answer)["pipeline_runtime"]["workflow_manifest"])
    messages = {each["displayName"]: each["message"] for each in workflow["status"]["nodes"].values()}
    assert messages["executor"] == "Error (exit code 3)"


@pytest.mark.engine("docker")
def test_the_memory_of_a_task_is_limited(kubeflow_service: KubeflowService, started: Make) -> None:
    kubeflow_service.configure(task_errors=True)
    limit = {"resourceMemoryLimit": "32Mi"}
    run = kubeflow_service.wait(started("a", command="b'x' * 10**9", resources=limit))
    (task,) = [each for each in run["run_details"]["task_details"] if each["display_name"] == "a"]
    assert task["error"]["message"] == "OOMKilled (exit code 137)"


@pytest.mark.engine("docker")
def test_a_task_is_tried_again_by_the_engine(kubeflow_service: KubeflowService, started: Make) -> None:
    command = "import os, sys; seen = os.path.exists('seen'); open('seen', 'w'); sys.exit(not seen)"
    run = kubeflow_service.wait(started("a", command=command, retry={"maxRetryCount": 2, "backoffFactor": 1.0}))
    found = states(run)
    assert (run["state"], found["a"], found["executor"]) == ("SUCCEEDED",) * 3
    assert (found["executor(0)"], found["executor(1)"]) == ("FAILED", "SUCCEEDED")


@pytest.mark.engine("docker")
def test_an_image_that_is_not_there_is_waited_for(kubeflow_service: KubeflowService, runs: Any, started: Make) -> None:
    kubeflow_service.configure(task_errors=True)
    run_id = started("a", image="registry.example.com/none:1")
    run = kubeflow_service.wait(run_id, lambda run: "ImagePullBackOff" in json.dumps(run))
    assert (run["state"], states(run)["a"], states(run)["executor"]) == ("RUNNING", "RUNNING", "PENDING")
    runs.run_service_terminate_run(run_id)
    assert kubeflow_service.wait(run_id)["state"] == "FAILED"


@pytest.mark.engine("docker")
def test_a_terminated_run_leaves_no_container(kubeflow_service: KubeflowService, runs: Any, started: Make) -> None:
    kubeflow_service.configure(terminated="CANCELED")
    run_id = started("a", "b", command="import time; time.sleep(600)")
    kubeflow_service.wait(run_id, lambda run: states(run).get("executor") == "RUNNING")
    runs.run_service_terminate_run(run_id)
    run = kubeflow_service.wait(run_id)
    assert [each["state"] for each in run["state_history"]][-2:] == ["CANCELING", "CANCELED"]
    assert states(run)["a"] == "FAILED"
    wanted = urllib.parse.quote(json.dumps({"label": [f"runner/test-run={run_id}"]}))
    assert ask(address(None, os.environ), f"/containers/json?all=1&filters={wanted}", os.environ) == []
