"""A ranking as input of the metrics: its tie groups and the ranks of the positives.

A *positive* is a gallery photo of the query's class. A *tie group* is a set of photos with equal
keys; only groups that contain a positive are kept. Both views are flat over the queries of a batch,
best first within each query.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import torch
from torch import Tensor


def segment_sum(values: Tensor, lengths: Tensor) -> Tensor:
    """Sums of consecutive runs of `values`, one run per entry of `lengths`; 0 for empty runs.

    The order of addition within a run is fixed, so the result does not depend on the batch.
    """
    return torch.segment_reduce(values, "sum", lengths=lengths, unsafe=True)


def indices_where(mask: Tensor) -> Tensor:
    """Indices of the true entries; on the CPU NumPy finds them several times faster than torch."""
    if mask.device.type == "cpu":
        return torch.from_numpy(np.flatnonzero(mask.numpy()))
    return mask.nonzero().squeeze(1)


def starts_of(lengths: Tensor) -> Tensor:
    """Index of the first entry of each run, from the runs' lengths."""
    return lengths.cumsum(0) - lengths


def lengths_of_kept(kept: Tensor, lengths: Tensor) -> Tensor:
    """Lengths of the runs after keeping only the entries at the ascending indices `kept`."""
    ends = torch.searchsorted(kept, lengths.cumsum(0))
    return torch.diff(ends, prepend=ends.new_zeros(1))


@dataclass(frozen=True)
class TieGroups:
    """The tie groups with a positive, for the B queries of a batch; the order-free view.

    The counts n, p, g, r of `dfbench.evaluation.metrics`, each [groups], are whole float64 numbers.
    """

    above: Tensor
    """n: gallery photos ranked strictly above the group."""
    positives_above: Tensor
    """p: positives ranked strictly above the group."""
    size: Tensor
    """g: photos in the group."""
    positives: Tensor
    """r: positives in the group, at least 1."""
    lengths: Tensor
    """Groups of each query, [B], int64."""
    relevant: Tensor
    """R: positives of each query, [B], at least 1, int64."""
    n_photos: int
    """G: photos in the gallery."""
    _cuts: dict[int, TieGroups] = field(default_factory=dict, repr=False, compare=False)

    def reaching(self, k: int) -> TieGroups:
        """The groups that begin within the first k ranks: all that a metric cut at k depends on."""
        if k not in self._cuts:
            # Metrics ask for several k in turn: a smaller one is cut from the next larger.
            larger = [deep for deep in self._cuts if deep > k]
            self._cuts[k] = (self._cuts[min(larger)] if larger else self)._cut(k)
        return self._cuts[k]

    def _cut(self, k: int) -> TieGroups:
        kept = indices_where(self.above < k)
        return replace(
            self,
            above=self.above.index_select(0, kept),
            positives_above=self.positives_above.index_select(0, kept),
            size=self.size.index_select(0, kept),
            positives=self.positives.index_select(0, kept),
            lengths=lengths_of_kept(kept, self.lengths),
            _cuts={},
        )

    def tied_pairs(self) -> Tensor:
        """Number of tied (positive, negative) pairs of each query, [B]."""
        return segment_sum(self.positives * (self.size - self.positives), self.lengths)

    def of_group(self, per_query: Tensor) -> Tensor:
        """A value per query, repeated for each of its groups."""
        return per_query.repeat_interleave(self.lengths, output_size=len(self.above))


@dataclass(frozen=True)
class PositiveRanks:
    """The rank of every positive with tied photos in gallery order; the ordered view."""

    rank: Tensor
    """Ranks from 1, ascending within a query, [positives], whole float64 numbers."""
    lengths: Tensor
    """Positives of each query in `rank`, [B], int64; R unless cut."""
    relevant: Tensor
    """R: positives of each query, [B], at least 1, int64."""
    _cuts: dict[int, PositiveRanks] = field(default_factory=dict, repr=False, compare=False)

    def reaching(self, k: int) -> PositiveRanks:
        """Only the positives among the first k ranks; a query may have none."""
        if k not in self._cuts:
            kept = indices_where(self.rank <= k)
            lengths = lengths_of_kept(kept, self.lengths)
            self._cuts[k] = PositiveRanks(self.rank.index_select(0, kept), lengths, self.relevant)
        return self._cuts[k]

    @cached_property
    def query(self) -> Tensor:
        """Index in the batch of the query that each positive belongs to, [positives]."""
        index = torch.arange(len(self.lengths), device=self.rank.device)
        return index.repeat_interleave(self.lengths, output_size=len(self.rank))

    @cached_property
    def ordinal(self) -> Tensor:
        """1 for a query's first positive, 2 for its second, and so on, [positives]."""
        index = torch.arange(1, len(self.rank) + 1, device=self.rank.device)
        before = starts_of(self.lengths)
        return index - before.repeat_interleave(self.lengths, output_size=len(self.rank))

    @cached_property
    def precision(self) -> Tensor:
        """P@i at the rank i of every positive, [positives], float64."""
        return self.ordinal / self.rank

    def total(self, values: Tensor) -> Tensor:
        """Sum of a value of each positive over each query, [B]."""
        return segment_sum(values, self.lengths)


@dataclass(frozen=True)
class Ranked:
    """A batch of ranked queries, as passed from the engines to the metrics."""

    rows: Tensor
    """Indices of the batch's queries, [B]."""
    groups: TieGroups
    ordered: PositiveRanks | None = field(default=None)
    """Only computed if a metric needs it."""

    @property
    def places(self) -> PositiveRanks:
        """The ordered view; raises `RuntimeError` if it was not requested."""
        if self.ordered is None:
            raise RuntimeError("places in gallery order were not requested from the engine")
        return self.ordered


def tie_groups(above: Tensor, at_or_above: Tensor, relevant: Tensor, n_photos: int) -> TieGroups:
    """Tie groups from the counts of each positive.

    `above` and `at_or_above` [positives] count the gallery photos with a better, and with a better
    or equal, key; flat over the queries, ascending within each; `relevant` [B] are their lengths.
    """
    first = torch.ones(len(above), dtype=torch.bool, device=above.device)
    first[1:] = above[1:] != above[:-1]
    begin = starts_of(relevant)
    first[begin] = True
    start = indices_where(first)
    end = torch.cat([start[1:], start.new_tensor([len(above)])])
    lengths = segment_sum(first.double(), relevant).long()
    offset = begin.repeat_interleave(lengths, output_size=len(start))
    return TieGroups(
        above=above[start].double(),
        positives_above=(start - offset).double(),
        size=(at_or_above[start] - above[start]).double(),
        positives=(end - start).double(),
        lengths=lengths,
        relevant=relevant,
        n_photos=n_photos,
    )
