"""Conversion of checkpoint values to plain tensors: any precision, sparse, NumPy arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from dfbench.errors import InvalidInput

_REMEDY = "allowed: dense floating-point weights, saved before quantisation"


def plain_tensor(value: Tensor | np.ndarray[Any, Any], like: Tensor | None, who: str) -> Tensor:
    """A detached dense tensor; floating-point values become float32.

    `like` is the network's own tensor, if known: integers are refused for floating-point tensors.
    `who`, which names file and tensor, starts error messages. Raises `InvalidInput` for values that
    are quantised, complex, beyond float32, or missing (device `meta`).
    """
    tensor = _as_tensor(value, who).detach()
    if tensor.is_meta:
        raise InvalidInput(f"{who} has no values (device 'meta'); {_REMEDY}")
    if tensor.is_quantized:
        raise InvalidInput(f"{who} is quantised ({tensor.dtype}); {_REMEDY}")
    if tensor.is_nested or tensor.is_complex():
        kind = "a nested tensor" if tensor.is_nested else f"complex ({tensor.dtype})"
        raise InvalidInput(f"{who} is {kind}; {_REMEDY}")
    dense = tensor.to_dense() if tensor.layout != torch.strided else tensor
    if not dense.is_floating_point():
        if like is not None and like.is_floating_point():
            raise InvalidInput(f"{who} contains integers ({dense.dtype}); {_REMEDY}")
        return dense.contiguous()
    single = dense.float()
    if dense.dtype == torch.float64 and bool((single.isinf() & ~dense.isinf()).any()):
        raise InvalidInput(f"{who} has values beyond float32; {_REMEDY}")
    return single.contiguous()


def _as_tensor(value: Tensor | np.ndarray[Any, Any], who: str) -> Tensor:
    if isinstance(value, Tensor):
        return value
    try:
        return torch.from_numpy(np.array(value, value.dtype.newbyteorder("=")))
    except TypeError as fault:
        raise InvalidInput(f"{who} is an array of {value.dtype}; {_REMEDY}") from fault
