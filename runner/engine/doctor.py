"""`runner doctor`: everything that a stack needs is really tried, side by side, and nothing is waited for long."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from queue import Empty, SimpleQueue

from runner.checks import Check
from runner.engine import examine
from runner.engine.inside import inside
from runner.errors import InvalidDocuments, RunnerError
from runner.orchestrators.portability import require_available
from runner.project import Project, Stack, choose_stack, load_stack, unreachable
from runner.secret_store.stores import secrets_of

TIMEOUT = 10.0
"""Seconds that something may stay silent."""
_PATH = "can it be reached from here? what drops packets instead of refusing them is a firewall, a proxy or a VPN"


def examined(
    project: Project,
    given: str | None,
    environ: Mapping[str, str],
    timeout: float = TIMEOUT,
    *,
    outside: bool = False,
) -> Iterator[Check]:
    """What is found out about a project and a stack, the one that `given` names or the active one.

    Checks come in the order of their subjects, each as soon as it and those before it are known. A subject that says
    nothing for `timeout` seconds is given up. With `outside` nothing is started in the engine.
    """
    stacks: list[Stack] = []
    yield from _tried(
        [
            _Subject("versions", examine.versions),
            _Subject("project", partial(examine.project, project)),
            _Subject("catalog", partial(examine.catalog, project)),
            _Subject("run store", partial(examine.run_store, project)),
            _Subject("stack", partial(_stack, project, given, environ, stacks)),
        ],
        timeout,
    )
    for stack in stacks:
        seen: set[str] = set()
        able: list[bool] = []
        subjects = _subjects(project, stack, _remembering(stack, project, seen), environ, able)
        yield from (_masked(check, seen) for check in _tried(subjects, timeout))
        if able == [True] and not outside:  # in this thread: Ctrl-C shall leave nothing in the engine
            yield from (_masked(check, seen) for check in inside(project, stack, environ))


def _subjects(
    project: Project, stack: Stack, secret: examine.Secret, environ: Mapping[str, str], able: list[bool]
) -> list[_Subject]:
    found = [
        _Subject("orchestrator", partial(_orchestrator, project, stack, secret, able), _PATH),
        _Subject("artifact store", partial(examine.artifact_store, stack, secret), _PATH),
        _Subject("secret store", partial(examine.secret_store, project, stack, secret, environ), _PATH),
    ]
    if stack.container_registry:
        found.append(_Subject("registry", partial(examine.container_registry, stack, secret, environ), _PATH))
    if stack.container_registry or stack.image_builder:
        found.append(_Subject("image builder", partial(examine.image_builder, environ), _PATH))
    return found


def _stack(project: Project, given: str | None, environ: Mapping[str, str], found: list[Stack]) -> Iterator[Check]:
    """Which stack it is and why, or every problem in it; a usable one goes into `found`."""
    chosen, chosen_by = choose_stack(project, given, environ)
    try:
        stack = load_stack(project, chosen, chosen_by, environ)
    except InvalidDocuments as error:
        for position, code, message, help in error.problems:
            yield Check("stack", False, f"{position}: {message}", help or f"see: runner validate ({code})")
        return
    found.append(stack)
    yield Check("stack", True, f"'{stack.name}', of flavor '{stack.flavor}', since {_why(chosen_by)}")
    yield from (Check("stack", True, note) for note in stack.notes)
    for problem in unreachable(stack):
        yield Check("stack", False, f"{problem.position}: {problem.message}", problem.help)


def _why(chosen_by: str) -> str:
    return chosen_by if chosen_by.endswith("named") else f"{chosen_by} names it"


def _orchestrator(project: Project, stack: Stack, secret: examine.Secret, able: list[bool]) -> Iterator[Check]:
    """What the flavor tries; `able` hears in the end whether all went well."""
    try:
        require_available(stack.orchestrator)
    except RunnerError as error:
        yield Check("orchestrator", False, error.message, error.help)
    well = True
    for check in stack.orchestrator.checks(secret):
        well = well and check.ok
        yield check
    able.append(well)
    if well:
        yield from examine.orphans(project, stack)


# -- side by side ------------------------------------------------------------------------------------------------------


class _Subject:
    """One thing to try in a thread of its own; `silent` is the help when nothing is heard of it."""

    def __init__(self, name: str, work: Callable[[], Iterable[Check]], silent: str = "try it again") -> None:
        self.name = name
        self.silent = silent
        self.heard = time.monotonic()
        self.found: SimpleQueue[Check | None] = SimpleQueue()
        # A daemon: a request that nobody answers must not keep the command from ending.
        threading.Thread(target=self._try, args=(work,), name=f"doctor {name}", daemon=True).start()

    def checks(self, timeout: float) -> Iterator[Check]:
        """What it finds out, until it has ended or was silent for too long."""
        while True:
            try:
                check = self.found.get(timeout=max(self.heard + timeout - time.monotonic(), 0.0))
            except Empty:
                if time.monotonic() < self.heard + timeout:
                    continue  # it was heard of meanwhile
                yield Check(self.name, False, f"no answer within {timeout:g} s", self.silent)
                return
            if check is None:
                return
            yield check

    def _try(self, work: Callable[[], Iterable[Check]]) -> None:
        try:
            for check in work():
                self._tell(check)
        except RunnerError as error:
            self._tell(Check(self.name, False, error.message, error.help or self.silent))
        except (Exception, SystemExit) as error:  # a flavor's own, or what an SDK lets through
            told = f"{type(error).__name__}: {error}"
            self._tell(Check(self.name, False, told, f"this is a mistake in what tries the {self.name}"))
        finally:
            self._tell(None)

    def _tell(self, check: Check | None) -> None:
        self.heard = time.monotonic()
        self.found.put(check)


def _tried(subjects: Iterable[_Subject], timeout: float) -> Iterator[Check]:
    for subject in list(subjects):  # all of them have begun
        for check in subject.checks(timeout):
            yield check._replace(told=" ".join(check.told.split()))


# -- secrets -----------------------------------------------------------------------------------------------------------


def _remembering(stack: Stack, project: Project, seen: set[str]) -> examine.Secret:
    """A function from a secret's name to its value, which is kept in `seen`."""
    look_up = secrets_of(stack.secret_store, str(project.root))

    def secret(name: str) -> str:
        value = look_up(name)
        if value:
            seen.add(value)
        return value

    return secret


def _masked(check: Check, secrets: Iterable[str]) -> Check:
    told, help = check.told, check.help
    for value in sorted(secrets, key=len, reverse=True):
        told = told.replace(value, "***")
        help = help.replace(value, "***") if help else help
    return check._replace(told=told, help=help)
