"""What is read from a network's features or logits, as parts that encoders are put together of."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional


class UnitNorm(nn.Module):
    """Rows `[B, D]` on the unit sphere."""

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
    """Rows `[B, K]` over a union of classes, `[B, count]`: column k as column `columns[k]`.

    The columns of classes that nobody scored are 0.
    """

    def __init__(self, columns: Sequence[int], count: int) -> None:
        super().__init__()
        self.columns = tuple(columns)
        self.count = count

    def forward(self, rows: Tensor) -> Tensor:
        # Not len(rows): an export would take this batch's for a constant.
        count = rows.shape[0]
        index = torch.tensor(self.columns, device=rows.device).expand(count, -1)
        return rows.new_zeros(count, self.count).scatter(1, index, rows)
