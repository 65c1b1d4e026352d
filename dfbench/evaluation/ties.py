"""Expected values over all orders of tied photos, in closed form.

A tie group has g photos, r of them positive; n photos and p positives rank above it. Over all
orders of the group, its position j (from 1) holds a positive with probability r/g, and given that,
(j - 1)(r - 1)/(g - 1) further positives stand before it. The precision there is therefore

    E[rel_j P@(n + j)] = (r/g) [ (p + 1) + (j - 1)(r - 1)/(g - 1) ] / (n + j)

and with H_m the m-th harmonic number, summed over the positions j <= J,

    (r/g) [ (p + 1) (H_{n+J} - H_n) + (r - 1)/(g - 1) (J - (n + 1)(H_{n+J} - H_n)) ].

With everything tied (n = p = 0, g = N, r = R) the expected AP is a + (H_N / N)(1 - a),
a = (R - 1)/(N - 1): not R/N.
"""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

from dfbench.evaluation.groups import TieGroups, indices_where, segment_sum


@lru_cache(maxsize=2)
def _harmonic(n_photos: int, device: torch.device) -> Tensor:
    """H_0 .. H_G, [G + 1], float64."""
    steps = torch.arange(1, n_photos + 1, dtype=torch.float64, device=device)
    return torch.cat([steps.new_zeros(1), (1 / steps).cumsum(0)])


def expected_precision_sum(groups: TieGroups, k: int | None = None) -> Tensor:
    """E[sum over the first k ranks of rel_i P@i] for every query, [B], float64; k=None is all."""
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
    """E[positives among the first k ranks] for every query, [B], float64; k may differ by query.

    Whole groups count r; the group that k cuts counts r (k - n)/g.
    """
    limit = groups.of_group(k) if isinstance(k, Tensor) else k
    share = ((limit - groups.above) / groups.size).clamp(0, 1)
    return segment_sum(share * groups.positives, groups.lengths)
