"""Clean drawings of classes that `shapes` has: strokes of points, in units of the paper."""

from __future__ import annotations

from math import cos, pi, sin

Point = tuple[float, float]
Stroke = list[Point]


def closed(*points: Point) -> Stroke:
    """An outline."""
    return [*points, points[0]]


def star() -> Stroke:
    """Five points."""
    radii = [0.4, 0.17] * 5
    return closed(
        *((0.5 + r * sin(pi * i / 5), 0.52 - r * cos(pi * i / 5)) for i, r in enumerate(radii))
    )


DRAWINGS: dict[str, list[Stroke]] = {
    "star": [star()],
    "house": [
        closed((0.2, 0.5), (0.8, 0.5), (0.8, 0.9), (0.2, 0.9)),
        closed((0.12, 0.5), (0.5, 0.12), (0.88, 0.5)),
        [(0.43, 0.9), (0.43, 0.65), (0.57, 0.65), (0.57, 0.9)],
    ],
    "mug": [
        closed((0.2, 0.2), (0.65, 0.2), (0.65, 0.85), (0.2, 0.85)),
        [(0.65, 0.35), (0.85, 0.35), (0.85, 0.65), (0.65, 0.65)],
    ],
    "sailboat": [
        closed((0.15, 0.7), (0.85, 0.7), (0.7, 0.88), (0.3, 0.88)),
        closed((0.5, 0.7), (0.5, 0.1), (0.82, 0.62), (0.5, 0.62)),
    ],
}
"""By class."""
