"""Precision-recall curves of models, from their embeddings."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from dfbench.errors import InvalidInput
from dfbench.evaluation.bootstrap import mean_intervals
from dfbench.evaluation.curve import precision_by_query, recall_levels
from dfbench.evaluation.models import Models
from dfbench.evaluation.ranking.labels import relevance
from dfbench.reporting.plots.runs import LEVELS, MOST_CURVES, MethodCurve, curve_chart


def check_count(models: int) -> None:
    """Raise `InvalidInput` for more models than a figure can tell apart."""
    if models > MOST_CURVES:
        raise InvalidInput(
            f"{models} models; allowed: at most {MOST_CURVES} in one figure; name fewer"
        )


def model_curves(
    models: Models, *, similarity: str, device: str, bootstrap: int, seed: int
) -> list[MethodCurve]:
    """Interpolated precision of each model, with a bootstrap interval over queries as its band."""
    curves = []
    for name, queries in models.queries.items():
        values = precision_by_query(
            queries,
            models.gallery[name],
            models.query_labels,
            models.gallery_labels,
            similarity=similarity,
            levels=LEVELS,
            device=device,
        )
        scored = values[~np.isnan(values).any(axis=1)]
        means = mean_intervals(scored, bootstrap, seed)
        ends = [(one.value, one.value) if one.low is None else (one.low, one.high) for one in means]
        low, high = np.array(ends, dtype=np.float64).T
        value = np.array([one.value for one in means])
        curves.append(MethodCurve(name, recall_levels(LEVELS), value, low, high))
    return curves


def model_chart(models: Models, curves: list[MethodCurve]) -> Figure:
    """The curves in one figure, with the precision of a random ranking."""
    queries, photos = (len(next(iter(side.values()))) for side in (models.queries, models.gallery))
    counts = relevance(models.query_labels, models.gallery_labels, queries, photos).counts
    return curve_chart(
        curves,
        float(counts[counts > 0].mean()) / photos,
        f"{(counts > 0).sum()} queries, {photos} photos",
    )
