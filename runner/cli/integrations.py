"""`runner integrations`."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from runner import integrations as known
from runner.cli.options import Commands, echo_json, examples, format_option, lazily
from runner.cli.output import columns
from runner.engine import installing
from runner.errors import EngineError, UsageError
from runner.project import choose_stack, find_project, load_stack
from runner.report.integrations import integrations_facts, integrations_table


@click.group(
    "integrations",
    cls=Commands,
    epilog=examples(
        "runner integrations list", "runner integrations install kubernetes s3", "runner integrations check"
    ),
)
def integrations() -> None:
    """List, install, check what flavors and stores need beside runner itself.

    An integration is what one engine or store is talked to with: the extra of the same name of runner's own package.
    """


@integrations.command("list", epilog=examples("runner integrations list", "runner integrations list --format json"))
@format_option("text", "json")
def list_(format_: str) -> None:
    """List the integrations, what each needs, and what of it is installed."""
    found = {name: known.needed(name) for name in known.INTEGRATIONS}
    if format_ == "json":
        echo_json(integrations_facts(found))
    else:
        print(integrations_table(found, columns(sys.stdout)))


@integrations.command(
    "check",
    epilog=examples(
        "runner integrations check                    # what the active stack needs",
        "runner integrations check kubernetes s3",
        "runner integrations check --stack production --format json",
    ),
)
@click.argument("names", nargs=-1, metavar="[NAME]...", shell_complete=lazily("integrations"))
@click.option(
    "-s", "--stack", metavar="NAME", help="What this stack needs, a name or a file.", shell_complete=lazily("stacks")
)
@format_option("text", "json")
def check(names: tuple[str, ...], stack: str | None, format_: str) -> int:
    """Import what integrations need: what is installed and broken is told too.

    Without NAME, those that the active stack needs. Exits with 0 when all is there, with 5 otherwise.
    """
    if names and stack:
        raise UsageError("NAME and --stack are two ways to say what is checked", "give one of them")
    chosen = known.chosen(names) if names else _of_stack(stack)
    found = installing.tried(chosen)
    lacking = list(dict.fromkeys(each.integration for each in found if each.told))
    if format_ == "json":
        facts = [{"integration": each.integration, **each.needed._asdict(), "told": each.told} for each in found]
        echo_json({"ok": not lacking, "checked": facts, "install": _commands(lacking, found)})
    else:
        _tell(found)
        for command in _commands(lacking, found):
            print(f"→ {command}")
    return EngineError.exit_code if lacking else 0


@integrations.command(
    "install",
    epilog=examples(
        "runner integrations install kubernetes",
        "runner integrations install kubernetes s3 --dry-run   # print the command, do nothing",
        "runner integrations install all --upgrade",
    ),
)
@click.argument("names", nargs=-1, required=True, metavar="NAME...", shell_complete=lazily("integrations"))
@click.option("--dry-run", is_flag=True, help="Print the command that would be run, and do nothing.")
@click.option("--upgrade", is_flag=True, help="Take the newest versions, also of what is there already.")
def install(names: tuple[str, ...], dry_run: bool, upgrade: bool) -> None:
    """Install integrations into the environment that runs this command, with uv or pip.

    `all` is every one.
    """
    chosen = known.chosen(names)
    if dry_run:
        print(shlex.join(installing.install_command(chosen, upgrade=upgrade)))
        return
    installing.install(chosen, upgrade=upgrade)
    print(f"installed: {', '.join(chosen)}")


def _of_stack(given: str | None) -> list[str]:
    project = find_project(Path.cwd())
    return installing.needed_by(load_stack(project, *choose_stack(project, given, os.environ), os.environ))


def _tell(found: Sequence[installing.Tried]) -> None:
    if not found:
        print("this stack needs no integration")
    for each in found:
        told = each.told or f"{each.needed.installed}, imports"
        print(f"  {'FAIL' if each.told else 'ok':<4}  {each.integration:<12}  {each.needed.requirement}: {told}")


def _commands(lacking: Sequence[str], found: Sequence[installing.Tried]) -> list[str]:
    """What to do about them: install what is missing, and anew what is there and does not import."""
    broken = {each.integration for each in found if each.told and each.needed.state == known.OK}
    commands = [known.command(*names)] if (names := [name for name in lacking if name not in broken]) else []
    return commands + [f"{known.command(name)} --upgrade" for name in lacking if name in broken]
