"""The estimator of one modality in data-free distillation: DAFL's and DFQ's generator."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor, nn

from dfbench.datasets.dataset import Modality
from dfbench.learning import estimation
from dfbench.learning.batch_norm import StatisticsMatch
from dfbench.learning.loop import RandomState, Stateful
from dfbench.learning.students import Students
from dfbench.method import MethodConfig, Setting
from dfbench.networks import Estimator

_CHANNELS: dict[Modality, int] = {"photo": 3, "sketch": 1}
_BRIGHTNESS: dict[Modality, float] = {"photo": 0.0, "sketch": 2.0}


class SingleEstimationConfig(MethodConfig):
    """Settings of an estimator; a weight multiplies the loss it is named after."""

    estimator_batch: int = Field(default=96, ge=2)
    """Images an estimator step makes."""
    estimator_learning_rate: float = Field(default=5e-3, gt=0)
    """Learning rate of Adam."""
    estimator_width: int = Field(default=48, ge=2)
    """Channels of the estimator."""
    latent_dim: int = Field(default=128, ge=1)
    """Width of the noise vectors."""
    one_hot: float = Field(default=1.0, ge=0)
    """Weight of the teacher's certainty."""
    entropy: float = Field(default=2.17, ge=0)
    """Weight of the balance of classes (nats)."""
    activation: float = Field(default=0.1, ge=0)
    """Weight of the size of features."""
    batch_norm: float = Field(default=0.0, ge=0)
    """Weight of matching the teacher's batch-normalisation statistics."""
    adversary: float = Field(default=0.0, ge=0)
    """Weight of the adversarial term, once the student has begun to learn."""


class SingleEstimator(nn.Module):
    """An estimator that sees its own teacher and student only, with noise of its own."""

    def __init__(
        self, setting: Setting, config: SingleEstimationConfig, modality: Modality
    ) -> None:
        super().__init__()
        self._setting = setting
        self._config = config
        self._modality: Modality = modality
        self._noise = setting.generator(f"{modality} noise")
        self.network = setting.new_module(
            f"{modality} estimator",
            lambda: Estimator(
                config.latent_dim,
                setting.image_size,
                channels=_CHANNELS[modality],
                width=config.estimator_width,
                brightness=_BRIGHTNESS[modality],
            ),
        )
        self._optimiser = torch.optim.Adam(
            self.parameters(), config.estimator_learning_rate, betas=(0.5, 0.999)
        )

    def state(self) -> dict[str, Stateful]:
        """What a checkpoint has to hold."""
        return {
            f"{self._modality} estimator": self,
            f"{self._modality} estimator optimiser": self._optimiser,
            f"{self._modality} noise": RandomState(self._noise),
        }

    def forward(self, count: int) -> Tensor:
        """`[count, 3, H, W]` in [0, 1], of fresh noise."""
        shape = (count, self._config.latent_dim)
        noise = torch.randn(shape, generator=self._noise, device=self._setting.device)
        images: Tensor = self.network(noise)
        return images

    def step(self, students: Students | None) -> tuple[Tensor, dict[str, float]]:
        """One optimiser step: the images it made and its losses; `students` is the adversary."""
        images = self(self._config.estimator_batch)
        losses = self._losses(images, students)
        self._optimiser.zero_grad(set_to_none=True)
        torch.stack(list(losses.values())).sum().backward()  # type: ignore[no-untyped-call]  # torch's stub
        self._optimiser.step()
        curves = {f"{self._modality} {name}": loss.item() for name, loss in losses.items()}
        return images.detach(), curves

    def _losses(self, images: Tensor, students: Students | None) -> dict[str, Tensor]:
        config, teacher = self._config, self._setting.teacher(self._modality)
        with StatisticsMatch(teacher) as match:
            logits, features = teacher(images)
        losses = {
            "one_hot": config.one_hot * estimation.one_hotness(logits),
            "entropy": config.entropy * estimation.class_imbalance(logits),
            "activation": config.activation * estimation.inactivity(features),
        }
        if config.batch_norm:
            losses["batch_norm"] = config.batch_norm * match.loss()
        if config.adversary and students is not None:
            posterior = self._setting.posterior(self._modality, logits)
            guess = students.classify(self._modality, images)
            losses["adversary"] = config.adversary * estimation.student_agreement(posterior, guess)
        return losses
