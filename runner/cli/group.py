"""The group of all commands. A command's file is loaded when that command is called, and no sooner."""

from __future__ import annotations

import importlib
import os
from pathlib import Path
from typing import Any

import click

from runner import __version__
from runner.cli.options import Commands, examples

# Verb → where it is, and its line in `runner --help`.
VERBS = {
    "init": ("runner.cli.init:init", "Write a project that runs at once."),
    "validate": ("runner.cli.validate:validate", "Show every problem of every document."),
    "schema": ("runner.cli.schema:schema", "Print JSON Schema of the documents."),
    "plan": ("runner.cli.plan:plan", "Show what a run would do, and why."),
    "build": ("runner.cli.build:build", "Build the images that steps run in."),
    "compile": ("runner.cli.compile:compile", "Print the engine's own documents."),
    "run": ("runner.cli.run:run", "Run a pipeline."),
    "runs": ("runner.cli.runs:runs", "List, show, follow, cancel, resume, delete runs."),
    "artifacts": ("runner.cli.artifacts:artifacts", "List, show, fetch what steps produced."),
    "apply": ("runner.cli.apply:apply", "Register stacks and components from files."),
    "stack": ("runner.cli.stack:stack", "List, show, set, copy, update, delete, export stacks."),
    "orchestrator": ("runner.cli.component:orchestrator", "Register, list, show, update, delete orchestrators."),
    "artifact-store": ("runner.cli.component:artifact_store", "Register, list, show, update, delete artifact stores."),
    "container-registry": (
        "runner.cli.component:container_registry",
        "Register, list, show, update, delete container registries.",
    ),
    "image-builder": ("runner.cli.component:image_builder", "Register, list, show, update, delete image builders."),
    "secret-store": ("runner.cli.component:secret_store", "Register, list, show, update, delete secret stores."),
    "experiment-tracker": (
        "runner.cli.component:experiment_tracker",
        "Register, list, show, update, delete experiment trackers.",
    ),
    "flavors": ("runner.cli.flavors:flavors", "Show the flavors and their settings."),
    "integrations": ("runner.cli.integrations:integrations", "List, install, check what flavors and stores need."),
    "doctor": ("runner.cli.doctor:doctor", "Try everything that a stack needs."),
    "completion": ("runner.cli.completion:completion", "Print the completion script of a shell."),
    "version": ("runner.cli.version:version", "Show the versions of runner and of Python."),
}
# What engines call, and nobody else.
HIDDEN = {"controller": "runner.cli.controller:controller"}


class Verbs(Commands):
    """A group that knows its commands by a literal table."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        place = VERBS[cmd_name][0] if cmd_name in VERBS else HIDDEN.get(cmd_name)
        if place is None:
            return None
        module, _, name = place.partition(":")
        command: click.Command = getattr(importlib.import_module(module), name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, help) for name, (_, help) in VERBS.items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[Any]:
        from click.shell_completion import CompletionItem  # only when a shell asks

        verbs = [CompletionItem(name, help=help) for name, (_, help) in VERBS.items() if name.startswith(incomplete)]
        return verbs + click.Command.shell_complete(self, ctx, incomplete)


@click.group(
    cls=Verbs,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=examples(
        "runner init demo && cd demo",
        "runner run pipelines/hello.yaml",
        "runner runs show last",
    ),
)
@click.option(
    "-C",
    "--project",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="DIR",
    help="Work in DIR instead of the current folder.",
)
@click.version_option(__version__, message="runner %(version)s")
@click.pass_context
def runner(context: click.Context, project: Path | None) -> None:
    """Validate, plan and run declared pipelines."""
    if project is not None:
        before = Path.cwd()
        os.chdir(project)
        context.call_on_close(lambda: os.chdir(before))
