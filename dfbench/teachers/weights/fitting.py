"""Loading external weights into a classifier, with a check of every name and shape."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dfbench.errors import InvalidInput
from dfbench.networks import Classifier, ResNet

COUNTER = "num_batches_tracked"
"""Files of old torch versions lack these counters, which are not used."""
_MOST = 3
"""Most names listed for one kind of mismatch."""


def fit_weights(network: Classifier, tensors: Mapping[str, Tensor], file: str) -> None:
    """Load weights by their names in the network's library.

    Raises `InvalidInput`, naming the tensors, if any is missing, superfluous, of another shape or
    not finite, or if the classifier has another number of classes.
    """
    own = published_names(network)
    shapes = {name: network.state_dict()[place].shape for name, place in own.items()}
    tensors = network.backbone.in_published_names(tensors)
    _check_class_count(network, tensors, file)
    faults = mismatches(shapes, tensors)
    if faults:
        raise InvalidInput(
            f"{file} does not fit the network {network.network_name!r} at {network.image_size} px: "
            f"{'; '.join(faults)}; allowed: the weights of that network{_hint(network, tensors)}"
        )
    check_finite(tensors, file)
    state = {own[name]: tensor for name, tensor in tensors.items()}
    network.load_state_dict(state, strict=False)


def mismatches(shapes: Mapping[str, torch.Size], tensors: Mapping[str, Tensor]) -> list[str]:
    """Differences between `tensors` and `shapes`, one text each; counters may be missing."""
    missing = [name for name in shapes if name not in tensors and COUNTER not in name]
    both = {name: (tensors[name].shape, shapes[name]) for name in shapes if name in tensors}
    return [
        *_missing(missing, tensors),
        *_extra([name for name in tensors if name not in shapes], shapes),
        *_misshapen(both),
    ]


def published_names(network: Classifier) -> dict[str, str]:
    """Names of a classifier's tensors in the network's library, mapped to dfbench's names."""
    body, head = network.backbone.published_body, network.backbone.published_head
    names = {name.removeprefix(body): f"backbone.{name}" for name in network.backbone.state_dict()}
    return names | {f"{head}.{name}": f"head.{name}" for name in network.head.state_dict()}


def sort_classes(network: Classifier, classes: tuple[str, ...]) -> tuple[str, ...]:
    """Sort a classifier's outputs by class name; returns the sorted classes."""
    order = sorted(range(len(classes)), key=classes.__getitem__)
    with torch.no_grad():
        network.head.weight.copy_(network.head.weight[order].clone())
        network.head.bias.copy_(network.head.bias[order].clone())
    return tuple(classes[place] for place in order)


def _check_class_count(network: Classifier, tensors: Mapping[str, Tensor], file: str) -> None:
    head = f"{network.backbone.published_head}.weight"
    wanted = network.head.out_features
    if head in tensors and tensors[head].ndim == 2 and len(tensors[head]) != wanted:
        raise InvalidInput(
            f"{file} has {len(tensors[head])} classes ({head!r} is "
            f"{_shape(tensors[head].shape)}), but the class list has {wanted}; allowed: a list of "
            "its classes, in the order of its outputs"
        )


def _missing(names: list[str], tensors: Iterable[str]) -> Iterable[str]:
    if names:
        yield f"{len(names)} tensors are missing ({_told(names, tensors)})"


def _extra(names: list[str], own: Iterable[str]) -> Iterable[str]:
    if names:
        yield f"{len(names)} are not in the network ({_told(names, own)})"


def _misshapen(shapes: Mapping[str, tuple[torch.Size, torch.Size]]) -> Iterable[str]:
    wrong = [
        f"{name!r} is {_shape(given)}, expected {_shape(wanted)}"
        for name, (given, wanted) in shapes.items()
        if given != wanted
    ]
    if wrong:
        yield f"{len(wrong)} have another shape ({_first(wrong)})"


def _told(names: list[str], others: Iterable[str]) -> str:
    """The first names, each with the most similar one among the others."""
    others = list(others)
    told = []
    for name in names[:_MOST]:
        close = get_close_matches(name, others, n=1, cutoff=0.6)
        told.append(f"{name!r}, nearest {close[0]!r}" if close else repr(name))
    return _first(told + names[_MOST:])


def _first(texts: list[str]) -> str:
    more = f", and {len(texts) - _MOST} more" if len(texts) > _MOST else ""
    return ", ".join(texts[:_MOST]) + more


def _hint(network: Classifier, tensors: Mapping[str, Tensor]) -> str:
    """A hint for networks trained on small images with torchvision's original stem."""
    stem, name = tensors.get("conv1.weight"), network.network_name
    own = network.backbone.conv1.weight if isinstance(network.backbone, ResNet) else None
    if stem is None or own is None or stem.shape == own.shape:
        return ""
    return f" (for torchvision's own stem at any image size: --network torchvision:{name})"


def check_finite(tensors: Mapping[str, Tensor], file: str) -> None:
    """Raise `InvalidInput` for the first tensor with NaN or infinite values."""
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not bool(tensor.isfinite().all()):
            raise InvalidInput(
                f"{file}: {name!r} has values that are not finite (NaN or infinite); allowed: "
                "weights from a training run that did not diverge"
            )


def _shape(shape: torch.Size) -> str:
    return "x".join(map(str, shape)) or "a number"


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
