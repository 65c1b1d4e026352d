"""CrossX-DFL's steps computed as in the released code: the baseline of `training.py`."""

from __future__ import annotations

import torch
from dfbench_baselines.crossx_config import CrossXConfig
from dfbench_baselines.modality_estimator import new_estimator, new_optimiser, noise
from torch import Tensor

from dfbench.learning import estimation
from dfbench.learning.objective import View
from dfbench.learning.pool import Pairs
from dfbench.method import Setting
from dfbench.modality import MODALITIES, Modality


class PlainManner:
    """Two estimators and two students, without the optimisations of the built-in method."""

    def __init__(self, setting: Setting, config: CrossXConfig) -> None:
        self._setting = setting
        self._config = config
        self._estimators = torch.nn.ModuleDict(
            {m: new_estimator(setting, config, m, config.latent_dim) for m in MODALITIES}
        )
        self._students = setting.new_students()
        for modality in MODALITIES:
            setting.teacher(modality).requires_grad_(True)
        self._noise = setting.generator("noise")
        self._estimator_optimiser = new_optimiser(config, self._estimators.parameters())
        self._encoder_optimiser = torch.optim.AdamW(self._students.parameters(), 1e-3)

    def estimate(self) -> float:
        """Take one step of the estimators, with the students as adversary."""
        config = self._config
        self._students.eval()
        images = self._generated(config.estimator_batch)
        p, photo_losses = self._judged("photo", images.photos)
        q, sketch_losses = self._judged("sketch", images.sketches)
        judge = self._setting.modality_classifier
        confusion = estimation.modality_confusion(judge(images.photos), judge(images.sketches))
        losses = [
            *photo_losses,
            *sketch_losses,
            config.alignment * estimation.class_misalignment(p, q),
            config.modality * confusion,
        ]
        return self._descend(self._estimator_optimiser, losses)

    def encode(self) -> float:
        """Take one step of the students on newly generated images."""
        self._students.train()
        with torch.no_grad():
            images = self._generated(self._setting.budget.batch_size)
        p, _ = self._asked("photo", images.photos)
        q, _ = self._asked("sketch", images.sketches)
        photo = View(*self._students.photo.encode(images.photos), p.softmax(dim=1).detach())
        sketch = View(*self._students.sketch.encode(images.sketches), q.softmax(dim=1).detach())
        return self._descend(
            self._encoder_optimiser, [self._students.objective.loss(photo, sketch)]
        )

    def _generated(self, count: int) -> Pairs:
        source = noise(self._setting, self._config, count, self._noise)
        return Pairs(*(self._estimators[modality](source) for modality in MODALITIES))

    def _asked(self, modality: Modality, images: Tensor) -> tuple[Tensor, Tensor]:
        """Logits and features, by two passes."""
        network = self._setting.teacher(modality).network
        return network(images), network.features(images)

    def _judged(self, modality: Modality, images: Tensor) -> tuple[Tensor, list[Tensor]]:
        config = self._config
        logits, features = self._asked(modality, images)
        posterior = logits.softmax(dim=1)
        student = self._students.classify(modality, images)
        return posterior, [
            config.one_hot * estimation.one_hotness(logits),
            config.entropy * estimation.class_absence(logits),
            config.activation * estimation.inactivity(features),
            config.adversary * estimation.student_agreement(posterior, student),
        ]

    def _descend(self, optimiser: torch.optim.Optimizer, losses: list[Tensor]) -> float:
        optimiser.zero_grad()
        loss = torch.stack(losses).sum()
        loss.backward()  # type: ignore[no-untyped-call]  # torch's stub
        optimiser.step()
        return sum(part.item() for part in losses)
