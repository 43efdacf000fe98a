"""The steps of `shapes.toml`: geometry with the standard library alone."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass


@dataclass(frozen=True)
class Polygon:
    """A closed line through these points, counter-clockwise."""

    name: str
    points: list[list[float]]


def polygons(corners: list[int], radius: float) -> list[Polygon]:
    """One regular polygon for each number of corners, all inside a circle of this radius."""
    return [Polygon(f"{count}-gon", _on_circle(count, radius)) for count in corners]


def exact_areas(polygons: list[Polygon]) -> dict[str, float]:
    """Each polygon's area by the shoelace formula."""
    return {polygon.name: round(sum(_cross(a, b) for a, b in _edges(polygon)) / 2, 6) for polygon in polygons}


def estimated_areas(polygons: list[Polygon], darts: int, seed: int) -> dict[str, float]:
    """Each polygon's area by the share of darts, thrown at a square around it, that hit. One seed, one result."""
    chance = random.Random(seed)
    return {polygon.name: round(_estimate(polygon, darts, chance), 6) for polygon in polygons}


def compare(exact: dict[str, float], estimated: dict[str, float]) -> str:
    """A line a polygon: both areas and how far they are apart."""
    lines = [
        f"{name:>8}  {area:9.4f}  {estimated[name]:9.4f}  {estimated[name] / area - 1:+.2%}"
        for name, area in exact.items()
    ]
    text = "\n".join([f"{'':8}  {'exact':>9}  {'estimate':>9}  off", *lines])
    print(text)
    return text


def draw(polygons: list[Polygon]) -> bytes:
    """All of them in one SVG picture."""
    reach = max(math.hypot(*point) for polygon in polygons for point in polygon.points)
    outlines = [
        f'<polygon fill="none" stroke="black" stroke-width="{reach / 100:.4f}" points="{_svg_points(polygon)}"/>'
        for polygon in polygons
    ]
    box = f"{-reach:.4f} {-reach:.4f} {2 * reach:.4f} {2 * reach:.4f}"
    return f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{box}">{"".join(outlines)}</svg>\n'.encode()


def _on_circle(count: int, radius: float) -> list[list[float]]:
    angles = [2 * math.pi * corner / count for corner in range(count)]
    return [[radius * math.cos(angle), radius * math.sin(angle)] for angle in angles]


def _edges(polygon: Polygon) -> list[tuple[list[float], list[float]]]:
    return list(zip(polygon.points, [*polygon.points[1:], polygon.points[0]], strict=True))


def _cross(a: list[float], b: list[float]) -> float:
    return a[0] * b[1] - a[1] * b[0]


def _estimate(polygon: Polygon, darts: int, chance: random.Random) -> float:
    reach = max(math.hypot(*point) for point in polygon.points)
    edges = _edges(polygon)
    throws = ((chance.uniform(-reach, reach), chance.uniform(-reach, reach)) for _ in range(darts))
    hits = sum(all(_left_of(edge, x, y) for edge in edges) for x, y in throws)
    return hits / darts * (2 * reach) ** 2


def _left_of(edge: tuple[list[float], list[float]], x: float, y: float) -> bool:
    (ax, ay), (bx, by) = edge
    return (bx - ax) * (y - ay) - (by - ay) * (x - ax) >= 0


def _svg_points(polygon: Polygon) -> str:
    return " ".join(f"{x:.4f},{-y:.4f}" for x, y in polygon.points)
