"""Shared style of all figures: sizes, fonts, colour-blind safe colours, and file formats."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from dfbench.errors import InvalidInput
from dfbench.system.files import atomic_path, check_writable

FORMATS = ("png", "pdf", "svg")
COLUMN, PAGE = 3.5, 7.2
"""Inches: the width of one column and of a full page of a paper."""
COLOURS = (
    *("#0072B2", "#D55E00", "#009E73", "#CC79A7"),
    *("#E69F00", "#56B4E9", "#000000", "#8C8C00"),
)
"""Okabe and Ito's colour-blind safe palette; the yellow is darkened for print."""
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
GREY, PALE = "#6B6B6B", "#B8B8B8"
STYLE: Any = {
    "font.family": "DejaVu Sans",
    "font.size": 7.5,
    "axes.titlesize": 8,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 7.5,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "legend.fontsize": 7,
    "legend.frameon": False,
    "lines.linewidth": 1.2,
    "lines.markersize": 4,
    "grid.color": "#E3E3E3",
    "grid.linewidth": 0.6,
    "savefig.dpi": 300,
    "pdf.fonttype": 42,  # embeds text as TrueType: publishers refuse Type 3 fonts
    "svg.fonttype": "none",
    "svg.hashsalt": "dfbench",
}
_UNDATED: dict[str, dict[str, None]] = {
    "png": {"Software": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
    "svg": {"Date": None, "Creator": None},
}


def check_target(target: Path, option: str = "-o") -> str:
    """The figure format given by the file name of an option.

    Raises `InvalidInput` for an unsupported format and `FileFault` for an unusable path.
    """
    form = target.suffix.lower().removeprefix(".")
    if form not in FORMATS:
        endings = ", ".join(f".{known}" for known in FORMATS)
        raise InvalidInput(f"{option} {str(target)!r}; allowed: a name that ends in {endings}")
    check_writable(target)
    return form


def draw(target: Path, make: Callable[[], Figure]) -> None:
    """Make a figure in this style and write it; the same numbers give the same file.

    Raises `InvalidInput` for an unsupported format.
    """
    form = check_target(target)
    with mpl.rc_context():
        mpl.rcdefaults()  # ignores the user's matplotlibrc
        mpl.rcParams.update(STYLE)
        figure = make()
        with atomic_path(target) as temporary:
            figure.savefig(
                temporary,
                format=form,
                metadata=_UNDATED[form],
                bbox_inches="tight",
                pad_inches=0.03,
            )


def new_figure(width: float, height: float) -> Figure:
    """An empty figure, in inches, with a layout that keeps axes apart."""
    return Figure(figsize=(width, height), layout="constrained")


def legend_below(figure: Figure, columns: int) -> None:
    """One legend for all axes, below them, with each label once."""
    found: dict[str, Any] = {}
    for axes in figure.axes:
        handles, labels = axes.get_legend_handles_labels()
        found |= {x: y for x, y in zip(labels, handles, strict=True) if x not in found}
    figure.legend(
        found.values(),
        found.keys(),
        loc="outside lower left",
        ncols=columns,
        columnspacing=1.2,
        handlelength=1.6,
        handletextpad=0.5,
    )
