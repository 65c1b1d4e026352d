"""Exact, tie-aware retrieval metrics, by published name, for any embeddings and labels.

Names that need torch are imported on first use; intervals do not need it.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from dfbench.evaluation.bootstrap import Interval, paired_difference
from dfbench.version import METRIC_VERSION

if TYPE_CHECKING:
    from dfbench.evaluation.curve import Curve, precision_recall
    from dfbench.evaluation.definitions import (
        DEFAULT_METRICS,
        METRIC_PATTERNS,
        Definition,
        conventions,
    )
    from dfbench.evaluation.harness import Evaluation, Score, evaluate
    from dfbench.evaluation.ranking.similarity import SIMILARITIES
    from dfbench.evaluation.top import top_k

__all__ = [
    "DEFAULT_METRICS",
    "METRIC_PATTERNS",
    "METRIC_VERSION",
    "SIMILARITIES",
    "Curve",
    "Definition",
    "Evaluation",
    "Interval",
    "Score",
    "conventions",
    "evaluate",
    "paired_difference",
    "precision_recall",
    "top_k",
]

_LAZY = {
    "DEFAULT_METRICS": "definitions",
    "METRIC_PATTERNS": "definitions",
    "SIMILARITIES": "ranking.similarity",
    "Curve": "curve",
    "Definition": "definitions",
    "Evaluation": "harness",
    "Score": "harness",
    "conventions": "definitions",
    "evaluate": "harness",
    "precision_recall": "curve",
    "top_k": "top",
}


def __getattr__(name: str) -> object:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_LAZY[name]}"), name)
