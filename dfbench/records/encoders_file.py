"""`encoders.json` of a run's folder: how to rebuild its encoders and compare embeddings.

Tensors of further representations that the encoders do not have are in
`representations.safetensors`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal, NamedTuple

import torch
from pydantic import BaseModel, ConfigDict
from safetensors.torch import save
from torch import Tensor, nn

from dfbench.method import Setting
from dfbench.modality import MODALITIES, Modality
from dfbench.networks import Encoders, placed
from dfbench.networks.chain import UnwrittenEncoder, beside, rebuilt, written, written_beside
from dfbench.networks.parts import Chain
from dfbench.networks.placement import uncompiled
from dfbench.plugins.code import describe_fault, plugin_faults
from dfbench.process.messages import Job
from dfbench.system.files import atomic_path, read_model

WRITTEN_FILE = "encoders.json"
REPRESENTATIONS_FILE = "representations.safetensors"
_IMAGES = 4
_TOLERANCE = 1e-4


class WrittenRepresentation(BaseModel):
    """The description of a further representation of two encoders."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    similarity: str
    chains: dict[Modality, Chain]
    """Empty if there is an obstacle."""
    obstacle: str | None = None


class WrittenEncoders(BaseModel):
    """The description of two encoders, without their tensors."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1
    fit_id: str
    method: str
    """Label of the method."""
    seed: int
    image_size: int
    """Height and width, in pixels, of the images that the run generated and scored."""
    similarity: str
    """How embeddings are compared: `cosine`, `inner` or `euclidean`."""
    classes: dict[Modality, tuple[str, ...]]
    """Classes known to the teacher of each modality."""
    chains: dict[Modality, Chain]
    """Empty if there is an obstacle."""
    obstacle: str | None = None
    """Why the encoders cannot be described."""
    representation: str = ""
    """Name of the representation that they compute; empty for the main one."""
    representations: dict[str, WrittenRepresentation] = {}
    """Further representations in the same folder."""

    @property
    def label(self) -> str:
        """The method with its representation, if that is not the main one."""
        return f"{self.method}, {self.representation}" if self.representation else self.method


class _Description(NamedTuple):
    chains: dict[Modality, Chain]
    obstacle: str | None
    tensors: dict[str, Tensor]
    """Those that are not in the encoders' own file, by modality and name."""


class _Source(NamedTuple):
    """The chain of an encoder and the tensors from which it is rebuilt."""

    chain: Chain
    state: Mapping[str, Tensor]
    own: Mapping[str, Tensor]


def write_down(folder: Path, encoders: Encoders, setting: Setting, job: Job) -> None:
    """Write the description of a run's encoders into its folder, or why there is none.

    A description is stored only if the rebuilt encoders map noise to the same embeddings. Does not
    change torch's global generator. Raises `FileFault`.
    """
    main = _description(encoders, setting, lambda _: _alone)
    further = {
        name: _description(one, setting, lambda modality: _beside(getattr(encoders, modality)))
        for name, one in encoders.representations.items()
    }
    content = WrittenEncoders(
        fit_id=job.fit_id,
        method=job.method.label,
        seed=job.seed,
        image_size=job.image_size,
        similarity=encoders.similarity,
        classes={modality: setting.teacher(modality).classes for modality in MODALITIES},
        chains=main.chains,
        obstacle=main.obstacle,
        representations={
            name: WrittenRepresentation(
                similarity=encoders.representations[name].similarity,
                chains=one.chains,
                obstacle=one.obstacle,
            )
            for name, one in further.items()
        },
    )
    tensors = {
        f"{name}.{place}": tensor.detach().cpu().clone(memory_format=torch.contiguous_format)
        for name, one in further.items()
        for place, tensor in one.tensors.items()
    }
    with atomic_path(folder / REPRESENTATIONS_FILE) as temporary:
        temporary.write_bytes(save(tensors))
    with atomic_path(folder / WRITTEN_FILE) as temporary:
        temporary.write_text(content.model_dump_json(indent=1) + "\n", encoding="utf-8")


def read_written(file: Path) -> WrittenEncoders:
    """The description stored in a file. Raises `InvalidInput` if it cannot be read."""
    return read_model(
        WrittenEncoders,
        file,
        "is not in the format of this version of dfbench",
        "repeat its run with --force",
    )


def _alone(encoder: nn.Module) -> _Source:
    return _Source(written(encoder), encoder.state_dict(), {})


def _beside(main: nn.Module) -> Callable[[nn.Module], _Source]:
    """The source of an encoder that shares parts with the main one of its modality."""

    def source(encoder: nn.Module) -> _Source:
        chain, own = written_beside(encoder, main)
        return _Source(chain, beside(main.state_dict(), own), own)

    return source


def _description(
    encoders: Encoders,
    setting: Setting,
    source_of: Callable[[Modality], Callable[[nn.Module], _Source]],
) -> _Description:
    chains: dict[Modality, Chain] = {}
    tensors: dict[str, Tensor] = {}
    for modality in MODALITIES:
        try:
            found = _checked(getattr(encoders, modality), setting, source_of(modality))
        except UnwrittenEncoder as reason:
            return _Description({}, f"its {modality} encoder is {reason}", {})
        chains[modality] = found.chain
        tensors |= {f"{modality}.{name}": tensor for name, tensor in found.own.items()}
    return _Description(chains, None, tensors)


@torch.no_grad()
def _checked(
    encoder: nn.Module, setting: Setting, source: Callable[[nn.Module], _Source]
) -> _Source:
    """The source of an encoder. Raises `UnwrittenEncoder` unless both give the same embeddings.

    An error in a plugin's `as_parts` does not fail the run: it is stored as the obstacle.
    """
    shape = (_IMAGES, 3, setting.image_size, setting.image_size)
    images = torch.rand(shape, generator=torch.Generator().manual_seed(0)).to(setting.device)
    encoder.eval()
    try:
        with plugin_faults():
            found = source(encoder)
            again = placed(rebuilt(found.chain, found.state), setting.device)(images)
            with uncompiled():  # not worth compiling for a few images
                same = _close(again, encoder(images))
    except UnwrittenEncoder:
        raise
    except Exception as fault:  # a plugin's as_parts may do anything
        reason = describe_fault(fault)
        raise UnwrittenEncoder(f"{_kind(encoder)}, whose parts do not work ({reason})") from fault
    if not same:
        raise UnwrittenEncoder(f"{_kind(encoder)}, whose parts compute something else")
    return found


def _close(a: Tensor, b: Tensor) -> bool:
    return a.shape == b.shape and torch.allclose(a, b, rtol=_TOLERANCE, atol=_TOLERANCE)


def _kind(encoder: nn.Module) -> str:
    return f"{type(encoder).__module__}.{type(encoder).__qualname__}"
