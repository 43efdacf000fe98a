"""Recipes: golden Dockerfiles, and what changes an image's tag."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from runner.errors import EngineError
from runner.images.own import OwnBuild
from runner.images.recipe import ARCHIVE, BAKED, Recipe, recipe, travels
from runner.images.tree import File, tree
from runner.images.wheel import RunnerWheel

GOLDEN = Path(__file__).parents[1] / "golden" / "images"
RELEASE = RunnerWheel("stack-runner==1.2.3")
WHEEL = RunnerWheel("stack_runner-1.2.3-py3-none-any.whl", "stack_runner-1.2.3-py3-none-any.whl", b"wheel")
OWN = OwnBuild("FROM debian\n", "docker/Dockerfile", [], "ab" * 32)


def made(image: dict[str, Any] | None = None, runner: RunnerWheel = RELEASE, **given: Any) -> Recipe:
    requirements = (image or {}).get("requirements", [])
    needs = ["cloudpickle>=3", "obstore>=0.12"]
    return recipe(image or {}, python="3.11", requirements=requirements, needs=needs, runner=runner, **given)


@pytest.fixture
def code(tmp_path: Path) -> list[File]:
    (tmp_path / "steps.py").write_text("")
    return tree(tmp_path)


CASES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "plain": ({}, {}),
    "wheel": ({"python": "3.12"}, {"runner": WHEEL}),
    "everything": (
        {
            "base": "registry.example.com/python@sha256:00",
            "requirements": ["numpy>=1", "six"],
            "apt": ["git", "libgomp1"],
            "env": {"PIP_INDEX_URL": "https://example.com/simple", "QUOTED": 'a "b" $c \\d'},
        },
        {},
    ),
    "hashes": ({"requirements": ["six==1.17.0 --hash=sha256:00"]}, {}),
    "own": ({"dockerfile": "docker/Dockerfile", "requirements": ["six"]}, {"own": OWN}),
}


@pytest.mark.parametrize("name", CASES)
def test_the_dockerfile(name: str, request: pytest.FixtureRequest, code: list[File]) -> None:
    image, given = CASES[name]
    text = made(image, **given, **({"code": code} if name == "own" else {})).dockerfile
    path = GOLDEN / f"{name}.Dockerfile"
    if request.config.getoption("--golden"):
        path.write_text(text)
    assert text == path.read_text()


def test_equal_settings_make_one_image() -> None:
    assert made({"requirements": ["six"]}).tag == made({"requirements": ["six"]}).tag


@pytest.mark.parametrize(
    "other",
    [
        made({"requirements": ["six"]}),
        made({"apt": ["git"]}),
        made({"env": {"A": "b"}}),
        made({"python": "3.12"}),
        made({"base": "debian"}),
        made(runner=RunnerWheel("stack-runner==1.2.4")),
        made(runner=WHEEL),
        made(runner=WHEEL._replace(content=b"other")),
        made(own=OWN),
        made(own=OWN._replace(digest="cd" * 32)),
    ],
    ids=lambda recipe: recipe.says,
)
def test_all_that_goes_in_counts_in_the_tag(other: Recipe) -> None:
    assert other.tag != made().tag


def test_code_that_is_baked_counts_and_is_the_last_layer(code: list[File], tmp_path: Path) -> None:
    before = made(code=code)
    (tmp_path / "steps.py").write_text("changed")
    after = made(code=tree(tmp_path))
    assert before.tag != after.tag and before.dockerfile == after.dockerfile
    assert after.dockerfile.splitlines()[-1] == "COPY --chown=1000:1000 code/ /app/"


def test_how_code_comes_to_a_step() -> None:
    assert travels({}) == travels({"requirements": ["six"]}) == travels({"image": "x"}) == ARCHIVE
    assert travels({"dockerfile": "Dockerfile"}) == travels({"context": "x"}) == travels({"code": "baked"}) == BAKED
    assert travels({"dockerfile": "Dockerfile", "code": "archive"}) == ARCHIVE


@pytest.mark.parametrize("line", ["-e .", "./wheels/x.whl", "/opt/x", "x @ file:///opt/x", "../other"])
def test_paths_of_this_machine_are_refused(line: str) -> None:
    with pytest.raises(EngineError, match="is a path of this machine"):
        made({"requirements": [line]})


def test_a_variable_of_several_lines_is_refused() -> None:
    with pytest.raises(EngineError, match=r"settings.image.env.KEY has several lines"):
        made({"env": {"KEY": "a\nb"}})
