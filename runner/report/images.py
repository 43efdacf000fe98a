"""Images of steps to look at: which are there, which will be made and why, and how far one is."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from runner.report.words import WIDTH, duration, table

_FEW = 3  # steps that are named rather than counted
_BYTES = 1_000_000
_DIGEST = re.compile(r"(?<=[:@])((?:sha256:)?[0-9a-f]{12})[0-9a-f]{8,}$")


def images_text(images: Iterable[Mapping[str, Any]], width: int = WIDTH) -> str:
    """A table of images, as `images_to_json` gives them; digests and the tags that are one are cut."""
    rows = [(_DIGEST.sub(r"\1", image["image"]), image["state"], _users(image), image["why"]) for image in images]
    return table(("image", "state", "of", "why"), rows, width=width, gives_way=("why", "of")) if rows else ""


def progress_text(progress: Mapping[str, Any], width: int = WIDTH) -> str:
    """One line of a build, a push or a pull: a step of so many, or bytes."""
    done, total = progress["done"], progress["total"]
    if progress["action"] == "build":
        line = f"[{done}/{total}] {' '.join(progress['text'].split())}"
    else:
        line = f"{done / _BYTES:.1f} of {total / _BYTES:.1f} MB"
    return line if len(line) <= width else f"{line[: width - 1]}…"


def _users(image: Mapping[str, Any]) -> str:
    steps = image["steps"]
    return ", ".join(filter(None, [_steps(steps), "(controller)" if image.get("controller") else ""]))


def sign_of_life(detail: str, seconds: float, width: int = WIDTH) -> str:
    """One line of a step of a build that takes its time: for how long it goes on, and what it said last."""
    line = f"{duration(round(seconds))}: {detail or 'nothing printed yet'}"
    return line if len(line) <= width else f"{line[: width - 1]}…"


def _steps(names: list[str]) -> str:
    return ", ".join(names) if len(names) <= _FEW else f"{len(names):,} steps"
