"""Fixture: a double of Kubeflow Pipelines, which runs what it is given in containers of the Docker Engine.

Real Kubeflow is a dozen services on a cluster. This one speaks its REST API in the vendor's own types, and the vendor's
own local runner carries the runs out; it is started once for a process of the tests that asks for it.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

SDK = Path(sys.prefix) / "kfp/bin/python"
SERVER = Path(__file__).with_name("kubeflow_server.py")
ENDED = ("SUCCEEDED", "FAILED", "CANCELED")


class KubeflowService(NamedTuple):
    """Where it listens, and what a test may do with it beyond its API."""

    url: str

    def configure(self, **settings: Any) -> None:
        """For runs made from now on: `root`, `docker`, `pull`, `hold`, `grace`, `terminated`, `task_errors`; and
        `multi_user` at once. `kubeflow_server.SETTINGS` says what each is."""
        self._steer("configure", settings)

    def require(self, **login: str) -> None:
        """From now on a `token`, or a `user` and a `password`, with `form="authservice"` or `form="oauth2-proxy"` by
        Dex's form; nothing at all without arguments."""
        self._steer("require", login)

    def expire(self) -> None:
        """End all sessions that somebody has logged in to."""
        self._steer("expire")

    def fail_next(
        self,
        method: str,
        path: str,
        *,
        status: int = 0,
        times: int = 1,
        cut: bool = False,
        delay: float = 0.0,
        late: bool = False,
        text: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        """Answer the next so many requests below `path` with `status`, or cut the connection; `late` means after they
        were carried out. `text` stands in place of the JSON that the gateway would send. `delay` comes before all."""
        fault = {"method": method, "path": path, "status": status, "times": times, "cut": cut, "delay": delay}
        self._steer("fail", {**fault, "late": late, "text": text, "headers": headers or {}})

    def runs(self) -> list[dict[str, Any]]:
        """All runs, as the API tells of them."""
        found: list[dict[str, Any]] = self._steer("runs")
        return found

    def requests(self) -> list[str]:
        """Method and path of every request so far."""
        found: list[str] = self._steer("requests")
        return found

    def log(self, run_id: str) -> str:
        """What the local runner and the containers of a run have written."""
        return str(self._steer("log", {"run_id": run_id}))

    def wait(self, run_id: str, until: Callable[[dict[str, Any]], bool] | None = None) -> dict[str, Any]:
        """The run, as soon as that holds of it; without `until`, as soon as it has ended. A minute is too long."""
        until = until or (lambda run: run["state"] in ENDED)
        for _ in range(600):
            (run,) = [each for each in self.runs() if each["run_id"] == run_id]
            if until(run):
                return run
            time.sleep(0.1)
        raise AssertionError(f"it is still {run['state']}: {self.log(run_id)}")

    def _steer(self, what: str, told: Any = None) -> Any:
        request = urllib.request.Request(f"{self.url}/_test/{what}", json.dumps(told).encode(), method="POST")
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)


@pytest.fixture(scope="session")
def kubeflow_process() -> Iterator[KubeflowService]:
    yield from serve()


def serve(host: str = "127.0.0.1") -> Iterator[KubeflowService]:
    """The double at this address, for as long as it is iterated over."""
    with subprocess.Popen([SDK, SERVER, host], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
        assert server.stdout is not None and server.stdin is not None
        line = server.stdout.readline()
        assert line.strip().isdigit(), f"the double of Kubeflow did not start: {line!r}"
        yield KubeflowService(f"http://{host}:{int(line)}")
        server.stdin.close()


@pytest.fixture
def kubeflow_service(kubeflow_process: KubeflowService) -> Iterator[KubeflowService]:
    """The double, with nothing in it, and its settings as they were."""
    kubeflow_process._steer("reset")
    yield kubeflow_process
    kubeflow_process._steer("reset")
