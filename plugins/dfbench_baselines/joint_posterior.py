"""The open-set posterior with both teachers applied to each image: a method of this package."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from dfbench.datasets import Modality
from dfbench.method import Encoders, Method, Setting
from dfbench.networks import OpenUnion
from dfbench.teachers import Teacher
from dfbench_baselines.classifiers import PosteriorConfig
from dfbench_baselines.open_posterior import OverTeacher


class JointUnion(nn.Module):
    """Open-set posterior `[B, C]` of one teacher, whose unknown share another teacher divides.

    The columns `others` are known to `other` only, as its classes `rows`.
    """

    def __init__(
        self,
        own: OverTeacher,
        other: Teacher,
        *,
        others: Sequence[int],
        rows: Sequence[int],
        temperature: float,
    ) -> None:
        super().__init__()
        self.own, self.other = own, other
        self.others, self.rows, self.temperature = tuple(others), tuple(rows), temperature

    def forward(self, images: Tensor) -> Tensor:
        even: Tensor = self.own(images)
        rows = torch.tensor(self.rows, device=even.device)
        logits = self.other(images).logits.index_select(1, rows)
        parts = (logits / self.temperature).softmax(dim=1) * len(self.others)
        index = torch.tensor(self.others, device=even.device).expand(even.shape[0], -1)
        return even.scatter(1, index, even.gather(1, index) * parts)


class JointPosterior(Method):
    """Class posteriors over the union of classes, from both teachers for each image; ours.

    In `open-posterior` a sketch of none of the sketch teacher's classes S has the probability u,
    divided evenly among the n classes in P but not in S. Only the photo teacher knows these
    classes. A sketch is outside its modality, but its choice among few classes is better than none.
    Its softmax r over the n classes replaces 1 / n: q~_c = (1 - u) q_c for c in S, and u r_c
    for the others. p~ likewise, and the score is <q~, p~>. u = 1 - max_c q_c.

    No training and no needs; each encoder contains both teachers. If P = S, it equals
    `classifier-posterior` with one teacher in each encoder.
    """

    name = "joint-posterior"
    title = "Joint Posterior (ours)"
    version = 1
    Config = PosteriorConfig
    config: PosteriorConfig

    def fit(self, setting: Setting) -> Encoders:
        photo = self._encoder(setting, "photo", setting.sketch_teacher)
        return Encoders(photo, self._encoder(setting, "sketch", setting.photo_teacher), "inner")

    def _encoder(self, setting: Setting, modality: Modality, other: Teacher) -> nn.Module:
        teacher, classes = setting.teacher(modality), setting.classes
        temperature = self.config.temperature
        names = [name for name in classes if name not in teacher.classes]
        columns = [classes.index(name) for name in teacher.classes]
        others = [classes.index(name) for name in names]
        own = OverTeacher(
            teacher, OpenUnion(columns, others, len(classes), temperature=temperature)
        )
        if not others:
            return own
        rows = [other.classes.index(name) for name in names]
        return JointUnion(own, other, others=others, rows=rows, temperature=temperature)
