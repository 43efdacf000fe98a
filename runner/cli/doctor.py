"""`runner doctor`."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from runner.checks import Check
from runner.cli.options import colored, echo_json, examples, format_option, lazily
from runner.cli.output import write_lines
from runner.engine.doctor import TIMEOUT, examined
from runner.errors import EngineError
from runner.project import find_project
from runner.report.doctor import as_json, check_lines, closing_line


@click.command(
    epilog=examples("runner doctor", "runner doctor --stack production", "runner doctor --format json --timeout 60")
)
@click.option(
    "-s", "--stack", metavar="NAME", help="Try this stack, a name or a file.", shell_complete=lazily("stacks")
)
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    default=TIMEOUT,
    show_default=True,
    metavar="SECONDS",
    help="How long something may stay silent.",
)
@click.option("--outside", is_flag=True, help="Start nothing in the engine: no pod in a cluster.")
@format_option("text", "json")
def doctor(stack: str | None, timeout: float, outside: bool, format_: str) -> int:
    """Try everything that a stack needs: engine, credentials, rights, stores, registry, versions.

    Each is really used, and each line says `ok` or what to do. Exits with 0 when all is ok, with 5 otherwise. In a
    cluster, a pod is started that opens the artifact store from there, and is gone within a minute or so.
    """
    found: list[Check] = []
    with _quiet():
        for check in _watched(examined(find_project(Path.cwd()), stack, os.environ, timeout, outside=outside)):
            found.append(check)
            if format_ == "text":
                write_lines(sys.stdout, check_lines(check, color=colored(sys.stdout)))
    if format_ == "json":
        echo_json(as_json(found))
    else:
        write_lines(sys.stdout, [closing_line(found)])
    return 0 if all(check.ok for check in found) else EngineError.exit_code


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """SDKs log at length what their checks tell in a line."""
    before = logging.root.manager.disable
    logging.disable()
    try:
        yield
    finally:
        logging.disable(before)


def _watched(checks: Iterator[Check]) -> Iterator[Check]:
    """The same checks; on a terminal something moves while they are waited for."""
    while True:
        with _busy():
            check = next(checks, None)
        if check is None:
            return
        yield check


@contextlib.contextmanager
def _busy() -> Iterator[None]:
    if not (sys.stderr.isatty() and colored(sys.stderr)):
        yield
        return
    from rich.console import Console

    with Console(stderr=True).status("trying …"):
        yield
