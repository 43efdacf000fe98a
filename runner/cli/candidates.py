"""What a shell may offer to complete: names of everything a command takes. Any trouble offers nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import click

from runner.document.read import read_file
from runner.engine import history
from runner.project import files_of, find_pipeline, find_project, pipelines_of, stack_names
from runner.project.declared import around, names_of
from runner.records import Run

SUFFIXES = (".yaml", ".yml", ".toml")


def pipelines(context: click.Context, incomplete: str) -> list[str]:
    """Documents in `pipelines/`, folders on the way to others, and names of pipelines."""
    found: list[str] = []
    with suppress(OSError):
        found = sorted(each for each in _documents(incomplete) if each.startswith(incomplete))
    with suppress(Exception):
        found += [name for _, name in pipelines_of(find_project(Path.cwd())) if name.startswith(incomplete)]
    return found


def stacks(context: click.Context, incomplete: str) -> list[str]:
    """Names of stacks, and the files of `stacks/`."""
    with suppress(Exception):
        project = find_project(Path.cwd())
        files = [project.shown(path) for path in files_of(project, [project.root / "stacks"])]
        return [found for found in [*stack_names(project), *files] if found.startswith(incomplete)]
    return []


def _components(kind: str) -> Callable[[click.Context, str], list[str]]:
    def candidates(context: click.Context, incomplete: str) -> list[str]:
        with suppress(Exception):
            declared = names_of(kind, around(find_project(Path.cwd()), []))
            return [name for name in declared if name.startswith(incomplete)]
        return []

    return candidates


orchestrators = _components("orchestrator")
artifact_stores = _components("artifact_store")
container_registrys = _components("container_registry")
image_builders = _components("image_builder")
secret_stores = _components("secret_store")
experiment_trackers = _components("experiment_tracker")


def integrations(context: click.Context, incomplete: str) -> list[str]:
    """Names of integrations."""
    from runner.integrations import ALL, INTEGRATIONS  # no other command needs it

    return [name for name in (*INTEGRATIONS, ALL) if name.startswith(incomplete)]


def _documents(incomplete: str) -> Iterator[str]:
    head = incomplete.rpartition("/")[0]
    folders = [Path(head)] if head else [Path(), Path("pipelines")]
    for folder in folders:
        if folder.is_dir():
            for path in folder.iterdir():
                if path.suffix in SUFFIXES:
                    yield str(path)
                elif path.is_dir() and not path.name.startswith((".", "__")):
                    yield f"{path}/"


def steps(context: click.Context, incomplete: str) -> list[str]:
    """The steps of the pipeline on this command line."""
    return [name for name in _declared(context, "steps") if name.startswith(incomplete)]


def parameters(context: click.Context, incomplete: str) -> list[str]:
    """The parameters of the pipeline on this command line, up to their values."""
    return [f"{name}=" for name in _declared(context, "parameters") if f"{name}=".startswith(incomplete)]


def _declared(context: click.Context, section: str) -> list[str]:
    """The keys of one section of the pipeline on this command line."""
    # While an option still waits for its value, click has not yet told arguments apart.
    given = [str(each) for each in (context.params.get("pipeline"), *context.args) if each]
    for each in given:
        with suppress(Exception):
            file = find_pipeline(find_project(Path.cwd()), Path(each))
            documents, _ = read_file(file)
            return [name for document in documents for name in document.node.plain().get(section, {})]
    return []


def runs(context: click.Context, incomplete: str) -> list[str]:
    """The newest runs of this project."""
    with suppress(Exception):
        known = ["last", *(run.run_id for run in history.recent(find_project(Path.cwd()), 50))]
        return [run_id for run_id in known if run_id.startswith(incomplete)]
    return []


def steps_of_run(context: click.Context, incomplete: str) -> list[str]:
    """The steps of the run on this command line, else of the newest."""
    with suppress(Exception):
        return [name for name in _run(context).steps if name.startswith(incomplete)]
    return []


def artifacts(context: click.Context, incomplete: str) -> list[str]:
    """`step.output` of the run on this command line."""
    with suppress(Exception):
        rows = history.artifacts(find_project(Path.cwd()), _run(context))
        return [name for step, output, _ in rows if (name := f"{step}.{output}").startswith(incomplete)]
    return []


def _run(context: click.Context) -> Run:
    given = [context.params.get("run"), *context.args, "last"]
    return history.find(find_project(Path.cwd()), next(each for each in given if each))
