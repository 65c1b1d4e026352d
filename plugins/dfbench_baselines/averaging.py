"""Averaging Weights: one encoder whose weights are the mean of the two teachers'.

theta = (theta_p + theta_s) / 2 over all floating tensors of the backbones, affine parameters of
batch normalisation included; nothing is trained. One network embeds both modalities, each behind
its own normaliser, by its penultimate features. Averages of networks mean something where both
started from one network (Wortsman et al., "Model soups", ICML 2022): teachers of separate seeds
are expected at chance.

An averaged network's batch-normalisation statistics are those of no data (variance collapse:
Jordan et al., "REPAIR", ICLR 2023). They are averaged like the weights; or mixed, as if every map
came half from either teacher; or measured anew on generated pairs. REPAIR itself measures them on
training data, which would not be data-free.

`rebasin` first renumbers the sketch teacher's units after the photo teacher's (Git Re-Basin). The
classes are common to both, so the heads take part in the matching, over the classes both know.

A second representation puts the mean of the two heads on the averaged backbone. Heads are linear,
so the mean of their weights is the mean of their logits, whatever they started from: both teachers'
opinions of the one feature vector. It is as good as the averaged features are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from dfbench.datasets import MODALITIES
from dfbench.errors import InvalidInput
from dfbench.method import Encoders, Method, MethodConfig, Need, Setting
from dfbench_baselines.averaged_network import (
    Averaged,
    average,
    mean_head,
    measure_statistics,
)
from dfbench_baselines.permutations import FEATURES, numberings, permuted
from dfbench_baselines.weight_matching import match_units

_HEAD = "head.weight"


class AveragingConfig(MethodConfig):
    """Settings of Averaging Weights."""

    batch_norm: Literal["averaged", "mixed", "reestimated"] = "averaged"
    """Statistics of batch normalisation: averaged; those of a mixture of both teachers' maps; or
    measured on the pairs that `crossx` generated."""
    rebasin: bool = False
    """Renumber the sketch teacher's units after the photo teacher's before averaging."""
    reestimation_batches: int = Field(default=40, ge=1)
    """Batches of pairs on which `reestimated` measures."""


class AveragingWeights(Method):
    """The row `averaging-weights`."""

    name = "averaging-weights"
    title = "Averaging Weights"
    version = 1
    Config = AveragingConfig
    config: AveragingConfig
    variants: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "mixed": {"batch_norm": "mixed"},
        "reestimated": {"batch_norm": "reestimated"},
        "rebasin": {"rebasin": True},
        "rebasin-reestimated": {"rebasin": True, "batch_norm": "reestimated"},
    }

    @classmethod
    def needs(cls, config: MethodConfig) -> frozenset[Need]:
        return frozenset({Need.GENERATED_PAIRS} if cls.pairs_of(config) else ())

    @classmethod
    def pairs_of(cls, config: MethodConfig) -> str | None:
        measured = isinstance(config, AveragingConfig) and config.batch_norm == "reestimated"
        return "crossx" if measured else None

    def fit(self, setting: Setting) -> Encoders:
        photo, sketch = setting.photo_teacher.network, setting.sketch_teacher.network
        made = [f"{one.network_name} at {one.image_size} px" for one in (photo, sketch)]
        if made[0] != made[1]:
            raise InvalidInput(
                f"weights of {made[0]} and {made[1]} have no average; allowed: two teachers of one "
                "network and input size"
            )
        theirs, head = sketch.backbone.state_dict(), sketch.head.weight.detach()
        if self.config.rebasin:
            theirs, head = _renumbered_sketch_teacher(setting)
        mixed = self.config.batch_norm == "mixed"
        backbone = deepcopy(photo.backbone)
        backbone.load_state_dict(average(photo.backbone.state_dict(), theirs, mixed=mixed))
        if self.config.batch_norm == "reestimated":
            measure_statistics(backbone, self._generated(setting))
        features = {m: Averaged(setting.normaliser(m), backbone) for m in MODALITIES}
        classifier = mean_head(setting, head)
        posterior = {m: nn.Sequential(features[m], classifier, nn.Softmax(1)) for m in MODALITIES}
        second = Encoders(posterior["photo"], posterior["sketch"], "inner")
        return Encoders(features["photo"], features["sketch"], "cosine", {"posterior": second})

    def _generated(self, setting: Setting) -> Iterator[Tensor]:
        """Batches of normalised photos and sketches, half of each."""
        pool, draws = setting.generated_pairs(), setting.generator("re-estimation")
        normalise = [setting.normaliser(modality) for modality in MODALITIES]
        for _ in range(self.config.reestimation_batches):
            pairs = pool.sample(setting.budget.batch_size, draws)
            yield torch.cat([norm(images) for norm, images in zip(normalise, pairs, strict=True)])


def _renumbered_sketch_teacher(setting: Setting) -> tuple[dict[str, Tensor], Tensor]:
    """State of the sketch teacher's backbone and weight of its head, in the photo teacher's order.

    The columns of the head move with the features they read.
    """
    photo, sketch = setting.photo_teacher, setting.sketch_teacher
    common = setting.common_classes
    axes = {**numberings(photo.network.backbone), _HEAD: (None, FEATURES)}
    ours, theirs = (
        {
            **teacher.network.backbone.state_dict(),
            _HEAD: teacher.network.head.weight.detach()[[*map(teacher.classes.index, common)]],
        }
        for teacher in (photo, sketch)
    )
    order = setting.generator("re-basin")
    by = {k: p.to(setting.device) for k, p in match_units(ours, theirs, axes, order).items()}
    backbone = permuted(sketch.network.backbone.state_dict(), axes, by)
    return backbone, sketch.network.head.weight.detach().index_select(1, by[FEATURES])
