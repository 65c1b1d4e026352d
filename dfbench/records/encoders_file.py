"""`encoders.json` of a run's folder: how to rebuild its encoders and compare embeddings."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import torch
from pydantic import BaseModel, ConfigDict
from torch import Tensor, nn

from dfbench.method import Setting
from dfbench.modality import MODALITIES, Modality
from dfbench.networks import Encoders, placed
from dfbench.networks.chain import Chain, UnwrittenEncoder, rebuilt, written
from dfbench.networks.placement import uncompiled
from dfbench.plugins.code import describe_fault, plugin_faults
from dfbench.process.messages import Job
from dfbench.system.files import atomic_path, read_model

WRITTEN_FILE = "encoders.json"
_IMAGES = 4
_TOLERANCE = 1e-4


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


def write_down(folder: Path, encoders: Encoders, setting: Setting, job: Job) -> None:
    """Write the description of a run's encoders into its folder, or why there is none.

    A description is stored only if the rebuilt encoders map noise to the same embeddings. Does not
    change torch's global generator. Raises `FileFault`.
    """
    chains: dict[Modality, Chain] = {}
    obstacle = None
    try:
        for modality in MODALITIES:
            chains[modality] = _checked(getattr(encoders, modality), setting)
    except UnwrittenEncoder as found:
        chains, obstacle = {}, f"its {modality} encoder is {found}"
    content = WrittenEncoders(
        fit_id=job.fit_id,
        method=job.method.label,
        seed=job.seed,
        image_size=job.image_size,
        similarity=encoders.similarity,
        classes={modality: setting.teacher(modality).classes for modality in MODALITIES},
        chains=chains,
        obstacle=obstacle,
    )
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


@torch.no_grad()
def _checked(encoder: nn.Module, setting: Setting) -> Chain:
    """The chain of an encoder. Raises `UnwrittenEncoder` unless both give the same embeddings.

    An error in a plugin's `as_parts` does not fail the run: it is stored as the obstacle.
    """
    shape = (_IMAGES, 3, setting.image_size, setting.image_size)
    images = torch.rand(shape, generator=torch.Generator().manual_seed(0)).to(setting.device)
    state: Mapping[str, Tensor] = encoder.state_dict()
    encoder.eval()
    try:
        with plugin_faults():
            chain = written(encoder)
            again = placed(rebuilt(chain, state), setting.device)(images)
            with uncompiled():  # not worth compiling for a few images
                same = _close(again, encoder(images))
    except UnwrittenEncoder:
        raise
    except Exception as fault:  # a plugin's as_parts may do anything
        reason = describe_fault(fault)
        raise UnwrittenEncoder(f"{_kind(encoder)}, whose parts do not work ({reason})") from fault
    if not same:
        raise UnwrittenEncoder(f"{_kind(encoder)}, whose parts compute something else")
    return chain


def _close(a: Tensor, b: Tensor) -> bool:
    return a.shape == b.shape and torch.allclose(a, b, rtol=_TOLERANCE, atol=_TOLERANCE)


def _kind(encoder: nn.Module) -> str:
    return f"{type(encoder).__module__}.{type(encoder).__qualname__}"
