"""One step down a sum of losses, by the fastest kernel there is for it."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn


def descend(optimiser: torch.optim.Optimizer, *losses: Tensor) -> None:
    """Move the optimiser's parameters by one step; `losses` are scalars that are added up.

    Without a loss nothing moves.
    """
    if not losses:
        return
    optimiser.zero_grad(set_to_none=True)
    torch.stack(losses).sum().backward()  # type: ignore[no-untyped-call]  # torch's stub
    optimiser.step()


def fused(parameters: Iterable[nn.Parameter]) -> bool | None:
    """What torch's optimisers take as `fused`: True where one kernel moves all the parameters.

    That is on CUDA. Elsewhere None, torch's own choice.
    """
    on_cuda = {parameter.device.type for parameter in parameters} == {"cuda"}
    return True if on_cuda else None
