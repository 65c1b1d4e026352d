"""The precision-recall curve of a ranking, averaged over queries."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from dfbench.errors import whole_number
from dfbench.evaluation.ranking.devices import chosen_device, engine_for
from dfbench.evaluation.ranking.groups import TieGroups
from dfbench.evaluation.ranking.inputs import Array
from dfbench.evaluation.ranking.labels import Labels
from dfbench.evaluation.ranking.similarity import full_precision
from dfbench.evaluation.ranking.task import prepared

_MOST_LEVELS = 10**6


@dataclass(frozen=True)
class Curve:
    """Interpolated precision at evenly spaced levels of recall."""

    recall: npt.NDArray[np.float64]
    """Levels i/(L - 1), [L]."""
    precision: npt.NDArray[np.float64]
    """Mean over queries of the best precision at that recall or more, [L]."""


def precision_recall(
    queries: Array,
    gallery: Array,
    query_labels: Labels,
    gallery_labels: Labels,
    *,
    similarity: str = "cosine",
    levels: int = 11,
    device: str = "cpu",
) -> Curve:
    """The curve at `levels` values of recall from 0 to 1; 11 is the classic choice.

    Precision and recall are computed after whole tie groups, so the order of tied photos does not
    matter (as in scikit-learn's curve). Queries without a relevant photo are left out. Raises
    `InvalidInput` for fewer than 2 levels and for inputs that `evaluate` rejects.
    """
    curves = precision_by_query(
        queries,
        gallery,
        query_labels,
        gallery_labels,
        similarity=similarity,
        levels=levels,
        device=device,
    )
    return Curve(recall_levels(levels), np.nanmean(curves, axis=0))


def recall_levels(levels: int) -> npt.NDArray[np.float64]:
    """Levels i/(L - 1), [L]."""
    return np.arange(levels, dtype=np.float64) / (levels - 1)


def precision_by_query(
    queries: Array,
    gallery: Array,
    query_labels: Labels,
    gallery_labels: Labels,
    *,
    similarity: str = "cosine",
    levels: int = 11,
    device: str = "cpu",
) -> npt.NDArray[np.float64]:
    """The curves averaged by `precision_recall`, [Q, L]; NaN for queries without relevant photo."""
    levels = whole_number("levels", levels, 2, _MOST_LEVELS)
    place = chosen_device(device)
    recall = torch.from_numpy(recall_levels(levels)).to(place)
    curves = np.full((len(queries), levels), np.nan)
    with full_precision(place):
        task = prepared(queries, gallery, query_labels, gallery_labels, similarity, place)
        for ranked in engine_for(place)(task):
            found = precision_at_recall(ranked.groups, recall)
            curves[ranked.rows.numpy()] = found.cpu().numpy()
    return curves


def precision_at_recall(groups: TieGroups, recall: Tensor) -> Tensor:
    """Interpolated precision of every query at levels of recall [L], [B, L], float64."""
    found = groups.positives_above + groups.positives
    precision = found / (groups.above + groups.size)
    query = groups.of_group(torch.arange(len(groups.relevant), device=found.device))
    # Adding 2 per query makes one ascending list of the recalls of all queries.
    reached = found / groups.of_group(groups.relevant) + 2 * query
    lift = 2.0 * (len(groups.relevant) - query)
    best = (precision + lift).flip(0).cummax(0).values.flip(0) - lift
    starts = 2 * torch.arange(len(groups.relevant), device=found.device)[:, None]
    return best[torch.searchsorted(reached, starts + recall - _ROUNDING)]


_ROUNDING = 1e-9
"""Tolerance: recall 3/10 must reach level 0.3 despite the rounding of the added offset."""
