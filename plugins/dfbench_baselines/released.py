"""CrossX-DFL as in its released scripts: a study of their errors, not a baseline for comparison.

The release has two scripts, neither of which is the method of the paper's figure. Their errors are
combined here; each is described in `released_faults` or below:

- estimators end in a tanh that teachers take as a normalised image (both scripts);
- the alignment is one-sided and detached, so that no gradient of it reaches the sketch estimator;
  the balance of classes uses log10, without a guard (both);
- the adversary has no bound and acts on any image, through a classifier's layer on features that
  have nothing in common with those of the randomly initialised encoders; here that of their own
  teacher (`main.py`, unified teacher);
- encoders stay in training mode meanwhile: their statistics become those of raw images (`main.py`);
- encoders are trained on the last batch of a round only, in one step, on images standardised by
  thirds of the batch and normalised again (both);
- InfoNCE has 128 fixed random directions as negatives (`vanilla.py`);
- encoders start from random weights and have no head: the embedding is the pooled feature (both);
- the modality classifier was trained on the teachers' training images (both).

Milder than the release: the optimisers of this package (there SGD at 1e-5, which changes nothing in
so few steps) and 10 estimator steps per encoder step (there 500). Left out: its deeper estimator of
64 px, and ProxyAnchor towards the unified teacher's fixed proxies (`main.py`).
"""

from __future__ import annotations

import torch
from torch import Tensor

from dfbench.errors import InvalidConfig
from dfbench.learning import estimation
from dfbench.learning.loop import RandomState, Stateful, descend, fused
from dfbench.learning.pool import Pairs
from dfbench.method import Encoders, Setting
from dfbench_baselines.crossx_config import CrossXConfig
from dfbench_baselines.crossx_variants import modality_judge
from dfbench_baselines.modality_estimator import Losses, new_optimiser, noise
from dfbench_baselines.pictures import save_pairs_by_class
from dfbench_baselines.released_faults import one_sided_misalignment
from dfbench_baselines.released_side import ReleasedSide

_LOG_EVERY = 10


class ReleasedGame:
    """Rounds of estimator steps, each followed by one step of the encoders."""

    def __init__(self, setting: Setting, config: CrossXConfig) -> None:
        _require_common_classes(setting)
        self._setting = setting
        self._config = config
        self._judge = modality_judge(setting, config)
        self.photo = ReleasedSide(setting, config, "photo")
        self.sketch = ReleasedSide(setting, config, "sketch")
        self._noise = setting.generator("noise")
        sides, budget = (self.photo, self.sketch), setting.budget
        self._estimator_optimiser = new_optimiser(
            config, [weight for side in sides for weight in side.estimator.parameters()]
        )
        encoders = [weight for side in sides for weight in side.encoder.parameters()]
        self._encoder_optimiser = torch.optim.AdamW(
            encoders,
            budget.learning_rate,
            weight_decay=budget.weight_decay,
            fused=fused(encoders),
        )

    def play(self) -> Encoders:
        """Play all rounds; writes a picture of the last pairs to the run's folder."""
        state: dict[str, Stateful] = {
            "photo": self.photo,
            "sketch": self.sketch,
            "estimator optimiser": self._estimator_optimiser,
            "encoder optimiser": self._encoder_optimiser,
            "noise": RandomState(self._noise),
        }
        rounds = self._config.rounds
        length = max(1, self._config.estimator_steps // max(1, rounds))
        loop = self._setting.loop("released", length * rounds, state)
        self.photo.train()
        self.sketch.train()
        for step in loop:
            pairs, losses = self._estimate()
            loop.log(_LOG_EVERY, losses)
            if (step + 1) % length == 0:
                loop.log(1, {"students": self._encode(pairs)})
        with torch.no_grad():
            last = self._generate()
        save_pairs_by_class(
            self._setting, Pairs(last.photos.clamp(0, 1), last.sketches.clamp(0, 1))
        )
        self.photo.eval()
        self.sketch.eval()
        return Encoders(self.photo.encoder, self.sketch.encoder, "cosine")

    def _estimate(self) -> tuple[Pairs, Losses]:
        """Take one estimator step: raw images, and each weighted loss."""
        config = self._config
        pairs = self._generate()
        photo_logits, photo_losses = self.photo.semantics(pairs.photos)
        sketch_logits, sketch_losses = self.sketch.semantics(pairs.sketches)
        losses = {name: photo_losses[name] + sketch_losses[name] for name in photo_losses}
        misalignment = one_sided_misalignment(photo_logits, sketch_logits)
        losses["alignment"] = config.alignment * misalignment
        if self._judge is not None:
            judged = self._judge(pairs.photos), self._judge(pairs.sketches)
            losses["modality"] = config.modality * estimation.modality_confusion(*judged)
        descend(self._estimator_optimiser, *losses.values())
        return Pairs(pairs.photos.detach(), pairs.sketches.detach()), losses

    def _encode(self, pairs: Pairs) -> Tensor:
        """Take one step of both encoders; returns its loss."""
        e, k = self.photo.embed(pairs.photos), self.sketch.embed(pairs.sketches)
        loss = self.photo.queue.loss(e, k) + self.sketch.queue.loss(k, e)
        descend(self._encoder_optimiser, loss)
        return loss.detach()

    def _generate(self) -> Pairs:
        source = noise(self._setting, self._config, self._config.estimator_batch, self._noise)
        return Pairs(self.photo.estimator(source), self.sketch.estimator(source))


def _require_common_classes(setting: Setting) -> None:
    photo, sketch = setting.photo_teacher.classes, setting.sketch_teacher.classes
    if photo != sketch:
        raise InvalidConfig(
            f"the released manner with teachers of {len(photo)} and {len(sketch)} classes that "
            "differ: its alignment compares logits class by class; allowed: teachers of the same "
            "classes (--method crossx has no such restriction)"
        )
