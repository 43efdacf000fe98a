"""What becomes of images: which are there, which are made, pushed or pulled, and why."""

from __future__ import annotations

import pytest

from runner.errors import EngineError
from runner.images.own import OwnBuild
from runner.images.recipe import Recipe, recipe
from runner.images.registry import Place, Registry, RegistryError
from runner.images.resolve import Image, Known, Target, images_to_json, resolve
from runner.images.wheel import RunnerWheel

DIGEST = "sha256:" + "ab" * 32
NOTHING = Known()
DOWN = EngineError("no Docker Engine answers", "start it")


def made(*requirements: str, version: str = "1") -> Recipe:
    runner = RunnerWheel(f"stack-runner=={version}")
    return recipe({}, python="3.11", requirements=requirements, needs=["cloudpickle"], runner=runner)


class Somewhere(Target):
    """A registry that has images of these tags, or that is down."""

    has: tuple[str, ...] = ()

    def digest(self, tag: str) -> str | None:
        if self.has == ("down",):
            raise RegistryError("it is down")
        return DIGEST if tag in self.has else None


def registry(*has: str) -> Target:
    found = Somewhere(Place("example.com", "ml"), lambda: Registry("example.com"))
    found.has = has
    return found


def looked(wanted: Recipe | str, known: Known = NOTHING, target: Target | None = None, remote: bool = False) -> Image:
    return resolve({"a": wanted}, known=known, target=target, remote=remote, has=lambda name: name == "here")[0]


HERE = Known({made("six").tag: made("six").parts})


@pytest.mark.parametrize(
    ("known", "target", "remote", "state", "reference"),
    [
        (HERE, None, False, "exists", made("six").tag),
        (Known(), None, False, "to build", made("six").tag),
        (Known(trouble=DOWN), None, False, "not known", made("six").tag),
        (Known(), registry(), False, "to build", f"example.com/ml/{made('six').tag}"),
        (HERE, registry(), False, "to push", f"example.com/ml/{made('six').tag}"),
        (HERE, registry("down"), False, "not known", f"example.com/ml/{made('six').tag}"),
        (Known(), registry(made("six").tag), False, "to pull", f"example.com/ml/runner-step@{DIGEST}"),
        (Known(trouble=DOWN), registry(made("six").tag), True, "exists", f"example.com/ml/runner-step@{DIGEST}"),
        (Known({f"example.com/ml/runner-step@{DIGEST}": {}}), registry(made("six").tag), False, "exists", None),
    ],
)
def test_an_image_of_ours(known: Known, target: Target | None, remote: bool, state: str, reference: str | None) -> None:
    image = looked(made("six"), known, target, remote)
    assert image.state == state and reference in (None, image.reference)


@pytest.mark.parametrize(
    ("reference", "remote", "state"), [("here", False, "exists"), ("gone", False, "to pull"), ("gone", True, "ready")]
)
def test_a_ready_image(reference: str, remote: bool, state: str) -> None:
    assert looked(reference, remote=remote).state == state


def test_why_it_is_built() -> None:
    assert looked(made("six")).why == "never built: python:3.11-slim, 1 requirement"
    assert looked(made("six", "idna"), HERE).why == "requirements changed: python:3.11-slim, 2 requirements"
    both = made("six", "idna", version="2")
    assert looked(both, HERE).why.startswith("requirements and runner changed: ")


def test_which_requirements_came_and_went() -> None:
    before = made("six", "idna==3.9")
    known = Known({before.tag: before.parts}, None, {before.parts["requirements"]: list(before.requirements)})
    after = looked(made("six", "idna==3.10", "attrs"), known)
    assert after.why == "requirements changed (+idna==3.10, +attrs, -idna==3.9): python:3.11-slim, 3 requirements"
    many = looked(made(*(f"x{number}" for number in range(9))), known)
    assert many.why.startswith("requirements changed (+x0, +x1, +x2, +x3, 7 more): ")


def test_a_context_that_changed_is_told_apart_from_an_image_that_is_new() -> None:
    def of(text: str, context: str) -> Recipe:
        own = OwnBuild(text, "docker/Dockerfile", [], text + context, context)
        return recipe({}, python="3.11", requirements=[], needs=[], runner=RunnerWheel("x==1"), own=own)

    before = of("FROM a", "1")
    known = Known({before.tag: before.parts})
    assert looked(of("FROM a", "2"), known).why.startswith("the build context of docker/Dockerfile changed: narrow")
    assert looked(of("FROM b", "1"), known).why.startswith("never built: ")


def test_steps_of_one_image_stand_together() -> None:
    wanted: dict[str, Recipe | str] = {"a": made("six"), "b": "here", "c": made("six")}
    found = resolve(wanted, known=Known(), target=None, remote=False, has=lambda name: True)
    assert [image.steps for image in found] == [("a", "c"), ("b",)]
    facts = images_to_json(found)
    assert facts[0]["steps"] == ["a", "c"] and facts[0]["dockerfile"].startswith("FROM ") and "tag" not in facts[1]


def test_docker_hub_by_its_name() -> None:
    hub = Target(Place("registry-1.docker.io", "example"), lambda: Registry("registry-1.docker.io"))
    assert hub.repository("runner-step:ab") == "docker.io/example/runner-step"
