"""Values of tensors as checkpoints keep them: of any precision, sparse, as arrays of NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from dfbench.errors import InvalidInput

_REMEDY = "allowed: dense floating point weights, saved before the network was quantised"


def plain_tensor(value: Tensor | np.ndarray[Any, Any], like: Tensor | None, who: str) -> Tensor:
    """A dense tensor on the CPU without history; floating point ones as float32.

    `like` is the network's own tensor, where it is known: floating point values do not come from
    integers. `who`, which names file and tensor, begins errors. Raises `InvalidInput` for values
    that are quantised, complex, beyond float32, or not there (device `meta`).
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
            raise InvalidInput(f"{who} holds whole numbers ({dense.dtype}); {_REMEDY}")
        return dense.contiguous()
    single = dense.float()
    if dense.dtype == torch.float64 and bool((single.isinf() & ~dense.isinf()).any()):
        raise InvalidInput(f"{who} holds values beyond float32; {_REMEDY}")
    return single.contiguous()


def _as_tensor(value: Tensor | np.ndarray[Any, Any], who: str) -> Tensor:
    if isinstance(value, Tensor):
        return value
    try:
        return torch.from_numpy(np.array(value, value.dtype.newbyteorder("=")))
    except TypeError as fault:
        raise InvalidInput(f"{who} is an array of {value.dtype}; {_REMEDY}") from fault
