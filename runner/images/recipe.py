"""From `settings.image` to a Dockerfile, the files beside it, and a tag that is the digest of all that goes in."""

from __future__ import annotations

import hashlib
import json
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from runner.images.own import OwnBuild
from runner.images.tree import File, digest_of
from runner.images.trouble import ImageError
from runner.images.wheel import RunnerWheel

NAME, OWN_NAME = "runner-step", "runner-own"
"""The names of images of steps, and of those that Dockerfiles of one's own make beneath them."""
PARTS_LABEL = "runner/parts"
REQUIREMENTS_LABEL = "runner/requirements"
DOCKERFILE, CONTEXT = "dockerfile", "context"
"""Parts of an image over a Dockerfile of one's own: its name and text, and what is sent with it."""
USER = "1000:1000"
HOME, WORKDIR, OURS = "/home/runner", "/app", "/opt/runner"
BAKED, ARCHIVE = "baked", "archive"

_MOST = 4000  # characters of a label
_VERSION = 1  # bump it when equal settings must make another image than before
_PIP = "python -m pip install"
# Variables of the build that are not in the image: the image is ours, so that pip need not spare Debian's own packages.
_PIP_SETTINGS = ("PIP_BREAK_SYSTEM_PACKAGES=1", "PIP_ROOT_USER_ACTION=ignore", "PIP_NO_CACHE_DIR=1")
_OF_THIS_MACHINE = re.compile(r"(?:-e\b|--editable\b|\.|/|~|file:|[^@]+@\s*file:)")
# Whatever user a container is started as has a home and a folder to work in.
_USER = (
    f"RUN mkdir -p {WORKDIR} {HOME} && chmod 1777 {WORKDIR} {HOME} && {{ grep -q '^[^:]*:[^:]*:1000:' /etc/passwd || "
    f"echo 'runner:x:{USER}:runner:{HOME}:/bin/sh' >> /etc/passwd; }}"
)


class Recipe(NamedTuple):
    """How an image is made.

    `tag`        name and digest of all that goes in
    `files`      the context beside the Dockerfile: name → content
    `code`       the project's files, in the folder `code` of the context; empty when code travels by itself
    `own`        the Dockerfile of one's own that is built first, as `own_tag`
    `parts`      part → short digest, in the order of the layers; a label of the image says them, without `code`
    `says`       what is in it, for people
    `requirements` a line each
    """

    tag: str
    dockerfile: str
    files: dict[str, bytes]
    code: list[File] = []
    own: OwnBuild | None = None
    parts: dict[str, str] = {}
    says: str = ""
    requirements: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        return self.tag.partition(":")[2]

    @property
    def own_tag(self) -> str:
        return _own_tag(self.own) if self.own else ""


def travels(image: Mapping[str, Any]) -> str:
    """How code comes to a step of this image: BAKED or ARCHIVE."""
    own = "dockerfile" in image or "context" in image
    return str(image.get("code") or (BAKED if own else ARCHIVE))


def recipe(
    image: Mapping[str, Any],
    *,
    python: str,
    requirements: Sequence[str],
    needs: Sequence[str],
    runner: RunnerWheel,
    own: OwnBuild | None = None,
    code: Sequence[File] = (),
) -> Recipe:
    """The recipe of `settings.image`.

    `python` the version when the image says none   `requirements` its requirements, a line each
    `needs` what the worker needs beside them        `own` the Dockerfile of one's own, when it names one
    `code` the project's files, when they are baked in
    """
    _refuse_local(requirements)
    base = _own_tag(own) if own else str(image.get("base") or f"python:{image.get('python') or python}-slim")
    contents: dict[str, Any] = {
        "base": base,
        "env": image.get("env") or {},
        "apt": list(image.get("apt") or ()),
        "requirements": [list(requirements), list(needs)],
        "runner": [runner.requirement, hashlib.sha256(runner.content).hexdigest()],
    }
    if own is not None:
        contents |= {DOCKERFILE: [own.shown, own.dockerfile], CONTEXT: own.context}
    parts = {name: _short(content) for name, content in contents.items()}
    files = {"requirements.txt": _text(requirements), "worker.txt": _text(needs)}
    files |= {runner.name: runner.content} if runner.content else {}
    lines = list(_dockerfile(image, base, requirements, runner, parts, bool(code)))
    dockerfile = "\n".join([*lines, ""])
    if code:
        parts["code"] = digest_of(code)[:12]
    digest = _short(
        [_VERSION, dockerfile, parts, {name: hashlib.sha256(files[name]).hexdigest() for name in files}], 20
    )
    says = _says(image, base, requirements, own)
    return Recipe(f"{NAME}:{digest}", dockerfile, files, list(code), own, parts, says, tuple(requirements))


def _dockerfile(
    image: Mapping[str, Any],
    base: str,
    requirements: Sequence[str],
    runner: RunnerWheel,
    parts: Mapping[str, str],
    baked: bool,
) -> Iterator[str]:
    """The layers, those that change least first."""
    yield f"FROM {base}"
    yield "USER 0"
    yield from (f"ARG {setting}" for setting in _PIP_SETTINGS)
    yield _USER
    yield from (f"ENV {name}={_quoted(name, value)}" for name, value in (image.get("env") or {}).items())
    if packages := image.get("apt"):
        install = f"apt-get install --yes --no-install-recommends {shlex.join(packages)}"
        yield f"RUN apt-get update && DEBIAN_FRONTEND=noninteractive {install} && rm -rf /var/lib/apt/lists/*"
    yield f"COPY requirements.txt worker.txt {OURS}/"
    if any("--hash" in line for line in requirements):  # then every line needs one, and those of the worker have none
        yield f"RUN {_PIP} -r {OURS}/requirements.txt"
        yield f"RUN {_PIP} -r {OURS}/worker.txt"
    else:
        yield f"RUN {_PIP} -r {OURS}/requirements.txt -r {OURS}/worker.txt"
    if runner.content:
        yield f"COPY {runner.name} {OURS}/"
    yield f"RUN {_PIP} --no-deps {f'{OURS}/{runner.name}' if runner.content else runner.requirement}"
    label = f'LABEL {PARTS_LABEL}="{" ".join(f"{name}={digest}" for name, digest in parts.items())}"'
    told = json.dumps([line.split(" --")[0] for line in requirements])
    yield f"{label} {REQUIREMENTS_LABEL}={_quoted('', told)}" if requirements and len(told) <= _MOST else label
    yield f"ENV HOME={HOME}"
    yield f"WORKDIR {WORKDIR}"
    yield f"USER {USER}"
    if baked:
        yield f"COPY --chown={USER} code/ {WORKDIR}/"


def _own_tag(own: OwnBuild) -> str:
    return f"{OWN_NAME}:{own.digest[:20]}"


def _refuse_local(requirements: Sequence[str]) -> None:
    for line in requirements:
        if _OF_THIS_MACHINE.match(line):
            raise ImageError(
                f"the requirement '{line}' is a path of this machine, which an image does not have",
                "take it out: the project's own code comes to steps by itself; other packages need an index or a URL",
                "requirements",
                line,
            )


def _quoted(name: str, value: str) -> str:
    if "\n" in value or "\r" in value:
        message = f"settings.image.env.{name} has several lines, and a Dockerfile cannot say that"
        raise ImageError(message, "take one", "env")
    return '"' + re.sub(r'([\\"$])', r"\\\1", value) + '"'


def _says(image: Mapping[str, Any], base: str, requirements: Sequence[str], own: OwnBuild | None) -> str:
    counted = {"requirement": len(requirements), "Debian package": len(image.get("apt") or ())}
    words = [f"{count} {noun}{'' if count == 1 else 's'}" for noun, count in counted.items() if count]
    return ", ".join([own.shown if own else base, *words])


def _text(lines: Sequence[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()


def _short(value: Any, length: int = 12) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:length]
