"""One step down a sum of losses."""

from __future__ import annotations

import torch
from torch import Tensor


def descend(optimiser: torch.optim.Optimizer, *losses: Tensor) -> None:
    """Move the optimiser's parameters by one step; `losses` are scalars that are added up.

    Without a loss nothing moves.
    """
    if not losses:
        return
    optimiser.zero_grad(set_to_none=True)
    torch.stack(losses).sum().backward()  # type: ignore[no-untyped-call]  # torch's stub
    optimiser.step()
