"""Selection of a network's weights among the tensors of a checkpoint."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from dfbench.errors import InvalidInput, unknown_name
from dfbench.teachers.weights.fitting import plain_tensor

_WRAPPERS = re.compile(r"(?<![^.])(_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module)\.")
"""Name components added by torch.compile and sharding, wherever they wrap a module."""
_PREFIXES = ("module.", "model.", "net.", "network.", "backbone.", "encoder.")
"""Prefixes removed from all names if the network's own names are not known."""
_AVERAGED = re.compile(r"(^|[._])(ema|swa|avg|averaged|average|teacher|momentum|shadow)([._]|$)")
"""Averaged copies of the trained weights: used only on request, or if there are no others."""
_NO_LAYER = re.compile(
    r"(^|\.)(total_ops|total_params|n_averaged)$"
    r"|^(criterion|loss|loss_fn|\w*_loss|\w*metrics?|\w*accuracy|(train|val|test)_\w+)\."
)
"""Profiler counters, and losses and metrics that are modules: not layers of the network."""
_COUNTER = "num_batches_tracked"
_DEEPEST = 6
_MOST = 8
"""Most entries listed for one file."""


class Checkpoint(NamedTuple):
    """The weights in a checkpoint file."""

    tensors: dict[str, Tensor]
    """Dense, on the CPU; floating-point tensors are float32."""
    notes: tuple[str, ...]
    """The contents of the file, the tensors used and the prefixes removed, one line each."""


@dataclass(frozen=True, eq=False)
class _StateDict:
    """The tensors in one mapping."""

    place: str
    """Keys of the enclosing mappings, joined by dots; empty at the top."""
    tensors: dict[str, Any]

    def address(self, name: str) -> str:
        """The full path of a tensor, unique across state dicts."""
        return f"{self.place}.{name}" if self.place else name


@dataclass(frozen=True)
class _Choice:
    """Tensors of one state dict with a common prefix."""

    state: _StateDict
    prefix: str

    @property
    def entry(self) -> str:
        """The `--entry` that selects it."""
        return self.state.address(self.prefix).strip(".")

    def address(self, name: str) -> str:
        """The address of a tensor, from its name without the prefix."""
        return self.state.address(f"{self.prefix}{name}")

    @property
    def tensors(self) -> dict[str, Any]:
        """By name, without the prefix."""
        return {
            name.removeprefix(self.prefix): value
            for name, value in self.state.tensors.items()
            if name.startswith(self.prefix)
        }


def chosen_weights(
    content: Any, who: str, wanted: Mapping[str, Tensor], entry: str | None
) -> Checkpoint:
    """The weights in the content of a file; `who` starts error messages. See `read_checkpoint`."""
    held = _told(content)
    states = [_StateDict(s.place, _unwrapped(s.tensors)) for s in _state_dicts(content)]
    if not states:
        raise InvalidInput(
            f"{who} contains no state dict (it contains {held}); allowed: tensors by name, as "
            "returned by network.state_dict()"
        )
    counts = _by_names(states, wanted) or _by_size(states)
    if entry is not None:
        counts = _named(counts, entry, who)
    choice, others = _preferred(_most(counts), who)
    tensors, left = _of_layers(choice, wanted)
    notes = [f"it contains {held}", *_origin(choice)]
    if others:
        told = _first([repr(other) for other in others])
        notes.append(f"the same names are also under {told} (to use them: --entry {others[0]})")
    extra = {choice.address(name): name for name in tensors if name not in wanted}
    beside = left | {address: tensors[name] for address, name in extra.items()}
    if not beside:
        beside = _elsewhere(states, choice)
    for name, there in _head(wanted.keys() - tensors.keys(), beside, wanted).items():
        notes.append(f"{there!r} used for {name!r}")
        tensors.pop(extra.get(there, ""), None)
        left.pop(there, None)
        tensors[name] = beside[there]
    if left:
        notes.append(f"not used: {_first([repr(name) for name in sorted(left)])}")
    plain = {
        name: plain_tensor(value, wanted.get(name), f"{who}: {name!r}")
        for name, value in tensors.items()
    }
    return Checkpoint(plain, tuple(notes))


def _state_dicts(content: Any, place: str = "", depth: int = 0) -> Iterator[_StateDict]:
    """All mappings of names to tensors, outer ones first."""
    if depth > _DEEPEST or not isinstance(content, Mapping | list | tuple):
        return
    own = list(_items(content))
    tensors = {key: value for key, value in own if isinstance(value, Tensor | np.ndarray)}
    if tensors and isinstance(content, Mapping):
        yield _StateDict(place, tensors)
    for key, value in own:
        yield from _state_dicts(value, f"{place}.{key}" if place else key, depth + 1)


def _items(content: Mapping[Any, Any] | Sequence[Any]) -> Iterator[tuple[str, Any]]:
    pairs = content.items() if isinstance(content, Mapping) else enumerate(content)
    return ((str(key), value) for key, value in pairs)


def _unwrapped(tensors: Mapping[str, Any]) -> dict[str, Any]:
    return {_WRAPPERS.sub("", name): value for name, value in tensors.items()}


def _by_names(states: Sequence[_StateDict], wanted: Collection[str]) -> dict[_Choice, int]:
    """Number of wanted names per state dict and prefix; empty if fewer than half are present."""
    names = frozenset(wanted)
    counts: Counter[tuple[int, str]] = Counter()
    for place, state in enumerate(states):
        for name in state.tensors:
            start = 0
            while True:
                if name[start:] in names:
                    counts[place, name[:start]] += 1
                point = name.find(".", start)
                if point < 0:
                    break
                start = point + 1
    if 2 * max(counts.values(), default=0) < len(names):
        return {}
    return {_Choice(states[place], prefix): n for (place, prefix), n in counts.items()}


def _by_size(states: Sequence[_StateDict]) -> dict[_Choice, int]:
    """Number of tensors per state dict, after removing prefixes common to all names."""
    counts = {}
    for state in states:
        prefix = ""
        while more := _common_prefix(state.tensors, prefix):
            prefix += more
        counts[_Choice(state, prefix)] = len(state.tensors)
    return counts


def _most(counts: Mapping[_Choice, int]) -> list[_Choice]:
    return [choice for choice, count in counts.items() if count == max(counts.values())]


def _common_prefix(names: Collection[str], after: str) -> str | None:
    return next((p for p in _PREFIXES if all(n.startswith(after + p) for n in names)), None)


def _named(counts: Mapping[_Choice, int], entry: str, who: str) -> dict[_Choice, int]:
    wanted = _WRAPPERS.sub("", entry.strip(".") + ".")
    found = {c: count for c, count in counts.items() if f"{c.entry}.".startswith(wanted)}
    if not found:
        allowed = [choice.entry for choice in _most(counts) if choice.entry]
        raise unknown_name(f"entry of {who}", entry, allowed, "dfbench teachers import --help")
    return found


def _preferred(choices: Sequence[_Choice], who: str) -> tuple[_Choice, list[str]]:
    """The choice to use, and the entries of the others; averaged copies are used last."""
    trained = [choice for choice in choices if not _AVERAGED.search(choice.entry)]
    first, *others = trained or choices
    if any(not _equal(first, other) for other in others):
        raise InvalidInput(
            f"{who} contains {len(choices)} sets of weights that fit equally well; allowed: one of "
            f"them, {_first([f'--entry {choice.entry}' for choice in choices if choice.entry])}"
        )
    return first, [choice.entry for choice in choices if choice is not first]


def _equal(one: _Choice, other: _Choice) -> bool:
    ours, theirs = one.tensors, other.tensors
    return ours.keys() == theirs.keys() and all(
        isinstance(value, Tensor)
        and isinstance(theirs[name], Tensor)
        and value.layout == theirs[name].layout == torch.strided
        and value.dtype == theirs[name].dtype
        and torch.equal(value, theirs[name])
        for name, value in ours.items()
    )


def _origin(choice: _Choice) -> Iterator[str]:
    if choice.state.place:
        yield f"weights found under {choice.state.place!r}"
    if choice.prefix:
        yield f"{choice.prefix!r} removed from the names of {len(choice.tensors)} tensors"


def _of_layers(choice: _Choice, wanted: Collection[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Tensors of the network by name, and all others by address."""
    tensors, left = {}, {}
    for name, value in choice.state.tensors.items():
        own = name.removeprefix(choice.prefix)
        if name.startswith(choice.prefix) and (own in wanted or not _NO_LAYER.search(own)):
            tensors[own] = value
        else:
            left[choice.state.address(name)] = value
    return tensors, left


def _elsewhere(states: Sequence[_StateDict], choice: _Choice) -> dict[str, Any]:
    """Tensors of the other state dicts by address, without those of optimisers."""
    return {
        state.address(name): value
        for state in states
        if state is not choice.state and not state.place.startswith("optim")
        for name, value in state.tensors.items()
    }


def _head(
    missing: Collection[str], beside: Mapping[str, Any], wanted: Mapping[str, Tensor]
) -> dict[str, str]:
    """Addresses of a last layer stored under another name, by the network's names; may be empty.

    Used only if exactly a matrix and a bias are missing, and the remaining tensors contain exactly
    one such pair and no other layer that could come before it.
    """
    missing = {name for name in missing if not name.endswith(_COUNTER)}
    weight = next((name for name in missing if wanted[name].ndim == 2), "")
    bias = f"{weight.removesuffix('weight')}bias"
    matrices = [address for address, value in beside.items() if value.ndim > 1]
    if missing != {weight, bias} or len(matrices) != 1 or not matrices[0].endswith("weight"):
        return {}
    shape, own = beside[matrices[0]].shape, f"{matrices[0].removesuffix('weight')}bias"
    fits = len(shape) == 2 and shape[1] == wanted[weight].shape[1] and own in beside
    return {weight: matrices[0], bias: own} if fits else {}


def _told(content: Any) -> str:
    """`'net' (122 tensors), 'epoch' (int)`."""
    if not isinstance(content, Mapping | list | tuple):
        return _kind(content)
    own = list(_items(content))
    tensors = [key for key, value in own if isinstance(value, Tensor | np.ndarray)]
    told = [f"{key!r} ({_kind(value)})" for key, value in own if key not in set(tensors)]
    if tensors:
        told.insert(0, f"{len(tensors)} tensors such as {tensors[0]!r}")
    return _first(told) if told else "nothing"


def _kind(value: Any) -> str:
    if isinstance(value, Tensor | np.ndarray):
        return "a tensor"
    if isinstance(value, Mapping | list | tuple):
        parts = list(value.values()) if isinstance(value, Mapping) else list(value)
        tensors = sum(isinstance(part, Tensor | np.ndarray) for part in parts)
        return f"{tensors} tensors" if tensors else f"{type(value).__name__} of {len(parts)}"
    return type(value).__name__


def _first(texts: Sequence[str]) -> str:
    more = f", and {len(texts) - _MOST} more" if len(texts) > _MOST else ""
    return ", ".join(texts[:_MOST]) + more
