"""The image of a run's controller, for flavors whose runs are walked inside of their engine: runner, and no code."""

from __future__ import annotations

from collections.abc import Sequence

from runner.images.recipe import Recipe, recipe
from runner.images.wheel import RunnerWheel

NAME = "runner-controller"


def controller_recipe(python: str, needs: Sequence[str], runner: RunnerWheel) -> Recipe:
    """How it is made, as those of steps are; `needs` as `needs_of_controller` tells them."""
    made = recipe({}, python=python, requirements=(), needs=needs, runner=runner)
    return made._replace(tag=f"{NAME}:{made.digest}", says=f"{made.says}, runner")
