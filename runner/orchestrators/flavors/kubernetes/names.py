"""Names and labels within Kubernetes' rules (RFC 1123 names, values of labels), no two things under one."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping

from runner.orchestrators.base import Refusal
from runner.orchestrators.container import LONGEST, name_of

VALUE = re.compile("([A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?")
"""The value of a label."""
OURS = "runner/"
"""Stands before the names of our labels and annotations."""
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


def label_value(text: str) -> str:
    """The text itself where a label can have it; else what is left of it, a dot and a digest.

    There is no dot in the names of pipelines and steps, so that what is made is never another one's own name.
    """
    if VALUE.fullmatch(text):
        return text
    digest = hashlib.sha256(text.encode()).hexdigest()[:_DIGEST]
    kept = re.sub("[^A-Za-z0-9_-]+", "-", text)[: LONGEST - _DIGEST - 1].strip("-_")
    return f"{kept}.{digest}" if kept else digest


def labels(facts: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """Labels with these values, and annotations with those that no label can have as they are."""
    made = {name: label_value(text) for name, text in facts.items()}
    return made, {name: text for name, text in facts.items() if made[name] != text}


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
