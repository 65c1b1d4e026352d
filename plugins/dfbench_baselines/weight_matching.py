"""Git Re-Basin by weight matching: permutes the units of one network to match another.

Ainsworth, Hayase, Srinivasa: "Git Re-Basin: Merging Models modulo Permutation Symmetries", ICLR
2023, algorithm 1. For one unit order at a time, with all others fixed, the permutation
P = argmax_P <W_a, P W_b> is a linear assignment; a sweep visits the unit orders in random order,
and sweeps are repeated until none improves.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from dfbench_baselines.permutations import Axes, Permutations, renumbered

_SWEEPS = 100
_LEAST_GAIN = 1e-9
"""Relative to the similarity maximised by the assignment; smaller gains are rounding."""


def match_units(
    a: Mapping[str, Tensor], b: Mapping[str, Tensor], axes: Axes, generator: torch.Generator
) -> Permutations:
    """Permutations of the units of state `b` that bring it closest to state `a`.

    All tensors named in `axes` are compared except the running statistics of normalisation, which
    are not weights. `generator` orders the sweeps. Permutations lie on the CPU.
    """
    compared = {name: names for name, names in axes.items() if "running_" not in name}
    a = {name: a[name].double().cpu() for name in compared}
    b = {name: b[name].double().cpu() for name in compared}
    by = {
        numbering: torch.arange(a[name].shape[axis])
        for name, names in compared.items()
        for axis, numbering in enumerate(names)
        if numbering is not None
    }
    for _ in range(_SWEEPS):
        order = torch.randperm(len(by), generator=generator, device=generator.device).tolist()
        names = sorted(by)
        gains = [_improve(a, b, compared, by, names[i]) for i in order]
        if not any(gains):
            break
    return by


def _improve(
    a: Mapping[str, Tensor],
    b: Mapping[str, Tensor],
    axes: Axes,
    by: dict[str, Tensor],
    numbering: str,
) -> bool:
    """Set the best permutation of one unit order; returns whether it improves the previous one."""
    similarity = _similarity(a, b, axes, by, numbering)
    places = torch.arange(len(similarity))
    best = torch.as_tensor(linear_sum_assignment(similarity.numpy(), maximize=True)[1])
    gain = similarity[places, best].sum() - similarity[places, by[numbering]].sum()
    if gain <= _LEAST_GAIN * similarity[places, best].abs().sum():
        return False
    by[numbering] = best
    return True


def _similarity(
    a: Mapping[str, Tensor], b: Mapping[str, Tensor], axes: Axes, by: Permutations, numbering: str
) -> Tensor:
    """`[units, units]`: inner product of the weights of each unit of `a` and of `b`."""
    fixed = {name: permutation for name, permutation in by.items() if name != numbering}
    total = torch.zeros(len(by[numbering]), len(by[numbering]), dtype=torch.float64)
    for name, names in axes.items():
        if numbering not in names:
            continue
        other = renumbered(b[name], names, fixed)
        for axis, own in enumerate(names):
            if own == numbering:
                total += _rows(a[name], axis) @ _rows(other, axis).T
    return total


def _rows(tensor: Tensor, axis: int) -> Tensor:
    return tensor.movedim(axis, 0).flatten(1) if tensor.ndim > 1 else tensor.unsqueeze(1)
