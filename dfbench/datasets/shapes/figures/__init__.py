"""All figures by name, benchmark and alternative."""

from __future__ import annotations

from dfbench.datasets.shapes.figures.nature import NATURE
from dfbench.datasets.shapes.figures.objects import OBJECTS
from dfbench.datasets.shapes.figures.spare import SPARE
from dfbench.datasets.shapes.figures.vehicles import VEHICLES

BENCHMARK = {
    figure.name: figure for figure in sorted(NATURE + OBJECTS + VEHICLES, key=lambda f: f.name)
}
"""The twenty benchmark classes of teachers, queries and gallery."""
ALTERNATIVE = {figure.name: figure for figure in sorted(SPARE, key=lambda f: f.name)}
"""Spare classes, for alternative data from outside the benchmark."""
FIGURES = BENCHMARK | ALTERNATIVE
