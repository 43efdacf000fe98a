"""`runner stack`."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from runner.cli.options import Commands, Decorated, echo_json, examples, format_option, lazily
from runner.cli.output import tell_notes, writing
from runner.engine import declare, stacks
from runner.errors import UsageError
from runner.plan.changes import Change, changes_to_json
from runner.project.folder import find_project
from runner.report.changes import changes_text
from runner.report.stacks import revision_text, revisions_table, stack_text, stacks_table
from runner.spec.stack import COMPONENT_KINDS

_LETTERS = {
    "orchestrator": "-o",
    "artifact_store": "-a",
    "container_registry": "-c",
    "image_builder": "-i",
    "secret_store": "-x",
    "experiment_tracker": "-e",
}


@click.group(
    "stack",
    cls=Commands,
    epilog=examples(
        "runner stack copy default production",
        "runner stack update production -o k8s_orchestrator",
        "runner stack set production",
        "runner stack show                  # which one is active, and why",
        "runner stack export production > stacks/production.yaml",
    ),
)
def stack() -> None:
    """List, show, choose, copy, update, delete, export stacks.

    A stack says where steps run and where their values go. It stands in a file, is applied from one (`runner apply`),
    or is made by these commands. The active one is that of --stack, of RUNNER_STACK, of the pipeline, of
    `runner stack set`, or `default`, in this order.
    """


def _components(command: Decorated) -> Decorated:
    """An option for each kind of component: the name of a declared one."""
    for kind in reversed(COMPONENT_KINDS):
        noun = kind.replace("_", " ")
        command = click.option(
            _LETTERS[kind],
            *dict.fromkeys([f"--{kind}", f"--{kind.replace('_', '-')}"]),
            kind,
            metavar="NAME",
            help=f"The {noun} that it takes.",
            shell_complete=lazily(f"{kind}s"),
        )(command)
    return command


def _name(required: bool = True) -> Callable[[Decorated], Decorated]:
    return click.argument("name", required=required, shell_complete=lazily("stacks"))


@stack.command("register", epilog=examples("runner stack register production -o k8s_orchestrator -a bucket --set"))
@click.argument("name")
@_components
@click.option("--description", metavar="TEXT", help="What it is for.")
@click.option("--set", "set_", is_flag=True, help="And make it the active one.")
@format_option("text", "json")
def register(name: str, set_: bool, format_: str, **given: str | None) -> None:
    """Declare a new stack of declared components."""
    if not given.get("orchestrator"):
        raise UsageError("a stack needs an orchestrator", "say which: -o NAME; see: runner orchestrator list")
    project = find_project(Path.cwd())
    fields = {key: value for key, value in given.items() if value is not None}
    _tell(declare.register(project, "stack", name, fields), format_)
    if set_:
        _set(name)


@stack.command("list", epilog=examples("runner stack list", "runner stack list --format json"))
@format_option("text", "json")
def list_(format_: str) -> None:
    """List every stack that can be named, and mark the active one."""
    facts = stacks.overview(find_project(Path.cwd()), os.environ)
    if format_ == "json":
        echo_json(facts)
    else:
        print(stacks_table(facts))


@stack.command(
    "show", epilog=examples("runner stack show", "runner stack show prod", "runner stack show prod --revision 2")
)
@_name(required=False)
@click.option("-s", "--stack", "given", metavar="NAME", help="As on other commands.", shell_complete=lazily("stacks"))
@click.option("--revision", type=click.IntRange(min=1), metavar="N", help="What was applied as revision N.")
@click.option("--revisions", is_flag=True, help="List all revisions.")
@format_option("text", "json", "yaml")
def show(name: str | None, given: str | None, revision: int | None, revisions: bool, format_: str) -> None:
    """Show a stack, the active one by default: its components, where each was declared, and why it is active."""
    project = find_project(Path.cwd())
    if revision is not None or revisions:
        chosen = name or given or stacks.show(project, None, os.environ)["name"]
        found = stacks.revisions(project, chosen, revision)
        if format_ == "json":
            echo_json([each._asdict() for each in found] if revisions else found[0]._asdict())
        elif format_ == "yaml" and not revisions:
            print(found[0].text, end="")
        else:
            print(revisions_table(found) if revisions else revision_text(found[0]))
        return
    facts = stacks.show(project, name or given, os.environ)
    if format_ == "json":
        echo_json(facts)
    elif format_ == "yaml":
        print(declare.export(project, facts["name"]), end="")
    else:
        print(stack_text(facts))


@stack.command("set", epilog=examples("runner stack set production", "runner stack set default"))
@_name()
def set_(name: str) -> None:
    """Make a stack the active one of this project."""
    _set(name)


@stack.command("copy", epilog=examples("runner stack copy default production"))
@click.argument("source", shell_complete=lazily("stacks"))
@click.argument("target")
@format_option("text", "json")
def copy(source: str, target: str, format_: str) -> None:
    """Declare TARGET, a stack that is what SOURCE is."""
    _tell(declare.copy(find_project(Path.cwd()), source, target), format_)


@stack.command(
    "update",
    epilog=examples(
        "runner stack update production -o k8s_orchestrator", "runner stack update production --without secret_store"
    ),
)
@_name(required=False)
@_components
@click.option("--description", metavar="TEXT", help="What it is for.")
@click.option(
    "--without",
    multiple=True,
    type=click.Choice([*COMPONENT_KINDS[1:], "description", "defaults"]),
    help="Take this part back. May be repeated.",
)
@format_option("text", "json")
def update(name: str | None, without: tuple[str, ...], format_: str, **given: str | None) -> None:
    """Give a stack, the active one by default, other components."""
    project = find_project(Path.cwd())
    fields = {key: value for key, value in given.items() if value is not None}
    if not fields and not without:
        raise UsageError("nothing to update", "say what: runner stack update NAME -o ORCHESTRATOR; see --help")
    name = name or stacks.show(project, None, os.environ)["name"]
    change = declare.update(project, "stack", name, fields, without)
    _tell(change, format_)
    tell_notes(declare.beside(change))


@stack.command("delete", epilog=examples("runner stack delete production"))
@_name()
@format_option("text", "json")
def delete(name: str, format_: str) -> None:
    """Delete an applied or registered stack; its components stay. Runs that it carried stay on record."""
    _tell(declare.delete(find_project(Path.cwd()), "stack", name), format_)


@stack.command("export", epilog=examples("runner stack export production -o stacks/production.yaml"))
@_name(required=False)
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Write it there.")
@click.option("--force", is_flag=True, help="Overwrite FILE.")
def export(name: str | None, output: Path | None, force: bool) -> None:
    """Print a stack and everything that it names as YAML, as `runner apply` takes it."""
    project = find_project(Path.cwd())
    text = declare.export(project, name or stacks.show(project, None, os.environ)["name"])
    if output is None:
        print(text, end="")
        return
    if output.exists() and not force:
        raise UsageError(f"'{output}' is there already", "choose another name, or overwrite it: --force")
    with writing(output):
        output.write_text(text, "utf-8")
    print(output)


def _set(name: str) -> None:
    declare.set_active(find_project(Path.cwd()), name)
    print(f"active stack: {name}")
    if over := os.environ.get("RUNNER_STACK"):
        print(f"note: RUNNER_STACK is set to '{over}' and goes before it")


def _tell(change: Change, format_: str) -> Any:
    if format_ == "json":
        echo_json(changes_to_json([change])[0])
    else:
        print(changes_text([change]).partition("\n\n")[0])
