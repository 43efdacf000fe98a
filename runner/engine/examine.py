"""The single things that `runner doctor` tries, each a function that yields what it found out."""

from __future__ import annotations

import os
import platform
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from runner import __version__, integrations
from runner.artifact_store.stores import open_store
from runner.artifact_store.trial import tried
from runner.catalog import open_catalog
from runner.checks import Check
from runner.docker_engine import engine_check
from runner.engine.lock import is_walked
from runner.errors import RunnerError
from runner.images.logins import login_of
from runner.images.registry import Registry, place_of
from runner.plan.secrets import secret_names
from runner.project import Project, Stack, files_of
from runner.project.declared import read_all
from runner.run_store.sqlite import SqliteRunStore
from runner.secret_store.base import SecretMissing, SecretStoreError

Secret = Callable[[str], str]
LITTLE = 500_000_000  # bytes of a disk that is nearly full
NEVER = "RUNNER_DOCTOR_PROBE"  # a secret that nobody has: to be told so is an answer


def versions() -> Iterator[Check]:
    """Of runner, of Python, of the platform, and whether the packages that runner needs are new enough."""
    own = f"runner {__version__}, Python {platform.python_version()}, {platform.system()} {platform.machine()}"
    yield Check("versions", True, own)
    found = integrations.core()
    wrong = [f"'{each.requirement}' is {each.state}" for each in found if each.state != integrations.OK]
    if wrong:
        yield Check("packages", False, ", ".join(wrong), f"pip install --upgrade {integrations.DISTRIBUTION}")
    else:
        yield Check("packages", True, ", ".join(f"{each.distribution} {each.installed}" for each in found))


def project(project: Project) -> Iterator[Check]:
    """Its folder, whether its state can be written, and how much room there is."""
    folder = project.state if project.state.exists() else project.root
    free = shutil.disk_usage(folder).free
    room = f"{free / 1e9:.1f} GB free"
    try:
        with tempfile.TemporaryFile(dir=folder, prefix="doctor-"):
            pass
    except OSError as error:
        help = "look at its owner and its permissions, and at the room on its disk"
        yield Check("project", False, f"'{folder}' cannot be written: {error.strerror}", help)
        return
    told = f"{project.root}, state in {project.state.name}, {room}"
    if free < LITTLE:
        yield Check("project", False, told, "make room: what runs leave is in .runner/; runner runs delete removes it")
    else:
        yield Check("project", True, told)


def catalog(project: Project) -> Iterator[Check]:
    """What was applied can be read."""
    found = open_catalog(project.state)
    if found is None:
        yield Check("catalog", True, "nothing was applied yet")
        return
    with found:
        yield Check("catalog", True, f"{len(found.current())} applied documents can be read")


def run_store(project: Project) -> Iterator[Check]:
    """What has run can be read."""
    path = project.state / "runner.db"
    if not path.exists():
        yield Check("run store", True, "nothing has run yet")
        return
    store = SqliteRunStore(path)
    try:
        newest = store.runs(1)
    finally:
        store.close()
    told = f"the newest run is {newest[0].run_id}, {newest[0].status}" if newest else "nothing has run yet"
    yield Check("run store", True, told)


def orphans(project: Project, stack: Stack) -> Iterator[Check]:
    """What is in the engine of runs that nobody walks any more."""
    for left in stack.orchestrator.remains():
        if left.folder and is_walked(Path(left.folder), left.run_id):
            continue
        told = f"{left.what} of run {left.run_id}, which is not going"
        if Path(left.folder) == project.state.absolute():
            help = f"go on with it: runner runs resume {left.run_id}; or: runner runs cancel {left.run_id}"
            yield Check("orphans", False, told, f"{help}; or: {left.remove}")
        else:  # another project's, which is for its people to judge: this one lacks nothing
            where = f", of the project in '{Path(left.folder).parent}'" if left.folder else ""
            yield Check("orphans", True, f"{told}{where}; whose it is can remove it: {left.remove}")


def artifact_store(stack: Stack, secret: Secret) -> Iterator[Check]:
    """An object is written, read and deleted."""
    yield tried(open_store(stack.artifact_store, secret), stack.artifact_store)


def secret_store(project: Project, stack: Stack, secret: Secret, environ: Mapping[str, str]) -> Iterator[Check]:
    """The store opens, and has the secrets that the stack and the project's pipelines name.

    What it lacks for a pipeline of another stack, or of none, is a warning: who runs that one will need it.
    """
    flavor = stack.secret_store.get("flavor", "env")
    here, elsewhere = _secrets_of_stack(stack), _secrets_of_pipelines(project)
    if flavor == "kubernetes" and "KUBERNETES_SERVICE_HOST" not in environ:
        yield Check("secret store", True, "kubernetes: its secrets reach pods only, nothing can be tried from here")
        return
    unseen = flavor == "env" and stack.orchestrator.remote
    if unseen:
        told = "env: steps run elsewhere, and what their environment has is not seen from here"
        yield Check("secret store", True, told)
    names = list(dict.fromkeys([*here, *([] if unseen else elsewhere)]))
    if not names and not unseen:
        with suppress(SecretMissing):
            secret(NEVER)
        yield Check("secret store", True, f"{flavor}: opens; no pipeline of this project names a secret")
        return
    there, told_already = [], set()
    for name in names:
        try:
            secret(name)
            there.append(name)
        except SecretStoreError as error:
            if error.message not in told_already:  # a store that cannot be opened says so for each name
                users = elsewhere.get(name, {})
                others = isinstance(error, SecretMissing) and name not in here and stack.name not in users.values()
                which = ", ".join(f"'{user}'" for user in users)
                told = f"{error.message} (for pipeline {which})" if others else error.message
                yield Check("secret store", others, told, error.help, warning=others)
            told_already.add(error.message)
    if there:
        yield Check("secret store", True, f"{flavor}: has {', '.join(there)}")


def container_registry(stack: Stack, secret: Secret, environ: Mapping[str, str]) -> Iterator[Check]:
    """Images may be pushed there: an upload is begun and broken off."""
    fields = stack.container_registry
    if "uri" not in fields:
        yield Check("registry", True, f"flavor '{fields['flavor']}' has no `uri`: nothing was tried")
        return
    place = place_of(fields)
    try:
        login = login_of(fields, place.host, secret, environ)
        # ECR makes no repositories by itself.
        name = place.path if fields["flavor"] == "ecr" and place.path else place.name("runner-doctor")
        Registry(place.host, login).try_push(name)
    except RunnerError as error:
        yield Check("registry", False, f"{fields['uri']}: {error.message}", error.help)
        return
    who = f"as '{login.username}'" if login and login.username else "logged in" if login else "without a login"
    yield Check("registry", True, f"{fields['uri']}: can be pushed to, {who}")


def image_builder(environ: Mapping[str, str]) -> Iterator[Check]:
    """The package that builds images, and its Docker Engine."""
    found = integrations.sdk("docker")
    if not found.ok:
        yield found._replace(name="image builder")
        return
    yield engine_check("image builder", None, environ)


def _secrets_of_stack(stack: Stack) -> list[str]:
    return secret_names([stack.artifact_store, stack.container_registry, stack.orchestrator_fields])


def _secrets_of_pipelines(project: Project) -> dict[str, dict[str, str | None]]:
    """Secret → the pipelines that name it, each with the stack that it names."""
    folder = project.root / "pipelines"
    documents = read_all(project, files_of(project, [folder]))[0] if os.path.isdir(folder) else []
    found: dict[str, dict[str, str | None]] = {}
    for document in documents:
        if document.kind == "pipeline":
            plain = document.node.plain()
            for name in secret_names(plain):
                found.setdefault(name, {})[document.name or document.file] = plain.get("stack")
    return found
