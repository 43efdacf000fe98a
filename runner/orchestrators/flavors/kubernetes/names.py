"""Names within Kubernetes' rules (RFC 1123), no two things under one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from runner.orchestrators.base import Refusal
from runner.orchestrators.container import LONGEST, name_of
from runner.orchestrators.labels import label_value

CONTROLLER = "runner-controller"
"""The controller's ServiceAccount, Role and RoleBinding, one of each in a namespace."""
STEP = "step"
"""The container of a step's pod."""
STAND_IN = "run-id"
"""A run's id in what is compiled for no run in particular."""
_USUAL = "20270131-094500-3f9a1c"  # as long as the ids of runs are
_DIGEST = 8


def run_id_of(run_id: str) -> str:
    """The run's id, or the word that stands for it."""
    return STAND_IN if "$" in run_id else run_id


def job_name(run_id: str, pipeline: str, mark: str) -> str:
    """The name of a run's Job; the mark, a digest, tells runs apart whose names are cut or spelt alike."""
    tail = f"-{mark[:_DIGEST]}"
    name = re.sub("[^a-z0-9]+", "-", f"runner-{run_id}-{pipeline}".lower())
    return name[: LONGEST - len(tail)].rstrip("-") + tail


def pod_prefix(job: str) -> str:
    """How the names of a Job's pods begin: clusters cut it to make room for five characters of their own."""
    return f"{job}-"[: LONGEST - 5]


def collisions(steps: Iterable[str]) -> Iterator[Refusal]:
    """Steps whose pods would have one name, or one label."""
    pods: dict[str, str] = {}
    values: dict[str, str] = {}
    for step in steps:
        for seen, made in ((pods, name_of(_USUAL, step, 1, "0" * 16)), (values, label_value(step))):
            other = seen.setdefault(made, step)
            if other != step:
                message = f"the pods of the steps '{other}' and '{step}' would both be named '{made}'"
                yield Refusal(("steps", step), "name-collision", message, "rename one of them")
                break
