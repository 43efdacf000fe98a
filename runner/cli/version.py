"""`runner version`."""

from __future__ import annotations

import platform

import click

from runner import __version__
from runner.cli.options import echo_json, examples, format_option


@click.command(epilog=examples("runner version", "runner version --format json"))
@format_option("text", "json")
def version(format_: str) -> None:
    """Show the versions of runner and of Python."""
    facts = {"runner": __version__, "python": platform.python_version(), "platform": platform.platform()}
    if format_ == "json":
        echo_json(facts)
    else:
        print("\n".join(f"{name:<10}{value}" for name, value in facts.items()))
