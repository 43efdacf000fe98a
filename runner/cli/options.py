"""What several commands share: their options, how they print JSON, and when they use colour."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO, TypeVar

import click

Decorated = TypeVar("Decorated", bound=Callable[..., Any])


class Commands(click.Group):
    """A group that answers an unknown command with the nearest one, or with all of them."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        known = self.list_commands(ctx)
        unknown = args[0] not in known and self.get_command(ctx, args[0]) is None
        if unknown and not args[0].startswith("-") and not ctx.resilient_parsing:
            raise click.UsageError(_unknown(args[0], known), ctx)
        return super().resolve_command(ctx, args)


def _unknown(word: str, known: list[str]) -> str:
    from runner.errors import nearest  # only for the mistake

    close = nearest(word, known)
    return f"no such command '{word}'; " + (f"did you mean '{close}'?" if close else f"known: {', '.join(known)}")


def examples(*commands: str) -> str:
    """The epilog of a command's help; \\b keeps click from filling the lines."""
    return "\n".join(["\b", "Examples:", *(f"  {command}" for command in commands)])


def format_option(*formats: str) -> Callable[[Decorated], Decorated]:
    """`--format`, the first one by default."""
    kinds = click.Choice(formats)
    return click.option(
        "--format", "format_", type=kinds, default=formats[0], show_default=True, help="How to print it."
    )


def pipeline_argument(command: Decorated) -> Decorated:
    """PIPELINE: a file, or the name of a pipeline in `pipelines/`."""
    kind = click.Path(path_type=Path)
    return click.argument("pipeline", type=kind, shell_complete=lazily("pipelines"))(command)


def run_argument(default: str | None) -> Callable[[Decorated], Decorated]:
    """RUN: a run's id, its beginning, or `last`."""
    if default is None:
        return click.argument("run", shell_complete=lazily("runs"))
    return click.argument("run", default=default, shell_complete=lazily("runs"))


def store_option(command: Decorated) -> Decorated:
    """`--stack` of what looks for runs."""
    return click.option(
        "-s",
        "--stack",
        metavar="NAME",
        help="Look into the artifact store of this stack, a name or a file, and nowhere else.",
        shell_complete=lazily("stacks"),
    )(command)


def step_option(name: str, parameter: str, help: str) -> Callable[[Decorated], Decorated]:
    """An option that names steps, once each time it is given."""
    return click.option(name, parameter, multiple=True, metavar="STEP", help=help, shell_complete=lazily("steps"))


def request_options(command: Decorated) -> Decorated:
    """What `plan` and `run` have in common."""
    for option in (
        click.option("--no-cache", is_flag=True, help="Run every step, whatever finished before."),
        step_option("--to", "to", "Run STEP and what it needs. May be repeated."),
        step_option("--from", "from_", "Run STEP and what needs it. May be repeated."),
        step_option("--only", "only", "Run STEP alone, on outputs of earlier runs. May be repeated."),
        click.option(
            "--params-file",
            type=click.Path(path_type=Path),
            metavar="FILE",
            help="Parameters as a mapping in YAML, JSON or TOML; -p goes before it.",
        ),
        click.option(
            "-p",
            "--param",
            "params",
            multiple=True,
            metavar="K=V",
            help="A parameter. May be repeated.",
            shell_complete=lazily("parameters"),
        ),
        click.option(
            "-s",
            "--stack",
            metavar="NAME",
            help="The stack; by default $RUNNER_STACK, or the pipeline's.",
            shell_complete=lazily("stacks"),
        ),
    ):
        command = option(command)
    return command


def lazily(what: str) -> Callable[[click.Context, click.Parameter, str], list[str]]:
    """What `candidates.<what>` finds for a shell to complete."""

    def complete(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
        from runner.cli import candidates  # only when a shell asks

        found: list[str] = getattr(candidates, what)(context, incomplete)
        return found

    return complete


def echo_json(value: Any) -> None:
    """Facts for a program."""
    print(json.dumps(value, indent=2, ensure_ascii=False, default=str))


def colored(stream: TextIO) -> bool:
    """Colour is for people at a terminal who have not set NO_COLOR."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
