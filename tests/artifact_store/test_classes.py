"""Instances come back by their fields, when those are the whole of them."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import pytest
from pydantic import BaseModel, Field

from runner.artifact_store.local import LocalArtifactStore
from runner.artifact_store.materializers import CannotLoad, load, save

Go = Callable[[Any], tuple[str, Any]]


@dataclass(frozen=True)
class Point:
    x: int
    y: float = 0.5
    tags: list[str] = field(default_factory=list)
    kind: ClassVar[str] = "point"


@dataclass(slots=True)
class Slotted:
    x: int


@dataclass
class Nested:
    point: Point


@dataclass
class Tupled:
    pair: tuple[int, int]


@dataclass
class Doubled:
    x: int

    def __post_init__(self) -> None:
        self.x *= 2


@dataclass(eq=False)
class Unequal:
    x: int


@dataclass
class Hidden:
    x: int = field(init=False, default=1)


class Model(BaseModel):
    name: str
    when: datetime.datetime
    inner: list[Inner] = []
    renamed: int = Field(1, alias="other")


class Inner(BaseModel):
    value: tuple[int, ...] = ()


class Loose(BaseModel):
    value: Any


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Test modules have no import path of their own: let the classes here have one."""
    module = ModuleType("classes_of_a_project")
    for kind in (Point, Slotted, Nested, Tupled, Doubled, Unequal, Hidden, Model, Inner, Loose):
        monkeypatch.setattr(kind, "__module__", module.__name__)
        setattr(module, kind.__name__, kind)
    monkeypatch.setitem(__import__("sys").modules, module.__name__, module)
    yield


@pytest.mark.parametrize("value", [Point(1), Point(1, 2.5, ["a"]), Slotted(3)], ids=repr)
def test_dataclasses(there_and_back: Go, value: Any) -> None:
    kind, again = there_and_back(value)
    assert (kind, again, type(again)) == ("dataclass", value, type(value))


def test_the_content_is_json(store: LocalArtifactStore) -> None:
    artifact = save(Point(1), store)
    assert json.loads(store.get(artifact.uri)) == {"x": 1, "y": 0.5, "tags": []}
    assert artifact.meta == {"class": "classes_of_a_project:Point"}


@pytest.mark.parametrize("value", [Nested(Point(1)), Tupled((1, 2)), Doubled(1), Hidden()], ids=repr)
def test_others_are_pickled(there_and_back: Go, value: Any) -> None:
    assert there_and_back(value) == ("pickle", value)


def test_without_equality_it_is_pickled(there_and_back: Go) -> None:
    kind, again = there_and_back(Unequal(1))
    assert (kind, again.x) == ("pickle", 1)


def test_more_than_its_fields_is_pickled(there_and_back: Go) -> None:
    value = Slotted(1)
    loose = Tupled((1, 2))
    loose.pair = [1, 2]  # type: ignore[assignment]
    assert there_and_back(loose)[0] == "dataclass"
    loose.extra = 1  # type: ignore[attr-defined]
    assert there_and_back(loose)[0] == "pickle"
    assert there_and_back(value)[0] == "dataclass"


def test_a_class_without_an_import_path_is_pickled(there_and_back: Go) -> None:
    @dataclass
    class Local:
        x: int

    kind, again = there_and_back(Local(1))
    assert (kind, again) == ("pickle", Local(1))


def test_pydantic_models(there_and_back: Go) -> None:
    value = Model(name="a", when=datetime.datetime(2020, 1, 1), inner=[Inner(value=(1, 2))], other=5)  # type: ignore[call-arg]
    kind, again = there_and_back(value)
    assert (kind, again, type(again)) == ("pydantic", value, Model)


@pytest.mark.parametrize("value", [(1, 2), {1}, object], ids=repr)
def test_pydantic_models_that_json_would_change(there_and_back: Go, value: Any) -> None:
    kind, again = there_and_back(Loose(value=value))
    assert (kind, again.value) == ("pickle", value)


def test_a_class_that_is_gone(store: LocalArtifactStore, tmp_path: Path) -> None:
    artifact = save(Point(1), store)
    gone = artifact._replace(meta={"class": "classes_of_a_project:Gone"})
    with pytest.raises(CannotLoad, match="cannot become a 'classes_of_a_project:Gone' again"):
        load(gone, store, tmp_path)


def test_a_class_with_other_fields(store: LocalArtifactStore, tmp_path: Path) -> None:
    artifact = save(Point(1), store)._replace(meta={"class": "classes_of_a_project:Slotted"})
    with pytest.raises(CannotLoad, match="unexpected keyword"):
        load(artifact, store, tmp_path)
