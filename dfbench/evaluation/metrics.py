"""The metrics: pure functions of a ranked batch, with one value per query.

Notation: rel_i is 1 if the photo at rank i is of the query's class, P@i the share of positives
among the first i, R the number of positives in the gallery, h the hits among the first k. All
functions return [B], float64, in [0, 1]. Those that take `TieGroups` are expectations over the
orders of tied photos; those that take `PositiveRanks` keep tied photos in gallery order.
"""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

from dfbench.evaluation.ranking.groups import (
    PositiveRanks,
    TieGroups,
    indices_where,
    segment_sum,
    starts_of,
)


@lru_cache(maxsize=2)
def _harmonic(n_photos: int, device: torch.device) -> Tensor:
    """H_0 .. H_G, [G + 1], float64."""
    steps = torch.arange(1, n_photos + 1, dtype=torch.float64, device=device)
    return torch.cat([steps.new_zeros(1), (1 / steps).cumsum(0)])


@lru_cache(maxsize=2)
def _discounts(n_photos: int, device: torch.device) -> Tensor:
    """D_0 .. D_G with D_n = sum_{i<=n} 1/log2(i + 1), [G + 1], float64."""
    steps = torch.arange(2, n_photos + 2, dtype=torch.float64, device=device)
    return torch.cat([steps.new_zeros(1), (1 / steps.log2()).cumsum(0)])


def expected_precision_sum(groups: TieGroups, k: int | None = None) -> Tensor:
    """E[sum over the first k ranks of rel_i P@i] per query, [B], float64; k=None is all ranks."""
    seen = groups if k is None else groups.reaching(k)
    total = (seen.positives_above + 1).div_(seen.above + 1)
    tied = indices_where(seen.size > 1)
    if len(tied):
        total.index_copy_(0, tied, _tied_precision_sum(seen, tied, k))
    return segment_sum(total, seen.lengths)


def _tied_precision_sum(groups: TieGroups, tied: Tensor, k: int | None) -> Tensor:
    counts = (groups.above, groups.positives_above, groups.size, groups.positives)
    n, p, g, r = (count.index_select(0, tied) for count in counts)
    reach = g if k is None else torch.minimum(g, k - n)
    harmonic = _harmonic(groups.n_photos, n.device)
    rise = harmonic.index_select(0, (n + reach).long()) - harmonic.index_select(0, n.long())
    return r / g * ((p + 1) * rise + (r - 1) / (g - 1) * (reach - (n + 1) * rise))


def expected_hits(groups: TieGroups, k: Tensor | int) -> Tensor:
    """E[positives among the first k ranks] per query, [B], float64; k may differ by query.

    A whole group contributes r; a group cut by k contributes r (k - n)/g.
    """
    limit = groups.of_group(k) if isinstance(k, Tensor) else k
    share = ((limit - groups.above) / groups.size).clamp(0, 1)
    return segment_sum(share * groups.positives, groups.lengths)


def average_precision(groups: TieGroups) -> Tensor:
    """AP = (1/R) sum_i rel_i P@i over the whole gallery, not interpolated."""
    return expected_precision_sum(groups) / groups.relevant


def random_average_precision(relevant: Tensor, n_photos: int) -> Tensor:
    """E[AP] of a random order of G photos, R of them positives, for every R of [B] from 1.

    A positive is at rank i with probability 1/G, and the i - 1 photos above it are then positives
    with probability (R - 1)/(G - 1) each: E[AP] = (H_G + (R - 1)/(G - 1) (G - H_G)) / G.
    """
    harmonic = _harmonic(n_photos, relevant.device)[-1]
    others = (relevant.double() - 1) / max(1, n_photos - 1)
    return (harmonic + others * (n_photos - harmonic)) / n_photos


def average_precision_at(groups: TieGroups, k: int) -> Tensor:
    """AP@k = sum_{i<=k} rel_i P@i / min(R, k)."""
    return expected_precision_sum(groups, k) / groups.relevant.clamp(max=k)


def average_precision_over_k(groups: TieGroups, k: int) -> Tensor:
    """AP@k = sum_{i<=k} rel_i P@i / k; cannot exceed R/k (Yelamarthi et al. 2018)."""
    return expected_precision_sum(groups, k) / k


def precision(groups: TieGroups, k: int) -> Tensor:
    """P@k = h/k; cannot exceed min(1, R/k)."""
    return expected_hits(groups.reaching(k), k) / k


def accuracy(groups: TieGroups) -> Tensor:
    """P@1, whether the first photo is relevant."""
    return precision(groups, 1)


def expected_gain(groups: TieGroups, gains: Tensor) -> Tensor:
    """E[sum_i rel_i gains_i] per query, [B], float64, for one gain per rank, `gains` [G].

    Every metric that is linear in the relevance at each rank is such a sum, e.g. the DCG with gains
    1 / log2(i + 1): each of the r positives in a group of g is at any of its ranks with probability
    1/g.
    """
    total = torch.cat([gains.new_zeros(1), gains]).double().cumsum(0)
    first, last = groups.above.long(), (groups.above + groups.size).long()
    return segment_sum(
        groups.positives / groups.size * (total[last] - total[first]), groups.lengths
    )


def precision_cut_at_relevant(groups: TieGroups, k: int) -> Tensor:
    """P@k = hits among the first min(k, R), over min(k, R) (ZSE-SBIR)."""
    cut = groups.relevant.clamp(max=k)
    return expected_hits(groups.reaching(k), cut) / cut


def precision_over_relevant(groups: TieGroups, k: int) -> Tensor:
    """P@k = hits among the first k, over min(k, R) (Doodle2Search)."""
    return expected_hits(groups.reaching(k), k) / groups.relevant.clamp(max=k)


def relevance_after(groups: TieGroups, k: int) -> Tensor:
    """rel_{k+1}, published as P@k where an array is indexed at k instead of being cut there."""
    seen = groups.reaching(k + 1)
    return expected_hits(seen, k + 1) - expected_hits(seen, k)


def recall(groups: TieGroups, k: int) -> Tensor:
    """Hits among the first k, over R; cannot exceed min(1, k/R)."""
    return expected_hits(groups.reaching(k), k) / groups.relevant


def success(groups: TieGroups, k: int) -> Tensor:
    """Probability of a positive among the first k.

    All of a query's first group has no positive above it. If k takes m of its g photos, all m are
    negatives in C(g - r, m) of C(g, m) cases.
    """
    first = starts_of(groups.lengths)
    n, g, r = (c.index_select(0, first) for c in (groups.above, groups.size, groups.positives))
    m = (k - n).clamp(min=0).minimum(g)
    negatives = (g - r - m).clamp(min=0)
    logarithm = (
        torch.lgamma(g - r + 1)
        - torch.lgamma(negatives + 1)
        - torch.lgamma(g + 1)
        + torch.lgamma(g - m + 1)
    )
    return torch.where(m > g - r, 1.0, -torch.expm1(logarithm))


def discounted_gain(groups: TieGroups, k: int) -> Tensor:
    """NDCG@k with gains of 0 and 1: sum_{i<=k} rel_i/log2(i + 1), over that of a perfect ranking.

    The positions of a tie group share its positives equally, as in scikit-learn.
    """
    seen = groups.reaching(k)
    discounts = _discounts(groups.n_photos, seen.above.device)
    end = (seen.above + seen.size).clamp(max=k).long()
    span = discounts.index_select(0, end) - discounts.index_select(0, seen.above.long())
    gain = segment_sum(seen.positives / seen.size * span, seen.lengths)
    return gain / discounts.index_select(0, groups.relevant.clamp(max=k))


def average_precision_over_hits(places: PositiveRanks, k: int) -> Tensor:
    """AP@k = sum_{i<=k} rel_i P@i / h, 0 when h = 0 (SEM-PCYC, torchmetrics with top_k)."""
    seen = places.reaching(k)
    return seen.total(seen.precision) / seen.lengths.clamp(min=1)


def average_precision_first_hits(
    places: PositiveRanks, k: int | None = None, cap: int = 10
) -> Tensor:
    """Mean P@i over the first min(cap, h) hits among the first k ranks, 0 when h = 0 (DF-SBIR)."""
    seen = places if k is None else places.reaching(k)
    first = torch.where(seen.ordinal <= cap, seen.precision, 0.0)
    return seen.total(first) / seen.lengths.clamp(min=1, max=cap)


def average_precision_interpolated(places: PositiveRanks, k: int | None = None) -> Tensor:
    """Sum over hits i <= k of max_{i<=j<=k} P@j, over min(R, k) (Pascal VOC; SAKE, ZSE-SBIR)."""
    seen = places if k is None else places.reaching(k)
    return seen.total(_best_from_here(seen)) / seen.relevant.clamp(min=1, max=k)


def _best_from_here(places: PositiveRanks) -> Tensor:
    """The largest precision from each positive to the last positive of its query.

    Adding 2 per query separates the queries in a single running maximum from the end.
    """
    lift = 2.0 * (len(places.lengths) - places.query)
    return (places.precision + lift).flip(0).cummax(0).values.flip(0) - lift
