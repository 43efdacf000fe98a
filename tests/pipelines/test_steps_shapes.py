"""The shapes steps are plain functions: called here without any run."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from pipelines.steps import shapes

SQUARE = shapes.Polygon("square", [[0, 0], [2, 0], [2, 2], [0, 2]])


def test_polygons_have_the_corners_asked_for() -> None:
    assert [len(polygon.points) for polygon in shapes.polygons([3, 6], radius=1.0)] == [3, 6]


def test_exact_area_of_a_square() -> None:
    assert shapes.exact_areas([SQUARE]) == {"square": 4.0}


def test_estimate_comes_near() -> None:
    hexagon = shapes.polygons([6], radius=1.0)
    assert shapes.estimated_areas(hexagon, darts=5000, seed=1)["6-gon"] == pytest.approx(2.598, rel=0.05)


def test_estimate_is_the_same_for_one_seed() -> None:
    first, second = (shapes.estimated_areas([SQUARE], darts=100, seed=3) for _ in range(2))
    assert first == second


def test_compare_says_how_far_apart() -> None:
    assert shapes.compare({"a": 2.0}, {"a": 2.1}).splitlines()[1] == "       a     2.0000     2.1000  +5.00%"


def test_drawing_is_svg_with_an_outline_each() -> None:
    picture = ET.fromstring(shapes.draw([SQUARE, SQUARE]))
    assert len(list(picture)) == 2
