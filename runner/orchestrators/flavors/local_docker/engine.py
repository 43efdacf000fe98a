"""The Docker Engine through its SDK: what the launcher asks of it, and what its refusals mean."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from runner.docker_engine import address, ask
from runner.errors import EngineError
from runner.integrations import command
from runner.orchestrators.container import MARK

_OF_A_POD = "io.kubernetes.pod.name"  # a label

TAKEN = 409  # the status for a name that another container has
TRIES = 12
HINTS = {
    "could not select device driver": "gpu_count needs the engine's container toolkit for its accelerators",
    "port is already allocated": "leave `ports` out of run_args, or let steps run one at a time",
    "is not an absolute path": "write the paths of run_args.volumes from the root",
    "error mounting": "look at run_args.volumes: is a folder mounted over a file?",
    "executable file not found": "the image has no `python` on its path: take another base",
    "No such image": "it was removed; runner build makes it again",
    "network": "look at `network` in the stack: docker network ls",
    "runtime": "look at run_args.runtime: docker info names those there are",
}
"""What an engine says of a container that it cannot start → what to do. Most is told before anything starts."""
SECONDS = 120.0  # for one answer: a start may have to wait for others


class Info(NamedTuple):
    """What an engine tells of itself: processors, bytes of memory, whether its root is a plain user outside, and the
    runtimes that it knows."""

    host: str
    cpus: int
    memory: int
    rootless: bool
    runtimes: tuple[str, ...] = ()


class Refused(Exception):
    """What an engine could not do; `reason` is a key of REASONS."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


def info_of(given: str | None, environ: Mapping[str, str]) -> Info:
    """Ask the engine, without its SDK. Raises EngineError when none answers."""
    host = address(given, environ)
    told = ask(host, "/info", environ)
    options = " ".join(told.get("SecurityOptions") or ())
    cpus, memory = int(told.get("NCPU") or 0), int(told.get("MemTotal") or 0)
    return Info(host, cpus, memory, "rootless" in options, tuple(told.get("Runtimes") or ()))


def connect(given: str | None, environ: Mapping[str, str]) -> Engine:
    """The engine with its SDK. Raises EngineError when that is not installed, or no engine answers."""
    host = address(given, environ)
    version = ask(host, "/version", environ)["ApiVersion"]
    try:
        import docker
    except ImportError as error:
        raise EngineError("flavor 'local_docker' needs the Docker SDK", f"install it: {command('docker')}") from error
    environment = {**environ, "DOCKER_HOST": host}
    return Engine(docker.from_env(environment=environment, version=version, timeout=SECONDS), host)


class Engine:
    """A few requests, each safe to make from several threads; they raise Refused."""

    def __init__(self, client: Any, host: str) -> None:
        self.client = client
        self.api = client.api
        self.host = host

    def create(self, arguments: Mapping[str, Any]) -> str:
        """Make a container. One of the same name is removed first: an earlier walk may have left it, or have died while
        the engine was still making it."""
        from docker.errors import APIError, ImageNotFound

        for tries in range(1, TRIES + 1):
            with self._explained():
                try:
                    return self._create(arguments)
                except ImageNotFound:
                    self._pull(arguments["image"])
                except APIError as error:
                    if error.status_code != TAKEN or tries == TRIES:
                        raise
                    self.remove(arguments["name"])
                    time.sleep(0.05 * tries)
        raise Refused("image", f"the image '{arguments['image']}' was pulled, and is not there")

    def _create(self, arguments: Mapping[str, Any]) -> str:
        from docker.models.containers import _create_container_args
        from docker.types import DeviceRequest

        given = dict(arguments)
        if requests := given.pop("device_requests", None):
            given["device_requests"] = [DeviceRequest(**request) for request in requests]
        # What containers.create does, but for asking for the container's state once more.
        created = self.api.create_container(**_create_container_args({**given, "version": self.api._version}))
        return str(created["Id"])

    def _pull(self, image: str) -> None:
        from docker.errors import APIError

        try:
            self.client.images.pull(image)
        except APIError as error:
            words = f"there is no image '{image}' on this engine, and it cannot be pulled: {_words(error)}"
            raise Refused("image", f"{words}; was it removed? runner build makes or pulls it again") from error

    def attach(self, container: str, *, logs: bool = False) -> Any:
        """A socket of what it prints; with `logs` from its beginning."""
        with self._explained():
            return self.api.attach_socket(container, {"stdout": 1, "stderr": 1, "stream": 1, "logs": int(logs)})

    def start(self, container: str) -> None:
        with self._explained():
            self.api.start(container)

    def kill(self, container: str, signal: str) -> None:
        """Send a signal; nothing is done about one that does not run."""
        with contextlib.suppress(Refused), self._explained():
            self.api.kill(container, signal)

    def remove(self, container: str) -> None:
        """End and remove it, with its anonymous volumes; nothing is done about one that is gone."""
        from docker.errors import APIError

        with self._explained():
            try:
                self.api.remove_container(container, v=True, force=True)
            except APIError as error:
                if error.status_code not in (404, 409):  # gone, or another one is removing it
                    raise

    def state(self, container: str) -> dict[str, Any] | None:
        """Its `State`; None for one that is gone."""
        from docker.errors import NotFound

        with self._explained():
            try:
                return dict(self.api.inspect_container(container)["State"])
            except NotFound:
                return None

    def logs(self, container: str) -> str:
        """All that it printed, as far as the engine has kept it."""
        with contextlib.suppress(Refused), self._explained():
            return bytes(self.api.logs(container)).decode("utf-8", "replace")
        return ""

    def marked(self, mark: str | None = None) -> list[dict[str, Any]]:
        """The containers of one run, or of all: running or not, as the engine lists them."""
        with self._explained():
            found = self.api.containers(all=True, filters={"label": f"{MARK}={mark}" if mark else MARK})
        # A node of Kubernetes may use the same engine: what is its own, it keeps.
        return [each for each in found if _OF_A_POD not in (each.get("Labels") or {})]

    def events(self, mark: str, since: float) -> Any:
        """What happens to a run's containers, from a time on: an iterator that can be closed."""
        filters = {"type": "container", "label": f"{MARK}={mark}"}
        with self._explained():
            return self.api.events(since=int(since), filters=filters, decode=True)

    def close(self) -> None:
        self.client.close()

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        """Whatever the SDK raises becomes Refused."""
        import requests
        from docker.errors import APIError, DockerException

        try:
            yield
        except APIError as error:
            raise Refused(*_meaning(_words(error))) from error
        except (requests.RequestException, DockerException, OSError) as error:
            raise Refused("engine", f"the Docker Engine at {self.host} does not answer") from error
        except (TypeError, ValueError) as error:
            raise Refused("container", f"the Docker SDK does not take its arguments: {error}") from error


def _meaning(words: str) -> tuple[str, str]:
    """Reason and message of a request that the engine refused."""
    if "no space left on device" in words.lower():
        return "disk", f"the engine has no room left on its disk: {words}"
    hint = next((hint for part, hint in HINTS.items() if part in words), "")
    return "container", f"the engine refused: {words}" + (f"; {hint}" if hint else "")


def _words(error: Any) -> str:
    """What the engine said, in one line."""
    told = getattr(error, "explanation", None) or str(error)
    return " ".join((told.decode("utf-8", "replace") if isinstance(told, bytes) else str(told)).split())
