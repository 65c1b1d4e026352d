"""One modality of the released code: estimator, encoder, and a queue that never changes."""

from __future__ import annotations

from copy import deepcopy

from torch import Tensor, nn
from torch.nn import functional

from dfbench.datasets import Modality
from dfbench.learning import estimation
from dfbench.method import Setting
from dfbench.networks import Encoder, Estimator, UnitNorm
from dfbench_baselines import released_faults
from dfbench_baselines.crossx_config import CrossXConfig
from dfbench_baselines.modality_estimator import Losses

_CHANNELS = 3


class Headless(nn.Module):
    """Pooled features of a backbone, normalised to the unit sphere."""

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        self.normaliser = encoder.normaliser
        self.backbone = encoder.backbone

    def features(self, images: Tensor) -> Tensor:
        """The features `[B, F]` of the backbone."""
        features: Tensor = self.backbone(self.normaliser(images))
        return features

    def forward(self, images: Tensor) -> Tensor:
        return functional.normalize(self.features(images), dim=1)

    def as_parts(self) -> tuple[nn.Module, ...]:
        """Its modules in the order of application."""
        return self.normaliser, self.backbone, UnitNorm()


class ReleasedSide(nn.Module):
    """Estimator, encoder and queue of one modality, with the losses of that modality."""

    def __init__(self, setting: Setting, config: CrossXConfig, modality: Modality) -> None:
        super().__init__()
        # In a list: a frozen teacher belongs to the setting, not to a checkpoint.
        self._teacher = [setting.teacher(modality)]
        self._config = config
        normaliser = deepcopy(setting.normaliser(modality))
        self.estimator = setting.new_module(
            f"{modality} estimator",
            lambda: released_faults.RawTanh(_estimator(config, setting.image_size), normaliser),
        )
        self.encoder = Headless(setting.new_encoder(modality, config.encoder_init))
        width = self.encoder.backbone.feature_dim
        self.queue = setting.new_module(
            f"{modality} queue", lambda: released_faults.FrozenQueue(width)
        )

    def semantics(self, images: Tensor) -> tuple[Tensor, Losses]:
        """Logits of the teacher, and the weighted losses of raw images of this modality alone."""
        config, (teacher,) = self._config, self._teacher
        logits, features = teacher(images)
        student = teacher.network.head(self.encoder.features(images))
        agreement = released_faults.unbounded_agreement(student, logits.argmax(dim=1))
        return logits, {
            "one_hot": config.one_hot * estimation.one_hotness(logits),
            "entropy": config.entropy * released_faults.log10_imbalance(logits),
            "activation": config.activation * estimation.inactivity(features),
            "adversary": config.adversary * agreement,
        }

    def embed(self, images: Tensor) -> Tensor:
        """Embeddings of raw images for the encoder's step: standardised, then normalised again."""
        normalised = self.encoder.normaliser(images)
        embeddings: Tensor = self.encoder(released_faults.standardised_by_thirds(normalised))
        return embeddings


def _estimator(config: CrossXConfig, size: int) -> Estimator:
    return Estimator(config.latent_dim, size, channels=_CHANNELS, width=config.estimator_width)
