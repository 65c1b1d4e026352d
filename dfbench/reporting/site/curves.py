"""Curves over training, as lines of small charts."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from pydantic import TypeAdapter

WIDTH, HEIGHT = 240, 96
"""Pixels of a chart's area."""
_POINTS = 80
"""Most points of a line: more than one every three pixels cannot be seen."""
_ENDING = ".curves.json"
_CURVES = TypeAdapter(dict[str, list[tuple[float, float | None]]])
"""Steps with values by name, as `dfbench.learning.loop` writes them."""


@dataclass(frozen=True)
class Chart:
    """One quantity over the steps of one loop."""

    loop: str
    name: str
    path: str
    """SVG path in a box of `WIDTH` x `HEIGHT`; a gap where a value was not finite."""
    first: float
    last: float
    low: float
    high: float
    steps: int
    """The last step."""


def read_charts(folder: Path) -> list[Chart]:
    """The charts of a folder of loops, none without it. Raises `ValueError` for other content."""
    charts: list[Chart] = []
    for file in sorted(folder.glob(f"*{_ENDING}")):
        content = _CURVES.validate_json(file.read_bytes())
        loop = file.name.removesuffix(_ENDING)
        made = (_chart(loop, name, points) for name, points in sorted(content.items()))
        charts += [chart for chart in made if chart is not None]
    return charts


def _chart(loop: str, name: str, points: list[tuple[float, float | None]]) -> Chart | None:
    finite = [(step, value) for step, value in points if value is not None]
    if len(finite) < 2:
        return None
    values = [value for _, value in finite]
    low, high = min(values), max(values)
    last = finite[-1][0]
    stride = max(1, len(points) // _POINTS)
    kept = points[::stride] if (len(points) - 1) % stride == 0 else [*points[::stride], points[-1]]
    scale_x, scale_y = WIDTH / (last or 1), HEIGHT / ((high - low) or 1)
    path = "".join(
        "" if value is None else f"{mark}{step * scale_x:.0f} {(high - value) * scale_y:.1f}"
        for mark, (step, value) in zip(_marks(kept), kept, strict=True)
    )
    return Chart(loop, name, path, values[0], values[-1], low, high, int(last))


def _marks(points: list[tuple[float, float | None]]) -> list[str]:
    """Whether each point starts a line or goes on with it."""
    gaps = [before[1] is None for before, _ in pairwise(points)]
    return ["M", *("M" if gap else "L" for gap in gaps)]
