"""Equal rows of a gallery, so that equal photos get equal keys whatever a product's last bits.

A matrix product may round the same pair differently at the edge of a block; once in some twenty
times that moves a key, and a true tie would be broken by the shape of a tile. Galleries that list
photos twice exist (SAKE's Sketchy list does), and a collapsed encoder makes every row equal.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from dfbench.evaluation.inputs import BLOCK, Vectors

_PROBES = 16
"""Leading components, one cache line, looked at first: rows that differ there are not equal."""


@dataclass(frozen=True)
class Twins:
    """Rows that repeat an earlier row: row `copies[i]` equals row `originals[i]`."""

    copies: Tensor
    originals: Tensor


def find_twins(gallery: Vectors) -> Twins | None:
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
    return Twins(suspects[repeated], originals[repeated]) if repeated.any() else None


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
