"""The estimator of one modality in data-free distillation: DAFL's and DFQ's generator."""

from __future__ import annotations

from torch import Tensor, nn

from dfbench.datasets import Modality
from dfbench.learning.loop import RandomState, Stateful, descend
from dfbench.learning.students import Students
from dfbench.method import Setting
from dfbench_baselines.modality_estimator import (
    EstimatorConfig,
    Losses,
    judged,
    new_estimator,
    new_optimiser,
    noise,
)


class SingleEstimator(nn.Module):
    """An estimator with its own noise that depends only on its own teacher and student."""

    def __init__(self, setting: Setting, config: EstimatorConfig, modality: Modality) -> None:
        super().__init__()
        self._setting = setting
        self._config = config
        self._modality: Modality = modality
        self._noise = setting.generator(f"{modality} noise")
        self.network = new_estimator(setting, config, modality, config.latent_dim)
        self._optimiser = new_optimiser(config, self.parameters())

    def state(self) -> dict[str, Stateful]:
        """State for checkpoints."""
        return {
            f"{self._modality} estimator": self,
            f"{self._modality} estimator optimiser": self._optimiser,
            f"{self._modality} noise": RandomState(self._noise),
        }

    def forward(self, count: int) -> Tensor:
        """Images `[count, 3, H, W]` in [0, 1], from fresh noise."""
        images: Tensor = self.network(noise(self._setting, self._config, count, self._noise))
        return images

    def step(self, students: Students | None) -> tuple[Tensor, Losses]:
        """Take one optimiser step: generated images and losses; `students` is the adversary."""
        images = self(self._config.estimator_batch)
        losses = judged(self._setting, self._config, self._modality, images, students).losses
        descend(self._optimiser, *losses.values())
        named = {f"{self._modality} {name}": loss.detach() for name, loss in losses.items()}
        return images.detach(), named
