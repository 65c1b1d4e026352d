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
    from dfbench.evaluation.embedding_files import LabelledEmbeddings, read_embeddings
    from dfbench.evaluation.harness import Evaluation, Score, evaluate
    from dfbench.evaluation.metrics import expected_gain, expected_hits, expected_precision_sum
    from dfbench.evaluation.models import (
        ModelDifference,
        ModelEvaluations,
        Models,
        evaluate_models,
        read_models,
    )
    from dfbench.evaluation.ranking.groups import PositiveRanks, TieGroups
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
    "LabelledEmbeddings",
    "ModelDifference",
    "ModelEvaluations",
    "Models",
    "PositiveRanks",
    "Score",
    "TieGroups",
    "conventions",
    "evaluate",
    "evaluate_models",
    "expected_gain",
    "expected_hits",
    "expected_precision_sum",
    "paired_difference",
    "precision_recall",
    "read_embeddings",
    "read_models",
    "top_k",
]

_LAZY = {
    "DEFAULT_METRICS": "definitions",
    "METRIC_PATTERNS": "definitions",
    "SIMILARITIES": "ranking.similarity",
    "Curve": "curve",
    "Definition": "definitions",
    "Evaluation": "harness",
    "LabelledEmbeddings": "embedding_files",
    "ModelDifference": "models",
    "ModelEvaluations": "models",
    "Models": "models",
    "PositiveRanks": "ranking.groups",
    "Score": "harness",
    "TieGroups": "ranking.groups",
    "conventions": "definitions",
    "evaluate": "harness",
    "evaluate_models": "models",
    "expected_gain": "metrics",
    "expected_hits": "metrics",
    "expected_precision_sum": "metrics",
    "precision_recall": "curve",
    "read_embeddings": "embedding_files",
    "read_models": "models",
    "top_k": "top",
}


def __getattr__(name: str) -> object:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_LAZY[name]}"), name)
