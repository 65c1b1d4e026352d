"""dfbench: a benchmark suite for data-free sketch-based image retrieval.

Plugins import from here `hookimpl`, `MethodSpec`, `DatasetSpec`, `NetworkSpec`, `MetricSpec`,
`RerankerSpec`, `Method`, `MethodConfig`, `Setting`, `Need`, `Encoders`, `Reranker` and
`RerankerConfig`. Scripts and notebooks import `run` and `table`, like the commands of the same
names, `load` for the encoders of a finished run, and `evaluate` or `evaluate_models` for any
embeddings. Names are imported on first use: some need torch, and a command may need none of them.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from dfbench.version import __version__

if TYPE_CHECKING:
    from dfbench.evaluation import evaluate, evaluate_models
    from dfbench.evaluation.reranking.reranker import Reranker, RerankerConfig
    from dfbench.hookspecs import (
        DatasetSpec,
        MethodSpec,
        MetricSpec,
        NetworkSpec,
        RerankerSpec,
        hookimpl,
    )
    from dfbench.interface import run, table
    from dfbench.method import Method, MethodConfig, Setting
    from dfbench.need import Need
    from dfbench.networks import Encoders
    from dfbench.retrieval import PhotoIndex, load

__all__ = [
    "DatasetSpec",
    "Encoders",
    "Method",
    "MethodConfig",
    "MethodSpec",
    "MetricSpec",
    "Need",
    "NetworkSpec",
    "PhotoIndex",
    "Reranker",
    "RerankerConfig",
    "RerankerSpec",
    "Setting",
    "__version__",
    "evaluate",
    "evaluate_models",
    "hookimpl",
    "load",
    "run",
    "table",
]

_LAZY = {
    "DatasetSpec": "dfbench.hookspecs",
    "Encoders": "dfbench.networks",
    "Method": "dfbench.method",
    "MethodConfig": "dfbench.method",
    "MethodSpec": "dfbench.hookspecs",
    "MetricSpec": "dfbench.hookspecs",
    "Need": "dfbench.need",
    "NetworkSpec": "dfbench.hookspecs",
    "Reranker": "dfbench.evaluation.reranking.reranker",
    "RerankerConfig": "dfbench.evaluation.reranking.reranker",
    "RerankerSpec": "dfbench.hookspecs",
    "Setting": "dfbench.method",
    "evaluate": "dfbench.evaluation",
    "evaluate_models": "dfbench.evaluation",
    "hookimpl": "dfbench.hookspecs",
    "PhotoIndex": "dfbench.retrieval",
    "load": "dfbench.retrieval",
    "run": "dfbench.interface",
    "table": "dfbench.interface",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'dfbench' has no attribute {name!r}")
    return getattr(import_module(_LAZY[name]), name)
