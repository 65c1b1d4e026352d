"""Serialisation of encoders as chains of built-in parts, rebuilt from names and tensors alone.

An encoder can be serialised if it is one of the parts below, an `nn.Sequential` of such encoders,
or has a method `as_parts()` that returns its modules in the order in which it applies them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Any, Literal

import torch
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter
from torch import Tensor, nn

from dfbench.networks.backbones.backbone import Backbone
from dfbench.networks.backbones.registry import new_backbone
from dfbench.networks.classifier import Normaliser
from dfbench.networks.representations import (
    Centred,
    OpenUnion,
    OverUnion,
    SoftmaxAt,
    UnitNorm,
    UnknownShare,
)


class UnwrittenEncoder(Exception):
    """An encoder that is not a chain of built-in parts; the text names it."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    at: str = ""
    """Prefix of its tensors in the encoder's state."""


class NormaliserPart(_Part):
    """A `Normaliser`."""

    part: Literal["normaliser"] = "normaliser"
    size: int | None
    """Size in pixels to which images are resized first; None for no resizing."""

    def build(self) -> nn.Module:
        """The part, before its tensors are loaded."""
        return Normaliser((0.0, 0.0, 0.0), (1.0, 1.0, 1.0), self.size)


class BackbonePart(_Part):
    """A backbone, by name."""

    part: Literal["backbone"] = "backbone"
    network: str
    image_size: int

    def build(self) -> nn.Module:
        """The part, before its tensors are loaded. Raises what `new_backbone` raises."""
        return new_backbone(self.network, self.image_size)


class LinearPart(_Part):
    """A linear layer."""

    part: Literal["linear"] = "linear"
    inputs: int = Field(ge=1)
    outputs: int = Field(ge=1)
    bias: bool

    def build(self) -> nn.Module:
        """The part, before its tensors are loaded."""
        return nn.Linear(self.inputs, self.outputs, self.bias)


class UnitNormPart(_Part):
    """`UnitNorm`."""

    part: Literal["unit norm"] = "unit norm"

    def build(self) -> nn.Module:
        """The part."""
        return UnitNorm()


class CentredPart(_Part):
    """`Centred`."""

    part: Literal["centred"] = "centred"

    def build(self) -> nn.Module:
        """The part."""
        return Centred()


class SoftmaxPart(_Part):
    """`SoftmaxAt`."""

    part: Literal["softmax"] = "softmax"
    temperature: float = Field(gt=0)

    def build(self) -> nn.Module:
        """The part."""
        return SoftmaxAt(self.temperature)


class UnionPart(_Part):
    """`OverUnion`."""

    part: Literal["over union"] = "over union"
    columns: tuple[int, ...]
    count: int = Field(ge=1)

    def build(self) -> nn.Module:
        """The part."""
        return OverUnion(self.columns, self.count)


class OpenUnionPart(_Part):
    """`OpenUnion`."""

    part: Literal["open union"] = "open union"
    columns: tuple[int, ...]
    others: tuple[int, ...]
    count: int = Field(ge=1)
    temperature: float = Field(gt=0)
    unknown: UnknownShare

    def build(self) -> nn.Module:
        """The part."""
        return OpenUnion(
            self.columns,
            self.others,
            self.count,
            temperature=self.temperature,
            unknown=self.unknown,
        )


Part = Annotated[
    NormaliserPart
    | BackbonePart
    | LinearPart
    | UnitNormPart
    | CentredPart
    | SoftmaxPart
    | UnionPart
    | OpenUnionPart,
    Field(discriminator="part"),
]
Chain = tuple[Part, ...]
_PARTS: TypeAdapter[Part] = TypeAdapter(Part)
_WRITERS: Mapping[type[nn.Module], Callable[[Any], dict[str, Any]]] = {
    Normaliser: lambda it: {"part": "normaliser", "size": it.size},
    nn.Linear: lambda it: {
        "part": "linear",
        "inputs": it.in_features,
        "outputs": it.out_features,
        "bias": it.bias is not None,
    },
    UnitNorm: lambda _: {"part": "unit norm"},
    Centred: lambda _: {"part": "centred"},
    SoftmaxAt: lambda it: {"part": "softmax", "temperature": it.temperature},
    OverUnion: lambda it: {"part": "over union", "columns": it.columns, "count": it.count},
    OpenUnion: lambda it: {
        "part": "open union",
        "columns": it.columns,
        "others": it.others,
        "count": it.count,
        "temperature": it.temperature,
        "unknown": it.unknown,
    },
}


def written(encoder: nn.Module) -> Chain:
    """The chain of an encoder. Raises `UnwrittenEncoder` if it has none."""
    places = {id(module): name for name, module in encoder.named_modules()}
    chain = []
    for module in _parts_of(encoder):
        at = places.get(id(module), "")
        if id(module) not in places and module.state_dict():
            raise UnwrittenEncoder(
                f"{_kind(encoder)}, whose as_parts() returns a {_kind(module)} that is not one of "
                "its submodules"
            )
        chain.append(_PARTS.validate_python({"at": at, **_facts(module)}))
    return tuple(chain)


def rebuilt(chain: Chain, state: Mapping[str, Tensor]) -> nn.Sequential:
    """The encoder of a chain with the tensors of `state`, frozen, on the CPU.

    Draws nothing from torch's global generator. Raises `RuntimeError` if tensors are missing or
    have another shape, and the errors of building a backbone.
    """
    with torch.random.fork_rng(devices=[]):
        modules = [part.build() for part in chain]
    for part, module in zip(chain, modules, strict=True):
        prefix = f"{part.at}." if part.at else ""
        module.load_state_dict(
            {name: state[prefix + name] for name in module.state_dict() if prefix + name in state}
        )
    return nn.Sequential(*modules).requires_grad_(False).eval()


def state_of(chain: Chain, encoder: nn.Sequential) -> dict[str, Tensor]:
    """The tensors of a rebuilt encoder, by the names expected by `rebuilt`."""
    return {
        f"{part.at}.{name}" if part.at else name: tensor
        for part, module in zip(chain, encoder, strict=True)
        for name, tensor in module.state_dict().items()
    }


def _parts_of(module: nn.Module) -> Iterator[nn.Module]:
    if _is_part(module):
        yield module
    elif type(module) is nn.Sequential:
        for child in module:
            yield from _parts_of(child)
    elif callable(getattr(type(module), "as_parts", None)):
        for part in module.as_parts():  # type: ignore[operator]  # looked up on the class above
            yield from _parts_of(part)
    else:
        raise UnwrittenEncoder(_kind(module))


def _is_part(module: nn.Module) -> bool:
    # A subclass may compute something else: only the exact classes count.
    return type(module) in _WRITERS or (isinstance(module, Backbone) and module.made_as is not None)


def _facts(module: nn.Module) -> dict[str, Any]:
    if isinstance(module, Backbone) and module.made_as is not None:
        network, image_size = module.made_as
        return {"part": "backbone", "network": network, "image_size": image_size}
    return _WRITERS[type(module)](module)


def _kind(module: nn.Module) -> str:
    return f"{type(module).__module__}.{type(module).__qualname__}"
