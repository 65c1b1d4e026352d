"""A GPU that is not there: its tensors are computed on the processor, but mix with no other.

What a machine without a GPU can tell of code for one: a tensor left on the wrong device. As with a
real one, scalars and indices of the processor may go along; whatever else has to be moved first.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

GPU = torch.device("cuda", 0)
aten = torch.ops.aten
_MOVES = (aten._to_copy.default, aten.copy_.default)
_INDEXED = (aten.index.Tensor, aten.index_put_.default)


class OnGpu(Tensor):
    """A tensor that says it lies on the GPU; `held` is where it really does."""

    held: Tensor
    device = property(lambda _: GPU)  # type: ignore[assignment]  # of a C slot
    is_cuda = property(lambda _: True)  # type: ignore[assignment]  # of a C slot
    is_meta = property(lambda _: False)  # type: ignore[assignment]  # of a C slot
    __torch_function__ = torch._C._disabled_torch_function_impl

    @staticmethod
    def __new__(cls: type[OnGpu], held: Tensor) -> OnGpu:
        tensor: OnGpu = torch.Tensor._make_wrapper_subclass(
            cls, held.size(), held.stride(), held.storage_offset(), dtype=held.dtype, device="meta"
        )
        tensor.held = held
        return tensor

    def __getitem__(self, places: Any) -> Tensor:
        """Some of it; numbers in a list would be lost on the way to a device without memory."""
        return super().__getitem__(torch.tensor(places) if isinstance(places, list) else places)

    def new_tensor(self, numbers: Any) -> Tensor:
        """Numbers on the same device."""
        return torch.tensor(numbers, dtype=self.dtype, device=GPU)

    def tolist(self) -> Any:
        """Numbers, as of any tensor."""
        return self.held.tolist()

    @classmethod
    def __torch_dispatch__(
        cls, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        del types
        return _computed(func, args, kwargs or {})


class _Factories(TorchDispatchMode):
    """Makes tensors there that are asked for there."""

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        del types
        return _computed(func, args, kwargs or {})


class _Generator(torch.Generator):
    """A generator that says where it lies."""

    def __new__(cls, device: torch.device | str = "cpu") -> _Generator:
        generator = super().__new__(cls)
        generator._place = GPU if torch.device(device).type == GPU.type else torch.device("cpu")
        return generator

    @property
    def device(self) -> torch.device:  # type: ignore[override]  # of a C slot
        return self._place


@contextmanager
def pretended_gpu() -> Iterator[torch.device]:
    """The device, inside the block; `torch.cuda` has no part in it."""
    with pytest.MonkeyPatch.context() as patch, _Factories():
        patch.setattr(torch.cuda, "_lazy_init", lambda: None)
        patch.setattr(torch.cuda, "mem_get_info", lambda _: (2**40, 2**40))
        patch.setattr(torch, "Generator", _Generator)
        patch.setattr(Tensor, "pin_memory", lambda images: images)
        torch.__future__.set_overwrite_module_params_on_conversion(True)
        torch._C._set_only_lift_cpu_tensors(True)
        try:
            yield GPU
        finally:
            torch._C._set_only_lift_cpu_tensors(False)
            torch.__future__.set_overwrite_module_params_on_conversion(False)


def _computed(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    there = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, OnGpu)]
    operands = (args[0], *args[2:]) if func in _INDEXED else args
    if there and func not in _MOVES and any(map(_is_here, tree_leaves((operands, kwargs)))):
        raise RuntimeError(f"{func}: tensors of the GPU and of the processor at once")
    if any(map(_is_lost, tree_leaves((args, kwargs)))):
        raise RuntimeError(f"{func}: numbers were lost before they came here")
    to_gpu = bool(there)
    if kwargs.get("device") is not None:
        to_gpu = torch.device(kwargs["device"]).type != "cpu"
        kwargs = {**kwargs, "device": torch.device("cpu")}
    if func is aten.copy_.default:
        to_gpu = isinstance(args[0], OnGpu)
    known = {id(tensor.held): tensor for tensor in there}
    made = func(*tree_map(_held, args), **tree_map(_held, kwargs))

    def placed(leaf: Any) -> Any:
        if not isinstance(leaf, Tensor) or not to_gpu:
            return leaf
        return known[id(leaf)] if id(leaf) in known else OnGpu(leaf)

    return tree_map(placed, made)


def _is_here(leaf: Any) -> bool:
    return isinstance(leaf, Tensor) and not isinstance(leaf, OnGpu) and leaf.dim() > 0


def _is_lost(leaf: Any) -> bool:
    return isinstance(leaf, Tensor) and not isinstance(leaf, OnGpu) and leaf.is_meta


def _held(leaf: Any) -> Any:
    return leaf.held if isinstance(leaf, OnGpu) else leaf
