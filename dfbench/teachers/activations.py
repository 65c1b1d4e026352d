"""Activation records: statistics of a teacher's features on its training images.

Lopes et al. 2017: "Data-Free Knowledge Distillation for Deep Neural Networks". They are recorded
with the teacher and are the only information about the data for methods that declare them.
Statistics of a class with few images reveal much about these images: such a method is not strictly
data-free.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from dfbench.datasets.dataset import ImageSet
from dfbench.learning.batches import image_batches
from dfbench.networks import Classifier

_SHRINKAGE = 0.1
_WIDEST = 512
"""Covariances of wider layers would take more memory than the teacher."""


@dataclass(frozen=True)
class LayerRecord:
    """Per-class statistics of the spatially averaged output of one stage."""

    name: str
    """`stage 1`, `stage 2`, ...; the last stage holds the penultimate features."""
    mean: Tensor
    """`[C, D]`."""
    std: Tensor
    """`[C, D]`, population standard deviation (divided by the number of images)."""
    covariance: Tensor | None
    """`[C, D, D]`, positive definite: .9 S + .1 (tr S / D) I of the population covariance S. None
    if it is not positive definite for every class, or if the layer is wider than 512."""

    def sample(self, labels: Tensor, generator: torch.Generator) -> Tensor:
        """`[B, D]`: samples of N(mean_c, covariance_c) for the classes c in `labels` `[B]`.

        Without a covariance, coordinates are independent with standard deviation `std`.
        """
        noise = torch.randn(
            len(labels), self.mean.shape[1], generator=generator, device=self.mean.device
        )
        if self._factor is None:
            return self.mean[labels] + self.std[labels] * noise
        return self.mean[labels] + torch.einsum("bij,bj->bi", self._factor[labels], noise)

    def to(self, device: torch.device) -> LayerRecord:
        """The same record on a device."""
        covariance = None if self.covariance is None else self.covariance.to(device)
        return LayerRecord(self.name, self.mean.to(device), self.std.to(device), covariance)

    @cached_property
    def _factor(self) -> Tensor | None:
        """L of covariance = L L^T, by which noise is scaled."""
        if self.covariance is None:
            return None
        factor: Tensor = torch.linalg.cholesky(self.covariance)
        return factor


@dataclass(frozen=True)
class ActivationRecords:
    """Per-class statistics of a teacher's features on its training images."""

    classes: tuple[str, ...]
    """The C classes of the teacher, in its order."""
    count: Tensor
    """`[C]`, images per class."""
    layers: tuple[LayerRecord, ...]
    """All stages of the backbone, first to last."""

    @property
    def top(self) -> LayerRecord:
        """The record of the penultimate features."""
        return self.layers[-1]

    def to(self, device: torch.device) -> ActivationRecords:
        """The same records on a device."""
        layers = tuple(layer.to(device) for layer in self.layers)
        return ActivationRecords(self.classes, self.count.to(device), layers)

    def tensors(self) -> dict[str, Tensor]:
        """The records as named tensors; `from_tensors` reads them."""
        named = {"count": self.count}
        for layer in self.layers:
            named |= {f"{layer.name}.mean": layer.mean, f"{layer.name}.std": layer.std}
            if layer.covariance is not None:
                named[f"{layer.name}.covariance"] = layer.covariance
        return named

    @classmethod
    def from_tensors(
        cls, classes: tuple[str, ...], tensors: Mapping[str, Tensor]
    ) -> ActivationRecords:
        """Records of `classes` from the output of `tensors()`."""
        stages = sum(name.endswith(".mean") for name in tensors)
        names = [_stage(number) for number in range(stages)]
        layers = tuple(
            LayerRecord(
                name,
                tensors[f"{name}.mean"],
                tensors[f"{name}.std"],
                tensors.get(f"{name}.covariance"),
            )
            for name in names
        )
        return cls(classes, tensors["count"], layers)


@torch.no_grad()
def record_activations(
    network: Classifier, data: ImageSet, device: torch.device
) -> ActivationRecords:
    """Records of a classifier on all images of `data`, in evaluation mode, without augmentation.

    Sums are accumulated in float64; the records are float32 on the CPU.
    """
    network.eval()
    moments: list[_Moments] = []
    for images, labels in image_batches(data, device):
        stages = network.stage_features(images)
        if not moments:
            moments = [_Moments(len(data.classes), stage) for stage in stages]
        for moment, stage in zip(moments, stages, strict=True):
            moment.add(stage, labels)
    layers = [moment.layer(_stage(number)) for number, moment in enumerate(moments)]
    count = torch.bincount(torch.as_tensor(data.labels.copy()), minlength=len(data.classes))
    return ActivationRecords(data.classes, count, tuple(layers))


def _stage(number: int) -> str:
    return f"stage {number + 1}"


class _Moments:
    """Per-class sums of features and, for narrow layers, of their products."""

    def __init__(self, class_count: int, example: Tensor) -> None:
        width = example.shape[1]
        zeros = example.new_zeros(class_count, width, dtype=torch.float64)
        self._count, self._sum, self._squares = zeros[:, 0].clone(), zeros, zeros.clone()
        self._products = zeros.new_zeros(class_count, width, width) if width <= _WIDEST else None

    def add(self, features: Tensor, labels: Tensor) -> None:
        for label in range(len(self._count)):
            x = features[labels == label].double()
            self._count[label] += len(x)
            self._sum[label] += x.sum(dim=0)
            self._squares[label] += x.square().sum(dim=0)
            if self._products is not None:
                self._products[label] += x.T @ x

    def layer(self, name: str) -> LayerRecord:
        count = self._count.clamp(min=1).unsqueeze(1)
        mean = self._sum / count
        std = (self._squares / count - mean.square()).clamp(min=0).sqrt()
        covariance = None
        if self._products is not None:
            products = self._products / count.unsqueeze(2)
            covariance = _shrunk(products - mean.unsqueeze(2) * mean.unsqueeze(1))
        return LayerRecord(name, mean.float().cpu(), std.float().cpu(), covariance)


def _shrunk(covariance: Tensor) -> Tensor | None:
    """(1 - s) S + s (tr S / D) I in float32 on the CPU; None unless all are positive definite."""
    width = covariance.shape[-1]
    spread = covariance.diagonal(dim1=1, dim2=2).mean(dim=1)
    identity = torch.eye(width, dtype=covariance.dtype, device=covariance.device)
    shrunk = (1 - _SHRINKAGE) * covariance + _SHRINKAGE * spread.view(-1, 1, 1) * identity
    shrunk = shrunk.float().cpu()
    _, fault = torch.linalg.cholesky_ex(shrunk)
    return None if fault.any() else shrunk
