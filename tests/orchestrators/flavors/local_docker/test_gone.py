"""An engine that stops answering in the middle of a run: its socket is a relay that hangs up."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from docker_bench import Docker, step, until

from runner.docker_engine import DEFAULT
from runner.orchestrators.flavors.local_docker import launcher
from runner.records import Event, fold

pytestmark = pytest.mark.engine("docker")


class Line:
    """A socket that leads to the engine until it is cut."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.ends: list[socket.socket] = []
        self.server = socket.socket(socket.AF_UNIX)
        self.server.bind(str(path))
        self.server.listen()
        threading.Thread(target=self._serve, daemon=True).start()

    def cut(self) -> None:
        self.path.unlink(missing_ok=True)
        self.server.close()
        for end in self.ends:
            end.close() if end.fileno() < 0 else end.shutdown(socket.SHUT_RDWR)

    def _serve(self) -> None:
        while True:
            try:
                ours, _ = self.server.accept()
                theirs = socket.socket(socket.AF_UNIX)
                theirs.connect(DEFAULT.removeprefix("unix://"))
            except OSError:
                return
            self.ends += [ours, theirs]
            for pair in ((ours, theirs), (theirs, ours)):
                threading.Thread(target=self._pass_on, args=pair, daemon=True).start()

    def _pass_on(self, source: socket.socket, target: socket.socket) -> None:
        try:
            while data := source.recv(1 << 16):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            return


@pytest.fixture
def line(docker: Docker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Line]:
    line = Line(tmp_path_factory.mktemp("s") / "d.sock")
    docker.settings["docker_host"] = f"unix://{line.path}"
    yield line
    line.cut()


def begin_and_cut(docker: Docker, line: Line, again: bool) -> list[Event]:
    """All events of a step whose engine gets out of reach when it has begun; `again` within reach a moment later."""
    file, found = docker.folder / "a", []
    for event in docker.events(step("a", "stay", parameters={"file": str(file), "seconds": 100})):
        if not isinstance(event, Event):
            continue
        found.append(event)
        if event.event == "step_started":
            until(file.exists)
            until(lambda: docker.containers()[0]["State"] == "running")
            line.cut()
            if again:
                Line(line.path)
            (docker.folder / "a.go").touch()
    return found


def test_it_is_told_which_engine_is_gone(docker: Docker, line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launcher, "PATIENCE", 2.0)
    error = None
    file = docker.folder / "a"
    for event in docker.events(step("a", "stay", parameters={"file": str(file), "seconds": 100})):
        if isinstance(event, Event) and event.event == "step_started":
            until(file.exists)
            line.cut()
        if isinstance(event, Event) and event.event == "step_failed":
            error = event.data["error"]
    assert error is not None and error["reason"] == "engine"
    assert f"unix://{line.path} stopped answering" in error["message"]
    del docker.settings["docker_host"]
    (docker.folder / "a.go").touch()  # its container still runs: who resumes goes on with it
    resumed = docker.events(step("a", "stay", parameters={"file": str(file), "seconds": 100}), done={})
    run = fold(event for event in resumed if isinstance(event, Event))
    assert (run.status, run.steps["a"].attempt, file.read_text()) == ("succeeded", 1, "began ended ")


def test_an_engine_that_comes_back_in_time_costs_nothing(docker: Docker, line: Line) -> None:
    events = begin_and_cut(docker, line, again=True)
    assert fold(events).status == "succeeded"
    assert (docker.folder / "a").read_text() == "began ended "
