"""`runner controller`: what the pod of a run's Job runs; nothing for people."""

from __future__ import annotations

import gc
import json
import resource
import signal
import sys
from collections.abc import Mapping
from types import FrameType
from typing import Any

import click

from runner.cli.output import write_lines
from runner.engine.control import control
from runner.errors import UsageError
from runner.records import Event

LEFT = 143  # as a process ends that SIGTERM has killed: its engine starts another one


@click.command(hidden=True)
@click.option("--run-id", required=True, help="The run to carry on.")
@click.option("--artifact-store", required=True, help="Flavor and fields of the store with its records, as JSON.")
@click.option("--secret-store", default="{}", help="The same of where secrets are looked up.")
def controller(run_id: str, artifact_store: str, secret_store: str) -> int:
    """Carry a run on, inside of its engine, and print its events as JSON lines.

    Ends with 0 when the run has ended, however it has. At SIGTERM it leaves the run to the next controller. What it
    took of its engine is said at the end, on stderr.
    """
    gc.enable()  # a run may be long
    signal.signal(signal.SIGTERM, _leave)
    stores = _fields("--artifact-store", artifact_store), _fields("--secret-store", secret_store)
    for happened in control(run_id, *stores, asked=_tell_what_it_took):
        if isinstance(happened, Event):
            write_lines(sys.stdout, [json.dumps(happened._asdict(), ensure_ascii=False, separators=(",", ":"))])
    return 0


def _tell_what_it_took(requests: Mapping[str, int]) -> None:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6  # Linux counts it in KiB
    asked = ", ".join(f"{what} {count}" for what, count in sorted(requests.items())) or "none"
    write_lines(sys.stderr, [f"controller: peak memory {peak:.0f} MB; requests: {asked}"])


def _leave(number: int, frame: FrameType | None) -> None:
    raise SystemExit(LEFT)


def _fields(option: str, text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError as error:
        raise UsageError(f"{option} is not JSON: {error}") from None
    if not isinstance(found, dict):
        raise UsageError(f"{option} is no JSON object")
    return found
