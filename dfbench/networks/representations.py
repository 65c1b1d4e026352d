"""Representations computed from a network's features or logits, as parts of encoders."""

from __future__ import annotations

from collections.abc import Sequence
from math import log
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

UnknownShare = Literal["max-posterior", "entropy"]
"""Estimator of the probability of "none of these K classes" from a posterior p.

1 - max_c p_c, or the entropy of p over log K.
"""

_LEAST = 1e-4
"""Bound of the probabilities u and v in their logits."""


class UnitNorm(nn.Module):
    """Normalises rows `[B, D]` to unit length."""

    def forward(self, rows: Tensor) -> Tensor:
        return functional.normalize(rows, dim=1)


class Centred(nn.Module):
    """Logits `[B, C]` minus the mean of each row."""

    def forward(self, logits: Tensor) -> Tensor:
        return logits - logits.mean(dim=1, keepdim=True)


class SoftmaxAt(nn.Module):
    """Posteriors `[B, C]`: softmax of logits divided by a temperature."""

    def __init__(self, temperature: float = 1.0) -> None:
        super().__init__()
        self.temperature = temperature

    def forward(self, logits: Tensor) -> Tensor:
        return (logits / self.temperature).softmax(dim=1)


class OverUnion(nn.Module):
    """Embeds rows `[B, K]` in a union of classes, `[B, count]`: column k becomes `columns[k]`.

    Columns of classes without scores are 0.
    """

    def __init__(self, columns: Sequence[int], count: int) -> None:
        super().__init__()
        self.columns = tuple(columns)
        self.count = count

    def forward(self, rows: Tensor) -> Tensor:
        # Not len(rows): an export would treat it as a constant.
        count = rows.shape[0]
        index = torch.tensor(self.columns, device=rows.device).expand(count, -1)
        return rows.new_zeros(count, self.count).scatter(1, index, rows)


class OpenUnion(nn.Module):
    """Logits `[B, K]` as open-set posteriors over a union of classes, `[B, count]`.

    Column k of the softmax becomes column `columns[k]`, times 1 - u; the columns `others`, classes
    known only to another classifier, share u, the estimated probability of "none of these K
    classes". Without `others`, u is not used: the rows equal those of `SoftmaxAt` and `OverUnion`.
    """

    def __init__(
        self,
        columns: Sequence[int],
        others: Sequence[int],
        count: int,
        *,
        temperature: float = 1.0,
        unknown: UnknownShare = "max-posterior",
    ) -> None:
        super().__init__()
        self.columns, self.others, self.count = tuple(columns), tuple(others), count
        self.temperature, self.unknown = temperature, unknown

    def forward(self, logits: Tensor) -> Tensor:
        logits = logits / self.temperature
        own = logits.softmax(dim=1)
        if not self.others:
            return self._spread(logits.new_zeros(logits.shape[0], self.count), self.columns, own)
        share = self.share(logits)[:, None]
        others = (share / len(self.others)).expand(-1, len(self.others))
        union = logits.new_zeros(logits.shape[0], self.count)
        return self._spread(
            self._spread(union, self.columns, (1 - share) * own), self.others, others
        )

    def share(self, logits: Tensor) -> Tensor:
        """The probability u `[B]` for logits already divided by the temperature."""
        if self.unknown == "max-posterior":
            return 1 - logits.softmax(dim=1).amax(dim=1)
        posterior, most = logits.softmax(dim=1), log(max(2, logits.shape[1]))
        return -(posterior * logits.log_softmax(dim=1)).sum(dim=1) / most

    def _spread(self, union: Tensor, columns: Sequence[int], rows: Tensor) -> Tensor:
        index = torch.tensor(columns, device=rows.device).expand(rows.shape[0], -1)
        return union.scatter(1, index, rows)


class JointUnion(nn.Module):
    """Rows `[B, count + K]` as posteriors over a union of classes, `[B, count]`.

    The first `count` columns are an open-set posterior, the others the logits of another
    classifier. Its softmax over its classes `rows`, at a temperature, divides the shares of the
    columns `others`.
    """

    def __init__(
        self, others: Sequence[int], rows: Sequence[int], count: int, *, temperature: float = 1.0
    ) -> None:
        super().__init__()
        self.others, self.rows, self.count = tuple(others), tuple(rows), count
        self.temperature = temperature

    def forward(self, both: Tensor) -> Tensor:
        even, logits = both[:, : self.count], both[:, self.count :]
        rows = torch.tensor(self.rows, device=both.device)
        chosen = logits.index_select(1, rows) / self.temperature
        parts = chosen.softmax(dim=1) * len(self.others)
        index = torch.tensor(self.others, device=both.device).expand(both.shape[0], -1)
        return even.scatter(1, index, even.gather(1, index) * parts)


class EvidenceUnion(nn.Module):
    """Logits `[B, K + M]` of two classifiers as posteriors over the union of their classes.

    The first K = `len(columns)` are those of an image's own classifier. The others share u', for
    which the mass v that the other classifier, of M = `other_count` classes, gives to its classes
    `rows` is evidence: logit u' = logit u + weight (logit v - logit n / M), with u = 1 - max q and
    n = `len(rows)`. Its softmax over `rows` divides u' among the columns `others`.
    """

    def __init__(
        self,
        columns: Sequence[int],
        others: Sequence[int],
        rows: Sequence[int],
        other_count: int,
        *,
        weight: float,
    ) -> None:
        super().__init__()
        self.columns, self.others, self.rows = tuple(columns), tuple(others), tuple(rows)
        self.other_count, self.weight = other_count, weight

    def forward(self, both: Tensor) -> Tensor:
        own, other = both[:, : len(self.columns)], both[:, len(self.columns) :]
        q = own.softmax(dim=1)
        exclusive = other.index_select(1, torch.tensor(self.rows, device=both.device))
        share = self.share(q, exclusive.logsumexp(dim=1) - other.logsumexp(dim=1))[:, None]
        union: Tensor = q.new_zeros(q.shape[0], len(self.columns) + len(self.others))
        union = union.scatter(1, self._index(self.columns, q), (1 - share) * q)
        parts = exclusive.softmax(dim=1)
        return union.scatter(1, self._index(self.others, q), share * parts)

    def share(self, q: Tensor, log_mass: Tensor) -> Tensor:
        """The share u' `[B]` of the other classifier's classes, from q `[B, K]` and log v `[B]`."""
        unknown = 1 - q.amax(dim=1)
        if not self.weight:
            return unknown
        odds = torch.logit(unknown, eps=_LEAST)
        prior = torch.logit(torch.tensor(len(self.rows) / self.other_count))
        evidence = torch.logit(log_mass.exp(), eps=_LEAST) - prior.to(q.device)
        share: Tensor = (odds + self.weight * evidence).sigmoid()
        return share

    def _index(self, columns: Sequence[int], q: Tensor) -> Tensor:
        return torch.tensor(columns, device=q.device).expand(q.shape[0], -1)


class Scaled(nn.Module):
    """Rows times a number."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, rows: Tensor) -> Tensor:
        return self.factor * rows


class SideBySide(nn.Module):
    """Concatenates the rows `[B, D_i]` that several modules compute from the same input."""

    def __init__(self, *branches: nn.Module) -> None:
        super().__init__()
        self.branches = nn.ModuleList(branches)

    def forward(self, inputs: Tensor) -> Tensor:
        return torch.cat([branch(inputs) for branch in self.branches], dim=1)


class ByKnowledge(nn.Module):
    """Concatenates two embeddings of images, `[B, 2 D]`, of which the harness uses one per image.

    The first if the image's class is known to the teacher of its modality, otherwise the second.
    """

    def __init__(self, known: nn.Module, unknown: nn.Module) -> None:
        super().__init__()
        self.known, self.unknown = known, unknown

    def forward(self, images: Tensor) -> Tensor:
        return torch.cat([self.known(images), self.unknown(images)], dim=1)
