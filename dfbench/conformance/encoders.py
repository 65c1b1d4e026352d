"""Checks of the encoders that a method returned."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from dfbench.conformance.check import CheckFailed
from dfbench.conformance.stage import Stage
from dfbench.learning.batches import to_unit
from dfbench.modality import MODALITIES, Modality
from dfbench.worker.contract import encoded, tensors_digest

_PROBES = 7
_TOLERANCE = 1e-4
"""Tolerance for sums in another order, relative to the largest norm."""


def embeddings(stage: Stage) -> str:
    """Embeddings are finite floating-point numbers of equal width for photos and sketches."""
    found = stage.first.embeddings
    for name, values in found.items():
        if not values.is_floating_point():
            raise CheckFailed(f"{name} embeddings are {values.dtype}; allowed: floating point")
        if not torch.isfinite(values).all():
            raise CheckFailed(f"{name} embeddings are not finite (NaN or infinite)")
    widths = []
    for representation in ("", *stage.first.encoders.representations):
        photo, sketch = (found[f"{representation} {m}".strip()].shape[1] for m in MODALITIES)
        if photo != sketch or not photo:
            raise CheckFailed(
                f"{representation} embeddings have widths {photo} (photo) and {sketch} (sketch); "
                "allowed: the same width, 1 or more"
            )
        widths.append(str(photo))
    return f"width {', '.join(widths)}"


def batch_sizes(stage: Stage) -> None:
    """Batches of 1, 2 and 7 images are accepted."""
    for modality, encoder, images in _probes(stage):
        for size in (1, 2, _PROBES):
            _embedded(stage, modality, encoder, images[:size])


def batch_independence(stage: Stage) -> None:
    """An image's embedding does not depend on the other images in its batch or on its position."""
    for modality, encoder, images in _probes(stage):
        together = _embedded(stage, modality, encoder, images)
        ways = {
            "alone": torch.cat([_embedded(stage, modality, encoder, i[None]) for i in images]),
            "in reversed order": _embedded(stage, modality, encoder, images.flip(0)).flip(0),
        }
        scale = together.norm(dim=1).max().clamp(min=1e-12)
        for way, others in ways.items():
            gap = ((together - others).abs().max() / scale).item()
            if gap > _TOLERANCE:
                raise CheckFailed(
                    f"{modality} embeddings of the same images {way} differ by {gap:.2g} of their "
                    "norm; an embedding may depend only on its image"
                )


def modes(stage: Stage) -> None:
    """Embedding changes no weight, and `train()` followed by `eval()` changes no embedding."""
    for modality, encoder, images in _probes(stage):
        before = tensors_digest(encoder)
        first = _embedded(stage, modality, encoder, images)
        if tensors_digest(encoder) != before:
            raise CheckFailed(f"the {modality} encoder changes its weights or statistics in eval()")
        encoder.train()
        again = _embedded(stage, modality, encoder.eval(), images)
        if not torch.equal(first, again):
            raise CheckFailed(
                f"the {modality} encoder gives other embeddings after train() and eval(); let "
                "train(mode) only call super().train(mode)"
            )


def _probes(stage: Stage) -> Iterator[tuple[Modality, nn.Module, Tensor]]:
    """Each modality's encoder in evaluation mode, with a few test images of different classes."""
    for modality, data in stage.test_images().items():
        rows = torch.linspace(0, len(data) - 1, _PROBES).long().numpy()
        images = to_unit(torch.from_numpy(data.images[rows].copy()).to(stage.device))
        yield modality, getattr(stage.first.encoders, modality).eval(), images


@torch.no_grad()
def _embedded(stage: Stage, modality: Modality, encoder: nn.Module, images: Tensor) -> Tensor:
    return encoded(encoder, images, stage.row, modality).float()
