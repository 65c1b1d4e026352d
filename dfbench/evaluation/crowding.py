"""The centre of a gallery whose embeddings lie close together, far from the origin.

Such embeddings have a large common part, and a product spends its digits on it. The centre is the
median of every component over a sample, which a few outliers do not move and which is a number of
the data, so that differences of integers stay integers.
"""

from __future__ import annotations

import torch
from torch import Tensor

from dfbench.evaluation.inputs import Vectors

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
