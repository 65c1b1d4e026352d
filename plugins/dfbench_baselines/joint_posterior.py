"""The open-set posterior with both teachers applied to each image: a method of this package."""

from __future__ import annotations

from torch import nn

from dfbench.datasets import Modality
from dfbench.method import Encoders, Method, Setting
from dfbench.networks import JointUnion, OpenUnion, SideBySide
from dfbench.teachers import Teacher
from dfbench_baselines.classifiers import PosteriorConfig
from dfbench_baselines.open_posterior import OverTeacher


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
        union = JointUnion(others, rows, len(classes), temperature=temperature)
        logits = OverTeacher(other, nn.Sequential())  # as they are
        return nn.Sequential(SideBySide(own, logits), union)
