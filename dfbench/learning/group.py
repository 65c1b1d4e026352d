"""Data-parallel fits: processes that compute one fit together, each on its own device.

All processes do the same with the same random numbers, so pools, queues and losses are equal
everywhere, and methods need no special code. Only the expensive part is distributed: backbones
process a share of each batch, and the features of all shares are gathered
(`dfbench.networks.portions`).

The gradient of a weight then has two parts: one through this process's share, and one that every
process computes alike. `gathered` multiplies the first by the number of processes in the backward
pass, so that the mean over processes is the gradient of the whole batch. Optimiser steps take this
mean; gradients that are read before are those of one process.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from itertools import groupby
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, distributed, nn
from torch.optim import Optimizer
from torch.optim.optimizer import register_optimizer_step_pre_hook

from dfbench.errors import DfbenchError
from dfbench.learning.checkpoint import Checkpoints
from dfbench.learning.loop import Stateful, TrainingLoop

_PATIENCE = timedelta(minutes=15)
"""A process that does not respond for this long counts as stuck."""
_DRIFT = 1e-3


class ProcessGroup:
    """One process of a distributed fit, with its communication to the others."""

    def __init__(self, rank: int, size: int) -> None:
        self.rank = rank
        self.size = size

    @property
    def leads(self) -> bool:
        """Whether this process writes the files of the fit."""
        return self.rank == 0

    def rows(self, count: int) -> slice:
        """The rows of this process: its share of `count` rows; shares differ by at most one row."""
        return slice(self._first(count, self.rank), self._first(count, self.rank + 1))

    def gathered(self, part: Tensor, count: int) -> Tensor:
        """The shares `[n, ...]` of all processes as one batch `[count, ...]`; differentiable."""
        gathered: Tensor = _Gathered.apply(part, self, count)
        return gathered

    def gather(self, part: Tensor, count: int) -> Tensor:
        """As `gathered`, without gradient."""
        widest = -(-count // self.size)
        padded = part.new_zeros(widest, *part.shape[1:])
        padded[: len(part)] = part.detach()
        shares = [torch.empty_like(padded) for _ in range(self.size)]
        distributed.all_gather(shares, padded)
        sizes = (self._first(count, r + 1) - self._first(count, r) for r in range(self.size))
        return torch.cat([share[:n] for share, n in zip(shares, sizes, strict=True)])

    def total(self, number: float) -> float:
        """The sum of the processes' numbers."""
        together = torch.tensor(number, dtype=torch.float64)
        distributed.all_reduce(together)
        return together.item()

    def wait(self) -> None:
        """Wait for all processes."""
        self.total(0)

    def average_gradients(self, optimiser: Optimizer, *_: Any) -> None:
        """Replace the gradients of an optimiser by their mean over processes."""
        gradients = [
            weight.grad
            for group in optimiser.param_groups
            for weight in group["params"]
            if weight.grad is not None
        ]
        for _, some in groupby(gradients, key=lambda gradient: (gradient.device, gradient.dtype)):
            self._average(list(some))

    def require_alike(self, modules: Iterable[nn.Module]) -> None:
        """Copy the leader's weights to all processes. Raises `DfbenchError` if they have diverged.

        Small differences are rounding; large ones come from weights updated without averaging.
        """
        with torch.no_grad():
            for name, tensor in _tensors(modules):
                leaders = tensor.clone(memory_format=torch.contiguous_format)
                distributed.broadcast(leaders, src=0)
                apart = (leaders.double() - tensor.double()).norm()
                limit = _DRIFT * leaders.double().norm() + _DRIFT
                drifted = self.total(float(apart > limit))
                if drifted:
                    raise DfbenchError(
                        f"the processes of a fit drifted apart (in {name}): the method updates "
                        "weights without an optimiser of torch.optim, or draws from its own "
                        "generator; allowed: --devices 1"
                    )
                tensor.copy_(leaders)

    def _average(self, gradients: list[Tensor]) -> None:
        flat = torch.cat([gradient.reshape(-1) for gradient in gradients])
        distributed.all_reduce(flat)
        flat /= self.size
        parts = torch.split(flat, [gradient.numel() for gradient in gradients])
        for gradient, part in zip(gradients, parts, strict=True):
            gradient.copy_(part.view(gradient.shape))

    def _first(self, count: int, rank: int) -> int:
        return count * rank // self.size


@contextmanager
def joined_group(
    rank: int, size: int, meeting: Path, device: torch.device
) -> Iterator[ProcessGroup]:
    """Join the processes that meet at a file into a group, inside the block.

    Inside, optimisers use the mean gradient of all processes.
    """
    distributed.init_process_group(
        "cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo",
        init_method=meeting.resolve().as_uri(),
        rank=rank,
        world_size=size,
        timeout=_PATIENCE,
    )
    group = ProcessGroup(rank, size)
    hook = register_optimizer_step_pre_hook(group.average_gradients)
    try:
        yield group
    finally:
        hook.remove()
        distributed.destroy_process_group()


class _Gathered(torch.autograd.Function):
    """Gathers all shares of a batch; the gradient flows only to this process's share."""

    @staticmethod
    def forward(ctx: Any, part: Tensor, group: ProcessGroup, count: int) -> Tensor:
        ctx.group, ctx.count = group, count
        return group.gather(part, count)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        (gradient,) = gradients
        return gradient[ctx.group.rows(ctx.count)] * ctx.group.size, None, None


def _tensors(modules: Iterable[nn.Module]) -> Iterator[tuple[str, Tensor]]:
    for module in modules:
        yield from module.named_parameters()
        yield from module.named_buffers()


@dataclass(frozen=True)
class GroupCheckpoints(Checkpoints):
    """The checkpoints of one loop, in a folder shared by all processes of a group."""

    group: ProcessGroup

    def save(self, step: int, state: Mapping[str, Any]) -> None:
        """Store a state, if this process leads."""
        if self.group.leads:
            super().save(step, state)

    def save_curves(self, curves: Mapping[str, Any]) -> None:
        """Write the curves, if this process leads."""
        if self.group.leads:
            super().save_curves(curves)

    def begin_live(self, loop: str, steps: int, points: Sequence[Mapping[str, Any]]) -> None:
        """Begin the file of curves, if this process leads."""
        if self.group.leads:
            super().begin_live(loop, steps, points)

    def add_live(self, points: Sequence[Mapping[str, Any]]) -> None:
        """Append points to the file of curves, if this process leads."""
        if self.group.leads:
            super().add_live(points)

    def load(self) -> tuple[int, dict[str, Any]] | None:
        """The same step and state for all. Raises `DfbenchError` if processes find others."""
        found = super().load() if self.group.leads else None
        self.group.wait()  # the leader has removed invalid files
        if not self.group.leads:
            found = super().load()
        step = -1 if found is None else found[0]
        if self.group.total(step) != self.group.size * step:  # nor has any process moved on
            raise DfbenchError(
                f"the processes of this fit found different checkpoints in {self.folder}; remove "
                "the folder, or repeat the command with --force"
            )
        return found


class GroupLoop(TrainingLoop):
    """A loop that all processes of a group take together."""

    def show(self, draw: Callable[[], None]) -> None:
        """Nothing: processes that draw at different times would wait for each other."""


def loops_of(group: ProcessGroup) -> Callable[..., TrainingLoop]:
    """A factory of the group's loops, with the arguments of `TrainingLoop`."""

    def make(
        description: str,
        steps: int,
        state: Mapping[str, Stateful],
        checkpoints: Checkpoints,
        checkpoint_seconds: float,
    ) -> TrainingLoop:
        shared = GroupCheckpoints(checkpoints.folder, checkpoints.name, checkpoints.origin, group)
        return GroupLoop(description, steps, state, shared, checkpoint_seconds)

    return make
