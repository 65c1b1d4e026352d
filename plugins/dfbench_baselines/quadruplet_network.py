"""The network of `quadruplet`: one for photos and sketches, trained by three losses."""

from __future__ import annotations

from copy import deepcopy

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from dfbench.learning.batches import crop_and_flip
from dfbench.learning.loop import RandomState, Stateful, descend, fused
from dfbench.learning.objectives.triplet import preservation_loss, quadruplet_loss
from dfbench.learning.pool import LabelledPairs
from dfbench.method import Encoders, MethodConfig, Setting
from dfbench.networks import Encoder, SoftmaxAt, convolutions


class QuadrupletConfig(MethodConfig):
    """Settings of `quadruplet`; the values of the paper are not known."""

    margin: float = Field(default=0.2, gt=0)
    """Margin of squared distances."""
    temperature: float = Field(default=4.0, gt=0)
    """T of the preserved posteriors."""
    classification: float = Field(default=1.0, ge=0)
    """Weight of L_cls."""
    preservation: float = Field(default=1.0, ge=0)
    """Weight of L_sem."""


class OneNetwork(nn.Module):
    """Backbone and embedding shared by both modalities, each with its own normaliser."""

    targets: Tensor

    def __init__(self, setting: Setting, config: QuadrupletConfig, targets: Tensor) -> None:
        super().__init__()
        initial = setting.initial_classifier("photo").network
        self.photo = setting.new_encoder("photo", "random")
        self.photo.backbone.load_state_dict(initial.backbone.state_dict())
        self.sketch = setting.new_encoder("sketch", "random")
        self.sketch.backbone, self.sketch.head = self.photo.backbone, self.photo.head
        width, count = setting.budget.embedding_dim, len(setting.classes)
        self.classifier = setting.new_module("seen classes", lambda: nn.Linear(width, count))
        self.preserved = deepcopy(initial.head)
        self.register_buffer("targets", targets)
        self._config = config

    def losses(self, batch: LabelledPairs) -> dict[str, Tensor]:
        """The weighted terms of L by name; photos and sketches form one batch of the network."""
        images = torch.cat(
            [self.photo.normaliser(batch.photos), self.sketch.normaliser(batch.sketches)]
        )
        with convolutions(images.device):
            features = self.photo.backbone(images)
        features = features.float()
        projections = self.photo.head(features)
        photos, sketches = functional.normalize(projections, dim=1).chunk(2)
        labels, config = torch.cat([batch.p, batch.q]), self._config
        known = self.preserved(features)
        preserved = preservation_loss(known, labels @ self.targets, config.temperature)
        return {
            "quadruplet": quadruplet_loss(photos, sketches, batch.p, batch.q, config.margin),
            "classification": config.classification
            * functional.cross_entropy(self.classifier(projections), labels),
            "preservation": config.preservation * preserved,
        }

    def encoders(self) -> Encoders:
        """The trained pair, with the class posterior as a second representation."""
        self.eval()
        photo = ClassPosterior(self.photo, self.classifier)
        sketch = ClassPosterior(self.sketch, self.classifier)
        representations = {"posterior": Encoders(photo, sketch, "inner")}
        return Encoders(self.photo, self.sketch, "cosine", representations)


class ClassPosterior(nn.Module):
    """Softmax `[B, C]` over the seen classes."""

    def __init__(self, encoder: Encoder, classifier: nn.Linear) -> None:
        super().__init__()
        self.encoder = encoder
        self.classifier = classifier

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.classifier(self.encoder.encode(images).projections)
        return logits.softmax(dim=1)

    def as_parts(self) -> tuple[nn.Module, ...]:
        """Its modules in the order of application."""
        encoder = self.encoder
        return encoder.normaliser, encoder.backbone, encoder.head, self.classifier, SoftmaxAt()


class Descent:
    """AdamW with the budget's half-cosine schedule, on shifted and mirrored views."""

    def __init__(self, network: OneNetwork, setting: Setting) -> None:
        budget = setting.budget
        parameters = [p for p in network.parameters() if p.requires_grad]
        self._network = network
        self._views = setting.generator("augmentation")
        self._optimiser = torch.optim.AdamW(
            parameters,
            budget.learning_rate,
            weight_decay=budget.weight_decay,
            fused=fused(parameters),
        )
        self._schedule = torch.optim.lr_scheduler.CosineAnnealingLR(
            self._optimiser, max(budget.steps, 1)
        )

    @property
    def state(self) -> dict[str, Stateful]:
        """State for checkpoints."""
        return {
            "network": self._network,
            "optimiser": self._optimiser,
            "schedule": self._schedule,
            "augmentation": RandomState(self._views),
        }

    def step(self, batch: LabelledPairs) -> dict[str, Tensor]:
        """Take one step; returns the terms of the loss, without waiting for them."""
        self._network.train()
        photos, sketches = (
            crop_and_flip(images, self._views) for images in (batch.photos, batch.sketches)
        )
        losses = self._network.losses(batch._replace(photos=photos, sketches=sketches))
        descend(self._optimiser, *losses.values())
        self._schedule.step()
        return {name: loss.detach() for name, loss in losses.items()}
