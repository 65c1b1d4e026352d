"""Exact, tie-aware retrieval metrics from anybody's embeddings and labels, by published name."""

from dfbench.evaluation.bootstrap import Interval, paired_difference
from dfbench.evaluation.curve import Curve, precision_recall
from dfbench.evaluation.definitions import (
    DEFAULT_METRICS,
    METRIC_PATTERNS,
    Definition,
    conventions,
)
from dfbench.evaluation.harness import Evaluation, Score, evaluate
from dfbench.evaluation.similarity import SIMILARITIES
from dfbench.evaluation.top import top_k
from dfbench.metric_version import METRIC_VERSION

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
