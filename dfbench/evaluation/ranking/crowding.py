"""Galleries whose embeddings are nearly or exactly equal: their centre and their duplicates.

Such embeddings have a large common part, on which a product wastes its precision. The centre is the
median of each component over a sample, which is robust to a few outliers and is a number of the
data, so that differences of integers stay integers.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from dfbench.evaluation.ranking.inputs import BLOCK, Vectors

_SAMPLE = 512
_CROWDED = 1 / 4
"""Median distance from the centre, relative to its norm, below which precision is lost."""
_COLLAPSED = 2.0**-21
"""Below this, embeddings differ only by float32 rounding."""


def crowd_centre(gallery: Vectors) -> Tensor | None:
    """The vector to subtract from every row, [D], float64; None if there is no benefit.

    A collapsed gallery has no centre either: the last bits of its rows must not rank them.
    """
    generator = torch.Generator().manual_seed(0)
    drawn = torch.randperm(len(gallery), generator=generator)[:_SAMPLE].sort().values
    sample = gallery.exact(drawn)
    if sample.mean(0).norm() < sample.norm(dim=1).median() / 2:
        return None
    # The lower median; `Tensor.median` along a dimension is not deterministic on a GPU.
    centre = sample.sort(0).values[(len(sample) - 1) // 2]
    spread = (sample - centre).norm(dim=1).median() / centre.norm()
    return centre if _COLLAPSED < spread < _CROWDED else None


_PROBES = 16
"""Leading components, one cache line, compared first: rows that differ there are not equal."""


@dataclass(frozen=True)
class EqualRows:
    """Duplicates: row `copies[i]` equals the earlier row `originals[i]`."""

    copies: Tensor
    originals: Tensor


def find_twins(gallery: Vectors) -> EqualRows | None:
    """The duplicate rows of a gallery, each with the first row equal to it; None if there are none.

    Rows count as equal if 64-bit hashes of their bits are; zeros of either sign are equal.
    """
    probes = torch.cat([_hash(gallery.rows(*at)[:, :_PROBES]) for at in gallery.blocks()])
    _, group, sizes = torch.unique(probes, return_inverse=True, return_counts=True)
    suspects = (sizes[group] > 1).nonzero().squeeze(1)
    if not len(suspects):
        return None
    hashes = torch.cat([_hash(gallery.take(rows)) for rows in torch.split(suspects.cpu(), BLOCK)])
    originals = _first_of_equal(hashes, suspects)
    repeated = originals != suspects
    return EqualRows(suspects[repeated], originals[repeated]) if repeated.any() else None


def _hash(rows: Tensor) -> Tensor:
    """A 64-bit hash of each row, computed in integers: independent of the row's position."""
    bits = (rows + 0.0).contiguous().view(torch.int32).long()
    generator = torch.Generator().manual_seed(0x5EED)
    weights = torch.randint(2**62, (rows.shape[1],), generator=generator, dtype=torch.int64) * 2 + 1
    return (bits * weights.to(rows.device)).sum(1)


def _first_of_equal(hashes: Tensor, index: Tensor) -> Tensor:
    """For each entry the smallest `index` among entries of equal hash; `index` is ascending."""
    _, group = torch.unique(hashes, return_inverse=True)
    first = torch.full((len(hashes),), int(index[-1]), device=index.device)
    return first.scatter_reduce(0, group, index, "amin")[group]
