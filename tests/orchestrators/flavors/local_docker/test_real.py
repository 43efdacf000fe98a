"""What containers are given, and every way in which they end, on a real engine."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from docker_bench import Docker, step, until

from runner.errors import EngineError
from runner.records import Event, LogLines

pytestmark = pytest.mark.engine("docker")
CPU = ["/sys/fs/cgroup/cpu.max", "/sys/fs/cgroup/cpu/cpu.cfs_quota_us"]
MEMORY = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"]
SWAP = ["/sys/fs/cgroup/memory.swap.max", "/sys/fs/cgroup/memory/memory.memsw.limit_in_bytes"]
MB = 1024 * 1024


# -- what they are given -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("resources", "files", "expected"),
    [
        ({"cpu_count": 0.5}, CPU, ("50000", "50000 100000")),
        ({"memory": 200 * MB}, MEMORY, (str(200 * MB),)),
        ({"memory": 200 * MB}, SWAP, (str(200 * MB), "0")),
    ],
)
def test_resources_are_seen_from_inside(docker: Docker, resources: dict, files: list[str], expected: tuple) -> None:
    assert docker.output(step("a", "read", parameters={"paths": files}, resources=resources)) in expected


def test_shared_memory_is_seen_from_inside(docker: Docker) -> None:
    found = docker.output(step("a", "room", parameters={"path": "/dev/shm"}, resources={"shm": 8 * MB}))
    assert found == 8 * MB


def test_a_step_is_the_caller_without_any_rights(docker: Docker) -> None:
    assert docker.output(step("a", "who")) == [os.getuid(), os.getgid(), "/tmp", 0, "1"]


def test_what_a_step_leaves_belongs_to_the_caller(docker: Docker) -> None:
    docker.output(step("a", "value", parameters={"x": 1}))
    left = Path(docker.store["path"]).rglob("*")
    assert {(path.stat().st_uid, path.stat().st_gid) for path in left} == {(os.getuid(), os.getgid())}


def test_rights_are_given_by_run_args(docker: Docker) -> None:
    docker.settings["run_args"] = {"cap_add": ["CHOWN"]}
    assert docker.output(step("a", "who"))[3] == 1 << 0  # CAP_CHOWN is number 0


def test_variables_are_set_before_the_interpreter_starts(docker: Docker) -> None:
    declared = {"environment": {"MODE": "dry", "PYTHONHASHSEED": "7"}, "resources": {"cpu_count": 1}}
    names = ["MODE", "PYTHONHASHSEED", "OMP_NUM_THREADS"]
    assert docker.output(step("a", "environment", parameters={"names": names}, **declared)) == ["dry", "7", "1"]


def test_a_network_is_joined(docker: Docker) -> None:
    docker.settings["network"] = "none"
    found = docker.output(step("a", "read", parameters={"paths": ["/proc/net/dev"]}))
    assert [line.split(":")[0].strip() for line in found.splitlines()[2:]] == ["lo"]


def test_run_args_of_a_step_go_before_those_of_the_stack(docker: Docker) -> None:
    own = {"run_args": {"hostname": "mine"}}
    docker.settings["run_args"] = {"hostname": "all"}
    assert docker.output(step("a", "read", parameters={"paths": ["/etc/hostname"]}, settings=own)) == "mine"


# -- secrets -----------------------------------------------------------------------------------------------------------


def test_a_secret_of_the_environment_arrives_and_is_masked(docker: Docker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", "hush-hush")
    assert docker.output(step("a", "secret", parameters={"token": "${secrets.TOKEN}"})) == 9
    assert docker.log("a") == "the token is ***\n"


def test_a_secret_that_is_not_there_is_named(docker: Docker) -> None:
    reason, message = docker.error(step("a", "secret", parameters={"token": "${secrets.NOT_THERE}"}))
    assert reason == "secret" and "NOT_THERE" in message


def test_a_file_of_secrets_is_mounted(docker: Docker, tmp_path_factory: pytest.TempPathFactory) -> None:
    file = tmp_path_factory.mktemp("secrets") / "secrets.env"
    file.touch(0o600)
    file.write_text("TOKEN=hush-hush\n")
    found = {"secret_store": {"flavor": "file", "path": str(file)}}
    assert docker.output(step("a", "secret", parameters={"token": "${secrets.TOKEN}"}), **found) == 9


# -- how they end ------------------------------------------------------------------------------------------------------


def test_a_crash_is_told_with_its_exit_code(docker: Docker) -> None:
    reason, message = docker.error(step("a", "exits", parameters={"code": 7}))
    assert reason == "exit" and "exit code 7" in message


def test_too_much_memory_is_told_with_the_limit_and_the_log_is_kept(docker: Docker) -> None:
    found = docker.error(step("a", "eat", parameters={"size": 300 * MB}, resources={"memory": 64 * MB}))
    assert found == ("out-of-memory", "it took more than its memory of 64MiB, and the kernel killed it")
    assert "so hungry" in docker.log("a")


def test_an_image_that_is_missing_is_named(docker: Docker) -> None:
    missing = {"container": {"image": "127.0.0.1:1/no-such-image:1"}}
    reason, message = docker.error(step("a", "value", **missing))
    assert reason == "image" and "'127.0.0.1:1/no-such-image:1'" in message


def test_an_image_without_a_worker_says_what_it_lacks(docker: Docker, plain_image: str) -> None:
    reason, message = docker.error(step("a", "value", container={"image": plain_image}))
    assert reason == "image" and "its image has no runner" in message
    assert "No module named" in docker.log("a")


def test_what_the_engine_refuses_is_told_in_its_words(docker: Docker) -> None:
    own = {"run_args": {"runtime": "no-such-runtime"}}
    reason, message = docker.error(step("a", "value", settings=own))
    assert reason == "container" and "no-such-runtime" in message


def test_a_full_disk_is_its_own_reason(docker: Docker) -> None:
    own = {"run_args": {"tmpfs": {"/small": "size=1m,mode=1777"}}}
    reason, message = docker.error(step("a", "fill", parameters={"path": "/small/file"}, settings=own))
    assert reason == "disk" and "No space left on device" in message


@pytest.mark.parametrize(("command", "words"), [("kill", "killed from outside"), ("rm -f", "removed from outside")])
def test_a_container_that_is_ended_from_outside(docker: Docker, command: str, words: str) -> None:
    file = docker.folder / "told"
    error = None
    for event in docker.events(step("a", "stay", parameters={"file": str(file), "seconds": 100})):
        if isinstance(event, Event) and event.event == "step_started":
            until(file.exists)
            subprocess.run(["docker", *command.split(), docker.containers()[0]["Id"]], check=True, capture_output=True)
        if isinstance(event, Event) and event.event == "step_failed":
            error = event.data["error"]
    assert error is not None and error["reason"] == "killed" and words in error["message"]


def test_a_step_that_ignores_its_end_is_killed(docker: Docker) -> None:
    found = docker.error(step("a", "stubborn", timeout=5.0))
    assert found == ("timeout", "it took longer than its timeout of 5 s")


def test_lines_of_several_containers_come_live_and_whole(docker: Docker) -> None:
    steps = [step(name, "say", parameters={"lines": [f"{name}{i}" for i in range(20)], "pause": 0.1}) for name in "ab"]
    heard = [item for item in docker.events(*steps) if isinstance(item, LogLines)]
    order = [item.step for item in heard]
    assert order.index("b") < len(order) - order[::-1].index("a") - 1  # one began before the other had ended
    assert all(item.text.endswith("\n") for item in heard)
    assert "".join(item.text for item in heard if item.step == "a") == docker.log("a")


# -- an engine that does not answer ------------------------------------------------------------------------------------


def test_an_engine_that_does_not_answer_is_told_before_anything_starts(docker: Docker) -> None:
    docker.settings["docker_host"] = f"unix://{docker.folder}/no.sock"
    with pytest.raises(EngineError, match="no Docker Engine answers at unix://"):
        docker.run(step("a", "value"))


def test_a_loopback_address_is_refused_unless_the_network_is_the_hosts(docker: Docker) -> None:
    docker.store = {"flavor": "s3", "path": "s3://bucket/x", "endpoint_url": "http://127.0.0.1:9000"}
    deployment = docker.deployment(step("a", "value"))
    orchestrator = docker.orchestrator()
    with pytest.raises(EngineError, match=r"cannot reach 'http://127.0.0.1:9000'") as caught:
        orchestrator.submit(orchestrator.compile(deployment), docker.stack())
    assert "network: host" in (caught.value.help or "")


def test_containers_made_ahead_have_what_ran_before_them(docker: Docker) -> None:
    steps = [step("a", "value", parameters={"x": 1})]
    steps += [step(name, "value", inputs={"x": (before, "output")}) for before, name in ("ab", "bc", "cd")]
    assert docker.output(*steps) == 1


def test_a_container_made_ahead_and_not_needed_is_removed(docker: Docker) -> None:
    steps = (step("a", "exits", parameters={"code": 3}), step("b", "value", after=("a",), parameters={"x": 1}))
    assert docker.run(*steps).steps["b"].status == "skipped"
    assert docker.containers() == []
