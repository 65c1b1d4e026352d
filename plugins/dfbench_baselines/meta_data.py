"""Meta-data: students are trained on images reconstructed from the teachers' activation records.

Lopes, Fenu, Starner: "Data-Free Knowledge Distillation for Deep Neural Networks", 2017. Each
teacher comes with the class-wise means and covariances of its activations on its training images.
Images are optimised until their activations match a draw from the record; students are trained on
them. Records are computed from the training data, so this method is not strictly data-free, and is
marked so.

Published: a ~ N(mu_c, Sigma_c), minimise mean (relu(a) - relu(t(x)))^2 over pixels by Adam, at the
top layer or summed over all layers. Corrections to the published code:

- noise is scaled by the Cholesky factor of Sigma_c (published: by Sigma_c itself);
- the record has no covariance between layers, and no image has activations drawn independently for
  each layer. Only the top layer is drawn, image by image; `all-layers` matches the layers below to
  the class's mean and variance over the images of a batch;
- pixels are sigmoids, which stay in [0, 1] (published: unconstrained).

Our additions: an image is a sum of resolutions, each step sees another view of it (shift, mirror),
and smooth images are preferred: unconstrained pixels become noise that excites this teacher by
accident. Records are indexed by class, so the images of a pair share their class exactly.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from dfbench.datasets import MODALITIES, Modality
from dfbench.learning.batch_norm import gaussian_kl
from dfbench.learning.batches import crop_and_flip
from dfbench.learning.class_pairs import ClassedImages, ClassPairs
from dfbench.learning.loop import RandomState, Stateful, descend, fused
from dfbench.learning.pool import to_bytes
from dfbench.learning.pyramid import ImagePyramid, roughness
from dfbench.method import Encoders, Method, MethodConfig, Need, Setting
from dfbench.teachers import ActivationRecords, LayerRecord

_COLUMNS = 16


class MetaDataConfig(MethodConfig):
    """Settings of the reconstruction."""

    layers: Literal["top", "all"] = "all"
    """Match penultimate features only, or all stages."""
    batches_per_class: int = Field(default=2, ge=1)
    """Number of batches of images generated for each class and modality."""
    image_batch: int = Field(default=64, ge=2)
    """Images per batch, all of one class."""
    image_steps: int = Field(default=100, ge=1)
    """Steps of Adam per batch."""
    image_learning_rate: float = Field(default=0.2, gt=0)
    """Peak learning rate of Adam, decayed to zero along a half cosine."""
    smoothness: float = Field(default=1.0, ge=0)
    """Weight of the mean absolute difference of neighbouring pixels."""


class MetaData(Method):
    """The method `meta-data`."""

    name = "meta-data"
    title = "Meta-Data"
    version = 1
    Config = MetaDataConfig
    config: MetaDataConfig
    variants: ClassVar[Mapping[str, Mapping[str, Any]]] = {"top-layer": {"layers": "top"}}

    @classmethod
    def needs(cls, config: MethodConfig) -> frozenset[Need]:
        del config
        return frozenset({Need.ACTIVATION_RECORDS})

    def fit(self, setting: Setting) -> Encoders:
        students = setting.new_students()
        photos, sketches = (Reconstruction(setting, self.config, m).run() for m in MODALITIES)
        pairs = ClassPairs(photos, sketches, setting.generator("pairs"))
        setting.teach(students, lambda: pairs.draw(setting.budget.batch_size), pairs.state())
        return students.encoders()


class Reconstruction(nn.Module):
    """Images of one modality that match the activations in its record, batch by batch."""

    images: Tensor

    def __init__(self, setting: Setting, config: MetaDataConfig, modality: Modality) -> None:
        super().__init__()
        self._setting = setting
        self._config = config
        self._modality: Modality = modality
        self._records: ActivationRecords = setting.activation_records(modality)
        self._random = setting.generator(f"{modality} images")
        batches = len(self._records.classes) * config.batches_per_class
        shape = (batches, config.image_batch, 3, setting.image_size, setting.image_size)
        images = torch.zeros(shape, dtype=torch.uint8, device=setting.device)
        self.register_buffer("images", images)

    def run(self) -> ClassedImages:
        """All images with their target classes; writes a picture to the run's folder."""
        state: dict[str, Stateful] = {"images": self, "random": RandomState(self._random)}
        loop = self._setting.loop(f"{self._modality}-images", len(self.images), state)
        for batch in loop:
            images, loss = self._reconstruct(batch % len(self._records.classes))
            self.images[batch] = to_bytes(images)
            loop.watch({"loss": loss})
            loop.log(1, {"loss": loss})
        first = self.images[: len(self._records.classes), :_COLUMNS]
        name = f"reconstructed-{self._modality}-images"
        self._setting.artefacts.save_grid(name, first.flatten(0, 1) / 255, first.shape[1])
        classes = torch.tensor([self._setting.classes.index(c) for c in self._records.classes])
        of_batch = classes.repeat(self._config.batches_per_class).to(self._setting.device)
        of_image = of_batch.repeat_interleave(self._config.image_batch)
        return ClassedImages(self.images.flatten(0, 1), of_image)

    def _reconstruct(self, label: int) -> tuple[Tensor, Tensor]:
        """A batch of images `[B, 3, H, W]` in [0, 1] of one class, and its final loss."""
        config = self._config
        pyramid = ImagePyramid(
            self._modality, config.image_batch, self._setting.image_size, self._random
        )
        labels = torch.full((config.image_batch,), label, device=self._setting.device)
        target = self._records.top.sample(labels, self._random)
        optimiser = torch.optim.Adam(
            pyramid.parameters(), config.image_learning_rate, fused=fused(pyramid.parameters())
        )
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, config.image_steps)
        for _ in range(config.image_steps):
            loss = self._loss(pyramid(), target, label)
            descend(optimiser, loss)
            schedule.step()
        return pyramid().detach(), loss.detach()

    def _loss(self, images: Tensor, target: Tensor, label: int) -> Tensor:
        network = self._setting.teacher(self._modality).network
        stages = network.stage_features(crop_and_flip(images, self._random))
        loss = top_layer_loss(self._records.top, stages[-1], target)
        if self._config.layers == "all":
            below = zip(self._records.layers[:-1], stages[:-1], strict=True)
            loss = loss + sum(moment_loss(record, stage, label) for record, stage in below)
        return loss + self._config.smoothness * roughness(images)


def top_layer_loss(record: LayerRecord, features: Tensor, target: Tensor) -> Tensor:
    """Mean (relu(a) - relu(t(x)))^2 over the mean variance of the record, for `[B, D]` each."""
    distance = functional.mse_loss(features.relu(), target.relu())
    return distance / record.std.square().mean()


def moment_loss(record: LayerRecord, features: Tensor, label: int) -> Tensor:
    """KL (nats, mean over channels) of a class's batch `[B, D]` from its record."""
    var, mean = torch.var_mean(features, dim=0, correction=0)
    return gaussian_kl(mean, var, record.mean[label], record.std[label].square()).mean()
