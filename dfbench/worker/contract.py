"""Checks of a method's contract: the result of `fit`, unchanged teachers, encoder outputs."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b
from typing import Any

import torch
from torch import Tensor, nn

from dfbench.datasets.dataset import ImageArray
from dfbench.errors import DfbenchError, PluginFault
from dfbench.learning.batches import batch_of, to_unit
from dfbench.method import Method, Setting
from dfbench.modality import MODALITIES, Modality
from dfbench.networks import Encoders
from dfbench.plugins.code import describe_fault, plugin_faults
from dfbench.plugins.info import MethodInfo


def fitted(method: Method, setting: Setting, info: MethodInfo) -> Encoders:
    """The encoders that a method fits. Raises `PluginFault` if it returns anything else."""
    try:
        with plugin_faults():
            encoders = method.fit(setting)
    except DfbenchError:
        raise
    except Exception as fault:  # whatever a plugin raises
        raise PluginFault(
            f"method {info.label!r} of plugin {info.plugin!r} {info.plugin_version}: fit() raised "
            f"{describe_fault(fault)}"
        ) from fault
    if not isinstance(encoders, Encoders):
        raise PluginFault(
            f"method {info.label!r}: fit() returned {type(encoders).__name__}; allowed: "
            "dfbench.Encoders"
        )
    for representation in (encoders, *encoders.representations.values()):
        for modality in MODALITIES:
            encoder = getattr(representation, modality)
            if not isinstance(encoder, nn.Module):
                raise PluginFault(
                    f"method {info.label!r}: its {modality} encoder is {encoder!r}; allowed: a "
                    "torch.nn.Module"
                )
    return encoders


def teacher_digests(setting: Setting) -> dict[Modality, str]:
    """BLAKE2 digests of the weights and statistics of both teachers."""
    return {modality: tensors_digest(setting.teacher(modality)) for modality in MODALITIES}


def tensors_digest(module: nn.Module) -> str:
    """BLAKE2 digest of all parameters and buffers of a module with their names."""
    digest = blake2b(digest_size=16)
    for name, tensor in module.state_dict().items():
        digest.update(f"{name} {tensor.dtype} {list(tensor.shape)}".encode())
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def check_teachers(before: Mapping[Modality, str], setting: Setting, info: MethodInfo) -> None:
    """Raise `PluginFault` if a teacher's digest differs from `before`."""
    after = teacher_digests(setting)
    altered = [modality for modality in MODALITIES if after[modality] != before[modality]]
    if altered:
        raise PluginFault(
            f"method {info.label!r} of plugin {info.plugin!r} {info.plugin_version}: fit() altered "
            f"the {' and the '.join(altered)} teacher; allowed: changes to a copy "
            "(copy.deepcopy), never to the teacher itself"
        )


@torch.no_grad()
def embedded(
    encoder: nn.Module,
    images: ImageArray,
    info: MethodInfo,
    device: torch.device,
    modality: Modality,
    rows: slice | None = None,
) -> Tensor:
    """Embeddings `[N, D]` of uint8 images, on the CPU; with `rows`, of these images only.

    Raises `PluginFault` if the encoder returns anything else.
    """
    encoder.eval()
    parts = []
    size = batch_of(images.shape[-1])
    first, end = (rows.start, rows.stop) if rows else (0, len(images))
    for start in range(first, end, size):
        batch = torch.from_numpy(images[start : min(start + size, end)].copy())
        part = encoded(encoder, to_unit(batch.to(device)), info, modality)
        # Ranking uses NumPy, which has no bfloat16.
        parts.append(part.float().cpu() if part.dtype == torch.bfloat16 else part.cpu())
    if len({part.shape[1] for part in parts}) > 1:
        widths = sorted({part.shape[1] for part in parts})
        raise PluginFault(
            f"method {info.label!r}: its {modality} embeddings differ in width from batch to "
            f"batch: {widths}; allowed: one width D"
        )
    return torch.cat(parts).contiguous()


def encoded(encoder: nn.Module, images: Tensor, info: MethodInfo, modality: Modality) -> Tensor:
    """An encoder's output for a batch in [0, 1]. Raises `PluginFault` if it is not `[B, D]`."""
    try:
        with plugin_faults():
            part: Any = encoder(images)
    except Exception as fault:  # whatever a plugin raises
        raise PluginFault(
            f"method {info.label!r} of plugin {info.plugin!r} {info.plugin_version}: its "
            f"{modality} encoder raised {describe_fault(fault)}"
        ) from fault
    if not isinstance(part, Tensor) or part.ndim != 2 or len(part) != len(images):
        shape = list(part.shape) if isinstance(part, Tensor) else type(part).__name__
        raise PluginFault(
            f"method {info.label!r}: its {modality} encoder maps {len(images)} images to "
            f"{shape}; allowed: [{len(images)}, D]"
        )
    return part
