"""Values of labels within Kubernetes' rules, no two texts under one; what no label can have is an annotation."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping

from runner.orchestrators.container import LONGEST

OURS = "runner/"
"""Stands before the names of our labels and annotations."""
VALUE = re.compile("([A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?")
"""The value of a label."""
_DIGEST = 8


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
