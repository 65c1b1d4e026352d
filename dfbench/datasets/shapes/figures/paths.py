"""Paths of points: arcs, smooth curves, boxes and ribbons, in reproducible float arithmetic.

Only + - * / sqrt and floor are used. IEEE 754 defines their results to the last bit, unlike the
sine and cosine of a C library.
"""

from __future__ import annotations

from math import floor, sqrt

Point = tuple[float, float]
Path = list[Point]

_PI = 3.141592653589793
_CURVE_STEPS = 4


def on_circle(turns: float) -> Point:
    """(cos, sin) of an angle in turns: 0 points right, 0.25 down (y grows downwards).

    A Taylor series on an eighth of a turn, accurate to about 1e-9.
    """
    turns -= floor(turns)
    quadrant = floor(turns * 4 + 0.5)
    a = (turns - quadrant / 4) * 2 * _PI
    q = a * a
    sine = a * (1 - q / 6 * (1 - q / 20 * (1 - q / 42 * (1 - q / 72))))
    cosine = 1 - q / 2 * (1 - q / 12 * (1 - q / 30 * (1 - q / 56 * (1 - q / 90))))
    rotated = ((cosine, sine), (-sine, cosine), (-cosine, -sine), (sine, -cosine))
    return rotated[quadrant % 4]


def arc(centre: Point, rx: float, ry: float, start: float, stop: float, steps: int = 12) -> Path:
    """Part of an ellipse from `start` to `stop` turns, both ends included."""
    path = []
    for step in range(steps + 1):
        x, y = on_circle(start + (stop - start) * step / steps)
        path.append((centre[0] + rx * x, centre[1] + ry * y))
    return path


def oval(centre: Point, rx: float, ry: float, steps: int = 16) -> Path:
    """A closed ellipse (the first point is not repeated)."""
    return arc(centre, rx, ry, 0, 1, steps)[:-1]


def box(left: float, top: float, right: float, bottom: float) -> Path:
    """A closed rectangle."""
    return [(left, top), (right, top), (right, bottom), (left, bottom)]


def trapezium(top: float, top_half: float, bottom: float, bottom_half: float, x: float = 0) -> Path:
    """A closed, upright trapezium around the vertical line through `x`."""
    return [
        (x - top_half, top),
        (x + top_half, top),
        (x + bottom_half, bottom),
        (x - bottom_half, bottom),
    ]


def rosette(centre: Point, outer: float, inner: float, points: int, start: float) -> Path:
    """A closed star: `points` tips at radius `outer`, hollows at `inner`."""
    path = []
    for corner in range(2 * points):
        x, y = on_circle(start + corner / (2 * points))
        radius = inner if corner % 2 else outer
        path.append((centre[0] + radius * x, centre[1] + radius * y))
    return path


def smooth(knots: Path, *, closed: bool) -> Path:
    """A Catmull-Rom curve through all knots."""
    n = len(knots)
    ring = knots if closed else [knots[0], *knots, knots[-1]]
    path: Path = []
    for i in range(n if closed else n - 1):
        p = [ring[(i + j) % len(ring)] for j in range(4)]
        path.extend(_blend(p, step / _CURVE_STEPS) for step in range(_CURVE_STEPS))
    return path if closed else [*path, knots[-1]]


def mirrored(path: Path) -> Path:
    """The path reflected in the vertical axis."""
    return [(-x, y) for x, y in path]


def symmetric(right: Path) -> Path:
    """A closed path from its right half, ordered from top to bottom, and its reflection."""
    return right + mirrored(right)[::-1]


def ribbon(path: Path, width: float) -> Path:
    """The closed outline of an open path drawn with a flat pen of the given width."""
    left: Path = []
    right: Path = []
    for i, (x, y) in enumerate(path):
        x0, y0 = path[max(i - 1, 0)]
        x1, y1 = path[min(i + 1, len(path) - 1)]
        dx, dy = x1 - x0, y1 - y0
        length = sqrt(dx * dx + dy * dy) or 1.0
        nx, ny = -dy / length * width / 2, dx / length * width / 2
        left.append((x + nx, y + ny))
        right.append((x - nx, y - ny))
    return left + right[::-1]


def _blend(p: Path, t: float) -> Point:
    x, y = (
        p[1][axis]
        + 0.5
        * t
        * (
            (p[2][axis] - p[0][axis])
            + t * (2 * p[0][axis] - 5 * p[1][axis] + 4 * p[2][axis] - p[3][axis])
            + t * t * (3 * (p[1][axis] - p[2][axis]) + p[3][axis] - p[0][axis])
        )
        for axis in (0, 1)
    )
    return x, y
