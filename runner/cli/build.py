"""`runner build`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from runner.cli.building import Telling
from runner.cli.options import echo_json, examples, format_option, lazily, pipeline_argument
from runner.cli.output import columns, tell_notes
from runner.cli.parameters import parameters
from runner.engine.prepare import Request, build_images, prepare
from runner.errors import UsageError
from runner.project import find_pipeline, find_project
from runner.report.images import images_text


@click.command(
    epilog=examples(
        "runner build pipelines/train.yaml --stack local_docker",
        "runner build pipelines/train.yaml --stack prod --push",
        "runner build pipelines/train.yaml --format json | jq -r '.[].image'",
    )
)
@pipeline_argument
@click.option("-p", "--param", "params", multiple=True, metavar="K=V", help="A parameter. May be repeated.")
@click.option(
    "-s",
    "--stack",
    metavar="NAME",
    help="The stack; by default $RUNNER_STACK, or the pipeline's.",
    shell_complete=lazily("stacks"),
)
@click.option("--push", is_flag=True, help="Push them to the stack's container registry, too.")
@format_option("text", "json")
def build(pipeline: Path, push: bool, format_: str, params: tuple[str, ...], stack: str | None) -> None:
    """Build the images that the steps of PIPELINE run in; those that are there already are left as they are."""
    project = find_project(Path.cwd())
    wanted = Request(find_pipeline(project, pipeline), stack, parameters(params, None), use_cache=False)
    prepared = prepare(project, wanted, ask=False)
    tell_notes(prepared.notes)
    if not prepared.stack.orchestrator.needs_image:
        flavor = prepared.stack.flavor
        raise UsageError(f"flavor '{flavor}' runs steps without images", "choose a stack whose flavor runs images")
    if push and not prepared.stack.container_registry:
        help = "add container_registry to it, as in {flavor: generic, uri: registry.example.com/ml}"
        raise UsageError(f"stack '{prepared.stack.name}' has no container registry to push to", help)
    made = build_images(prepared, Telling(), push=push)
    if format_ == "json":
        echo_json(made)
    else:
        print(images_text(made, columns(sys.stdout)))
