"""Serialisation of encoders as chains of built-in parts, rebuilt from names and tensors alone.

An encoder can be serialised if it is one of the parts in `dfbench.networks.parts`, an
`nn.Sequential` of such encoders, `SideBySide` of them, or has a method `as_parts()` that returns
its modules in the order in which it applies them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

import torch
from torch import Tensor, nn

from dfbench.networks.parts import (
    PARTS,
    BackbonePart,
    Chain,
    Part,
    SideBySidePart,
    built,
    facts,
    is_part,
)
from dfbench.networks.representations import SideBySide

_Place = Callable[[nn.Module], str]
"""The prefix of a part's tensors in a state."""
_MAIN = "encoder"


class UnwrittenEncoder(Exception):
    """An encoder that is not a chain of built-in parts; the text names it."""


def written(encoder: nn.Module) -> Chain:
    """The chain of an encoder. Raises `UnwrittenEncoder` if it has none."""
    places: dict[int, str] = {id(module): name for name, module in encoder.named_modules()}

    def place(module: nn.Module) -> str:
        if id(module) not in places and module.state_dict():
            raise UnwrittenEncoder(
                f"{_kind(encoder)}, whose as_parts() returns a {_kind(module)} that is not one of "
                "its submodules"
            )
        return places.get(id(module), "")

    return _chain(encoder, place)


def written_beside(encoder: nn.Module, main: nn.Module) -> tuple[Chain, dict[str, Tensor]]:
    """The chain of an encoder that shares parts with `main`, and the tensors that it does not.

    The chain is rebuilt from `beside(state of main, these tensors)`. Its parts need not be
    submodules of the encoder. Raises `UnwrittenEncoder` if it has no chain.
    """
    places = {id(one): f"{_MAIN}.{name}".rstrip(".") for name, one in main.named_modules()}
    own: list[nn.Module] = []

    def place(module: nn.Module) -> str:
        if id(module) not in places:
            places[id(module)] = f"own.{len(own)}" if module.state_dict() else ""
            own.append(module)
        return places[id(module)]

    chain = _chain(encoder, place)
    return chain, {
        f"{places[id(module)]}.{name}": tensor
        for module in own
        for name, tensor in module.state_dict().items()
    }


def beside(main: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The state from which a chain of `written_beside` is rebuilt."""
    return {f"{_MAIN}.{name}": tensor for name, tensor in main.items()} | dict(own)


def rebuilt(chain: Chain, state: Mapping[str, Tensor]) -> nn.Sequential:
    """The encoder of a chain with the tensors of `state`, frozen, on the CPU.

    Draws nothing from torch's global generator. Raises `RuntimeError` if tensors are missing or
    have another shape, and the errors of building a backbone.
    """
    with torch.random.fork_rng(devices=[]):
        encoder = built(chain)
    for part, module in _leaves(chain, encoder):
        prefix = f"{part.at}." if part.at else ""
        module.load_state_dict(
            {name: state[prefix + name] for name in module.state_dict() if prefix + name in state}
        )
    return encoder.requires_grad_(False).eval()


def state_of(chain: Chain, encoder: nn.Sequential) -> dict[str, Tensor]:
    """The tensors of a rebuilt encoder, by the names expected by `rebuilt`."""
    return {
        f"{part.at}.{name}" if part.at else name: tensor
        for part, module in _leaves(chain, encoder)
        for name, tensor in module.state_dict().items()
    }


def networks_of(chain: Chain) -> set[str]:
    """The names of the backbones in a chain."""
    found: set[str] = set()
    for part in chain:
        if isinstance(part, SideBySidePart):
            found.update(name for branch in part.branches for name in networks_of(branch))
        elif isinstance(part, BackbonePart):
            found.add(part.network)
    return found


def _chain(encoder: nn.Module, place: _Place) -> Chain:
    return tuple(_described(module, place) for module in _parts_of(encoder))


def _described(module: nn.Module, place: _Place) -> Part:
    if isinstance(module, SideBySide):
        return SideBySidePart(branches=tuple(_chain(one, place) for one in module.branches))
    return PARTS.validate_python({"at": place(module), **facts(module)})


def _leaves(chain: Chain, modules: Iterable[nn.Module]) -> Iterator[tuple[Part, nn.Module]]:
    """The parts without branches, and their modules."""
    for part, module in zip(chain, modules, strict=True):
        if isinstance(part, SideBySidePart) and isinstance(module, SideBySide):
            for branch, own in zip(part.branches, module.branches, strict=True):
                yield from _leaves(branch, own.children())
        else:
            yield part, module


def _parts_of(module: nn.Module) -> Iterator[nn.Module]:
    if is_part(module) or type(module) is SideBySide:
        yield module
    elif type(module) is nn.Sequential:
        for child in module:
            yield from _parts_of(child)
    elif callable(getattr(type(module), "as_parts", None)):
        for part in module.as_parts():  # type: ignore[operator]  # looked up on the class above
            yield from _parts_of(part)
    else:
        raise UnwrittenEncoder(_kind(module))


def _kind(module: nn.Module) -> str:
    return f"{type(module).__module__}.{type(module).__qualname__}"
