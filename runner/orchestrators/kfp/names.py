"""Names of tasks and pipelines as both engines take them: small letters, digits and dashes."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable

LONGEST = 63
"""Characters of a task's name, which also becomes part of the name of a pod."""
LONGEST_PIPELINE = 128
"""Of a pipeline's, as the SDK checks it: `[a-z0-9][a-z0-9-]{0,127}`."""
_DIGEST = 8


def task_names(steps: Iterable[str], pipeline: str = "") -> dict[str, str]:
    """Step → the name of its task. Steps that would have one name, the `pipeline`'s, or one that is too long, are told
    apart by a digest of their own.

    A task of its pipeline's name is none that the engines refuse; Kubeflow's SDK takes its component for the pipeline.
    """
    steps = list(steps)
    spelt = {step: _spelt(step) for step in steps}
    count = Counter([*spelt.values(), pipeline_name(pipeline)])
    return {
        step: name if name and len(name) <= LONGEST and count[name] == 1 else _told_apart(name, step)
        for step, name in spelt.items()
    }


def pipeline_name(name: str) -> str:
    """A pipeline's name as the engines keep it; people see the name itself."""
    return _spelt(name)[:LONGEST_PIPELINE].rstrip("-") or _told_apart("", name)


def _spelt(name: str) -> str:
    return re.sub("[^a-z0-9]+", "-", name.lower()).strip("-")


def _told_apart(name: str, original: str) -> str:
    digest = hashlib.sha256(original.encode()).hexdigest()[:_DIGEST]
    return "-".join(filter(None, (name[: LONGEST - _DIGEST - 1].strip("-"), digest)))
