"""The parts of encoders that are described by name, numbers and tensors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter
from torch import nn

from dfbench.networks.backbones.backbone import Backbone
from dfbench.networks.backbones.registry import new_backbone
from dfbench.networks.classifier import Normaliser
from dfbench.networks.representations import (
    Centred,
    EvidenceUnion,
    JointUnion,
    OpenUnion,
    OverUnion,
    Scaled,
    SideBySide,
    SoftmaxAt,
    UnitNorm,
    UnknownShare,
)


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


class JointUnionPart(_Part):
    """`JointUnion`."""

    part: Literal["joint union"] = "joint union"
    others: tuple[int, ...]
    rows: tuple[int, ...]
    count: int = Field(ge=1)
    temperature: float = Field(gt=0)

    def build(self) -> nn.Module:
        """The part."""
        return JointUnion(self.others, self.rows, self.count, temperature=self.temperature)


class EvidenceUnionPart(_Part):
    """`EvidenceUnion`."""

    part: Literal["evidence union"] = "evidence union"
    columns: tuple[int, ...]
    others: tuple[int, ...]
    rows: tuple[int, ...]
    other_count: int = Field(ge=1)
    weight: float = Field(ge=0)

    def build(self) -> nn.Module:
        """The part."""
        return EvidenceUnion(
            self.columns, self.others, self.rows, self.other_count, weight=self.weight
        )


class ScaledPart(_Part):
    """`Scaled`."""

    part: Literal["scaled"] = "scaled"
    factor: float

    def build(self) -> nn.Module:
        """The part."""
        return Scaled(self.factor)


class SideBySidePart(_Part):
    """`SideBySide`, a chain for each branch."""

    part: Literal["side by side"] = "side by side"
    branches: tuple[Chain, ...]

    def build(self) -> nn.Module:
        """The part, before the tensors of its branches are loaded."""
        return SideBySide(*(built(chain) for chain in self.branches))


Part = Annotated[
    NormaliserPart
    | BackbonePart
    | LinearPart
    | UnitNormPart
    | CentredPart
    | SoftmaxPart
    | UnionPart
    | OpenUnionPart
    | JointUnionPart
    | EvidenceUnionPart
    | ScaledPart
    | SideBySidePart,
    Field(discriminator="part"),
]
Chain = tuple[Part, ...]
SideBySidePart.model_rebuild()
PARTS: TypeAdapter[Part] = TypeAdapter(Part)
"""Validates one part."""


def built(chain: Chain) -> nn.Sequential:
    """The modules of a chain, before their tensors are loaded."""
    return nn.Sequential(*(part.build() for part in chain))


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
    JointUnion: lambda it: {
        "part": "joint union",
        "others": it.others,
        "rows": it.rows,
        "count": it.count,
        "temperature": it.temperature,
    },
    EvidenceUnion: lambda it: {
        "part": "evidence union",
        "columns": it.columns,
        "others": it.others,
        "rows": it.rows,
        "other_count": it.other_count,
        "weight": it.weight,
    },
    Scaled: lambda it: {"part": "scaled", "factor": it.factor},
}


def is_part(module: nn.Module) -> bool:
    """Whether a module is a part without branches."""
    # A subclass may compute something else: only the exact classes count.
    return type(module) in _WRITERS or (isinstance(module, Backbone) and module.made_as is not None)


def facts(module: nn.Module) -> dict[str, Any]:
    """The fields of a module's part, except `at`."""
    if isinstance(module, Backbone) and module.made_as is not None:
        network, image_size = module.made_as
        return {"part": "backbone", "network": network, "image_size": image_size}
    return _WRITERS[type(module)](module)
