"""Images made, pushed and pulled by a Docker Engine, by its API; what happens comes back as values.

The messages of the engine are those of https://docs.docker.com/reference/api/engine, `/build` and `/images/push`.
"""

from __future__ import annotations

import contextlib
import fcntl
import re
import tempfile
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, NamedTuple

from runner.errors import EngineError
from runner.images.logins import Login
from runner.images.recipe import Recipe
from runner.images.registry import Registry
from runner.images.tree import add_all, add_bytes, tar_into
from runner.images.trouble import ImageError
from runner.integrations import command

DOCKERFILE = ".runner.Dockerfile"  # a name that no context has
GENERATED = "the generated Dockerfile"
LAST = 12  # lines of a failed build that are told
PATIENCE = 600.0  # seconds without a word from the engine: a step of a build may be silent for long
_COLOURS = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_NAMED = re.compile(r"(?:No matching distribution found for|Invalid requirement:) '?([^\s']+)")
_OF_THE_ENGINE = ("Removing intermediate container", "Successfully built", "Successfully tagged")
_STEP = re.compile(r"Step (\d+)/(\d+) : (.*)", re.DOTALL)


class Progress(NamedTuple):
    """Something that happens to an image.

    `action` is build, push or pull; `text` for people. Of a build `done` is the number of the step of `total`, of
    the others bytes; `detail` is what that step said last. A step that is told again without one is over.
    """

    image: str
    action: str
    text: str
    done: int = 0
    total: int = 0
    detail: str = ""


Tell = Callable[[Progress], None]


class BuildFailed(ImageError):
    """An image could not be made; the message has the line of the Dockerfile and the last of what was printed."""


def connect(host: str, environ: Mapping[str, str]) -> Any:
    """A client of the Docker Engine at `host`. Raises EngineError."""
    try:
        import docker
        from docker.errors import DockerException
    except ImportError as error:
        raise EngineError("making images needs the package 'docker'", f"install it: {command('docker')}") from error
    try:
        settings = docker.utils.kwargs_from_env(dict(environ) or {"": ""})
        ssh = host.startswith("ssh://")
        return docker.APIClient(**{**settings, "base_url": host}, version="auto", timeout=PATIENCE, use_ssh_client=ssh)
    except (DockerException, OSError) as error:
        help = "start it (systemctl start docker), or say where another one is: DOCKER_HOST"
        raise EngineError(f"no Docker Engine answers at {host}: {error}", help) from error


@contextlib.contextmanager
def alone(folder: Path, name: str) -> Iterator[None]:
    """While this lasts, nobody else who uses this folder makes the image of this name."""
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / f"{name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def build(client: Any, recipe: Recipe, tell: Tell) -> None:
    """Make the image of a recipe, and what is beneath it. Raises BuildFailed."""
    if recipe.own is not None:
        own = recipe.own
        _build(client, recipe.own_tag, own.dockerfile, own.shown, lambda tar: add_all(tar, own.files), tell)

    def context(tar: Any) -> None:
        for name, content in recipe.files.items():
            add_bytes(tar, name, content)
        add_all(tar, recipe.code, "code/")

    _build(client, recipe.tag, recipe.dockerfile, GENERATED, context, tell)


def push(client: Any, tag: str, repository: str, registry: Registry, tell: Tell) -> str:
    """Push an image under its own tag into a repository, `host/path/name`; the digest that it has there."""
    name = tag.partition(":")[2]
    auth = _auth(registry.login)
    with _refusals(f"the image cannot be pushed to {repository}", "try what a push needs: runner doctor"):
        client.tag(tag, repository, name)
        digest = ""
        for message in _moving(
            client.push(repository, name, stream=True, decode=True, auth_config=auth), tag, "push", tell
        ):
            if "error" in message:
                help = "try what a push needs: runner doctor"
                raise EngineError(f"the image cannot be pushed to {repository}: {message['error']}", help)
            digest = (message.get("aux") or {}).get("Digest") or digest
    if not digest:
        raise EngineError(f"{repository} took the image and told no digest of it", "does it speak Docker's protocol?")
    return digest


def pull(client: Any, reference: str, login: Login | None, tell: Tell) -> None:
    """Let the engine have an image of a registry."""
    known = "is its name right, and may you pull it? docker login"
    with _refusals(f"the image '{reference}' cannot be pulled", known, "image"):
        stream = client.pull(reference, stream=True, decode=True, auth_config=_auth(login))
        for message in _moving(stream, reference, "pull", tell):
            if "error" in message:
                raise ImageError(f"the image '{reference}' cannot be pulled: {message['error']}", known, "image")


def instructions(dockerfile: str) -> list[tuple[int, str]]:
    """The instructions of a Dockerfile, each with its line; a step of a build is one of them."""
    found: list[tuple[int, str]] = []
    going_on = False
    for number, line in enumerate(dockerfile.splitlines(), 1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        if going_on:
            found[-1] = (found[-1][0], f"{found[-1][1]} {text.rstrip(chr(92)).strip()}")
        else:
            found.append((number, text.rstrip("\\").strip()))
        going_on = text.endswith("\\")
    return found


def _build(client: Any, tag: str, dockerfile: str, shown: str, fill: Callable[[Any], None], tell: Tell) -> None:
    own = shown != GENERATED
    help = f"mend {shown}" if own else "mend settings.image"
    refused = f"the image could not be built: {shown}"
    with tempfile.TemporaryFile() as context, _refusals(refused, help, "dockerfile" if own else "base"):
        _write(context, dockerfile, fill)
        stream = client.build(
            fileobj=context, custom_context=True, dockerfile=DOCKERFILE, tag=tag, rm=True, forcerm=True, decode=True
        )
        step, told, now = 0, deque[str](maxlen=LAST), None
        try:
            for message in stream:
                text = message.get("stream", "")
                if found := _STEP.match(text):
                    step = int(found[1])
                    told.clear()
                    now = Progress(tag, "build", found[3].strip(), step, int(found[2]))
                    tell(now)
                elif text.strip() and not text.startswith(" --->"):
                    said = _said(text)
                    told.extend(said)
                    if now is not None and (detail := _detail(said)):
                        tell(now._replace(detail=detail))
                if "error" in message:
                    raise _failed(message["error"], step, dockerfile, shown, told)
        finally:
            if now is not None:
                tell(now)


def _detail(said: Sequence[str]) -> str:
    """The last of these lines that is not the engine's own."""
    return next((line.strip() for line in reversed(said) if not line.startswith(_OF_THE_ENGINE)), "")


def _said(text: str) -> list[str]:
    """The lines that an instruction printed, without a terminal's colours, and pip's bars and advertisements."""
    lines = _COLOURS.sub("", text).splitlines()
    return [line for line in lines if line.strip() and not line.startswith("[notice]") and "━" not in line]


def _write(context: IO[bytes], dockerfile: str, fill: Callable[[Any], None]) -> None:
    with tar_into(context) as tar:
        fill(tar)
        add_bytes(tar, DOCKERFILE, dockerfile.encode())
    context.seek(0)


def _failed(error: str, step: int, dockerfile: str, shown: str, told: Iterable[str]) -> BuildFailed:
    steps = instructions(dockerfile)
    line, instruction = steps[step - 1] if 0 < step <= len(steps) else (0, "")
    output = [text for text in told if not text.startswith(_OF_THE_ENGINE)]
    where = f"{shown}, line {line}: {instruction}" if line else shown
    lines = "".join(f"\n  | {text}" for text in output)
    help, key, word = _blame(error, instruction, step, shown, output)
    return BuildFailed(f"the image could not be built: {where}\n  {error.strip()}{lines}", help, key, word)


def _blame(error: str, instruction: str, step: int, shown: str, output: Iterable[str]) -> tuple[str, str, str]:
    """What to do about it, and the key of `settings.image` that it is about, and which of its values."""
    own = shown != GENERATED
    if "no space left" in error:
        return "make room on the engine's disk: docker system prune", "", ""
    if step <= 1 and ("pull" in error or "manifest" in error or "lookup" in error or "not found" in error):
        help = "is the base image's name right, and its registry in reach? docker pull tells more"
        return help, "dockerfile" if own else "base", ""
    if own:
        return f"mend {shown}", "dockerfile", ""
    if "requirements.txt" in instruction:
        found = (_NAMED.search(line) for line in output)
        return "mend settings.image.requirements", "requirements", next((each[1] for each in found if each), "")
    if "apt-get" in instruction:
        help = "mend settings.image.apt; the base image has to be a Debian or one that is made from it"
        return help, "apt", ""
    return "mend settings.image", "", ""


def _moving(stream: Iterable[dict[str, Any]], image: str, action: str, tell: Tell) -> Iterator[dict[str, Any]]:
    """The messages of a push or a pull; the bytes of all layers together are told as they move."""
    layers: dict[str, tuple[int, int]] = {}
    for message in stream:
        detail = message.get("progressDetail") or {}
        if "total" in detail and message.get("status") in ("Pushing", "Downloading"):
            layers[message["id"]] = (min(detail["current"], detail["total"]), detail["total"])
            done, total = (sum(numbers) for numbers in zip(*layers.values(), strict=True))
            tell(Progress(image, action, f"{action}ing layers", done, total))
        yield message


def _auth(login: Login | None) -> dict[str, str] | None:
    if login is None:
        return None  # what the Docker client remembers
    if login.identity:
        return {"identitytoken": login.password}
    return {"username": login.username, "password": login.password}


@contextlib.contextmanager
def _refusals(what: str, help: str, key: str = "") -> Iterator[None]:
    """The SDK's errors as ours; `help` is about what the engine refuses."""
    from docker.errors import APIError, DockerException
    from requests.exceptions import RequestException

    try:
        yield
    except APIError as error:
        refused = error.explanation or error
        raise ImageError(f"{what}: {refused}", help, key) from error
    except (DockerException, RequestException, OSError) as error:
        raise EngineError(f"{what}: {error}", "does the Docker Engine still run?") from error
