"""Galleries whose embeddings crowd together, or are equal: their centre and their twins.

Such embeddings have a large common part, and a product spends its digits on it. The centre is the
median of every component over a sample, which a few outliers do not move and which is a number of
the data, so that differences of integers stay integers.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from dfbench.evaluation.ranking.inputs import BLOCK, Vectors

_SAMPLE = 512
_CROWDED = 1 / 4
"""Median distance from the centre, in parts of the centre's norm, below which digits are lost."""
_COLLAPSED = 2.0**-21
"""Below this it is the rounding of float32 embeddings that makes them differ."""


def crowd_centre(gallery: Vectors) -> Tensor | None:
    """What to subtract from every row, [D], float64; None where nothing is gained.

    A collapsed gallery has no centre either: the last bits of its rows must not rank them.
    """
    generator = torch.Generator().manual_seed(0)
    drawn = torch.randperm(len(gallery), generator=generator)[:_SAMPLE].sort().values
    sample = gallery.exact(drawn)
    if sample.mean(0).norm() < sample.norm(dim=1).median() / 2:
        return None
    centre = sample.median(0).values
    spread = (sample - centre).norm(dim=1).median() / centre.norm()
    return centre if _COLLAPSED < spread < _CROWDED else None


_PROBES = 16
"""Leading components, one cache line, looked at first: rows that differ there are not equal."""


@dataclass(frozen=True)
class EqualRows:
    """Rows that repeat an earlier row: row `copies[i]` equals row `originals[i]`."""

    copies: Tensor
    originals: Tensor


def find_twins(gallery: Vectors) -> EqualRows | None:
    """The repeated rows of a gallery, each with the first row equal to it; None without any.

    Rows are equal when 64-bit hashes of all their bits are, zeros of either sign being one.
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
    """A 64-bit hash of each row, in integers so that it does not depend on the row's position."""
    bits = (rows + 0.0).contiguous().view(torch.int32).long()
    generator = torch.Generator().manual_seed(0x5EED)
    weights = torch.randint(2**62, (rows.shape[1],), generator=generator, dtype=torch.int64) * 2 + 1
    return (bits * weights.to(rows.device)).sum(1)


def _first_of_equal(hashes: Tensor, index: Tensor) -> Tensor:
    """For each entry the smallest of `index` among the entries of equal hash; ascending `index`."""
    _, group = torch.unique(hashes, return_inverse=True)
    first = torch.full((len(hashes),), int(index[-1]), device=index.device)
    return first.scatter_reduce(0, group, index, "amin")[group]
