"""A plan: what would run on which stack, what would not, and why. Frozen values and their JSON."""

from __future__ import annotations

from collections import Counter
from typing import Any, NamedTuple

from runner.plan.deployment import DeployedStep
from runner.records import Artifact, artifacts_to_json

# What a plan does with a step.
RUN = "run"  # it runs
CACHED = "cached"  # an equal step has finished before; its outputs answer
UNKNOWN = "unknown"  # its inputs are not there yet, so only the run can tell
REUSED = "reused"  # not selected; a selected step takes its outputs of an earlier run
ACTIONS = (RUN, CACHED, UNKNOWN, REUSED)


class Selection(NamedTuple):
    """The steps that were asked for by name: `--only`, `--from`, `--to`. Empty: all of them.

    Each narrows: `only` to just these steps, `from_` to them and all that needs them, `to` to them and all they need.
    """

    only: tuple[str, ...] = ()
    from_: tuple[str, ...] = ()
    to: tuple[str, ...] = ()


class PreviousStep(NamedTuple):
    """A step as it was in the last run in which it succeeded.

    `fingerprint` has the digests of its parts, `inputs` those of its inputs by argument; `outputs` are in the store.
    """

    fingerprint: dict[str, str] = {}
    inputs: dict[str, str] = {}
    run_id: str = ""
    outputs: dict[str, Artifact] = {}


class Obstacle(NamedTuple):
    """Why this cannot be run. `path` leads to the value in the pipeline: ("steps", "fit", "inputs", "train").

    It is empty when not the document is to blame but the command."""

    path: tuple[str, ...]
    code: str
    message: str
    help: str | None = None


class PlannedStep(NamedTuple):
    """One step of a plan.

    `wave`     1 + the greatest wave of what it needs; 0 when it is reused
    `action`   one of ACTIONS, and `reason`, why, for people
    `changed`  what differs from the last run in which it succeeded: parts of the fingerprint, `inputs.<argument>`
    `key`      its cache key, as far as it is known and the step may be cached
    `outputs`  those of a cached or reused step
    """

    step: DeployedStep
    wave: int
    action: str
    reason: str
    changed: tuple[str, ...] = ()
    key: str | None = None
    outputs: dict[str, Artifact] = {}


class Plan(NamedTuple):
    """A pipeline against a stack. `steps` stand in the order of waves, and in each wave as they were written.

    `left_out` names the steps that were not selected and that nothing needs; with `obstacles` it cannot be deployed.
    """

    pipeline: str
    stack: str
    flavor: str
    parameters: dict[str, Any]
    on_failure: str
    steps: tuple[PlannedStep, ...]
    file: str = ""
    use_cache: bool = True
    obstacles: tuple[Obstacle, ...] = ()
    left_out: tuple[str, ...] = ()

    @property
    def would_run(self) -> bool:
        """Whether anything would run, for all that is known."""
        return any(planned.action in (RUN, UNKNOWN) for planned in self.steps)

    @property
    def counts(self) -> dict[str, int]:
        """How many steps of each action, in the order of ACTIONS."""
        found = Counter(planned.action for planned in self.steps)
        return {action: found[action] for action in ACTIONS}


def plan_to_json(plan: Plan) -> dict[str, Any]:
    """A plan as a JSON value; secrets are references in it, as everywhere before the worker."""
    return plan._asdict() | {
        "steps": [_step_to_json(planned) for planned in plan.steps],
        "obstacles": [obstacle._asdict() for obstacle in plan.obstacles],
        "counts": plan.counts,
        "would_run": plan.would_run,
    }


def _step_to_json(planned: PlannedStep) -> dict[str, Any]:
    step = planned.step._asdict() | {"outputs": planned.step.output_names}
    decision = {
        "wave": planned.wave,
        "action": planned.action,
        "reason": planned.reason,
        "changed": planned.changed,
        "key": planned.key,
        "artifacts": artifacts_to_json(planned.outputs),
    }
    return {"name": planned.step.name} | decision | step
