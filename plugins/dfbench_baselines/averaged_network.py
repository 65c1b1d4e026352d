"""The mean of two networks: weights, batch-normalisation statistics, heads."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn

from dfbench.datasets import MODALITIES
from dfbench.method import Setting
from dfbench.networks import Normaliser

State = Mapping[str, Tensor]


class Averaged(nn.Module):
    """Features `[B, D]` of the averaged backbone, after a modality's own normaliser."""

    def __init__(self, normaliser: Normaliser, backbone: nn.Module) -> None:
        super().__init__()
        self.normaliser = normaliser
        self.backbone = backbone

    def forward(self, images: Tensor) -> Tensor:
        features: Tensor = self.backbone(self.normaliser(images))
        return features

    def as_parts(self) -> tuple[nn.Module, ...]:
        """Its modules in the order of application."""
        return self.normaliser, self.backbone


def average(a: State, b: State, *, mixed: bool) -> dict[str, Tensor]:
    """The mean of two states; counters are those of `a`.

    With `mixed`, variances are those of a mixture, half N(m1, v1) and half N(m2, v2):
    (v1 + v2) / 2 + (m1 - m2)^2 / 4.
    """
    mean = {k: (t + b[k]) / 2 if t.is_floating_point() else t for k, t in a.items()}
    if mixed:
        for name in [name for name in mean if name.endswith("running_var")]:
            centre = name.replace("running_var", "running_mean")
            mean[name] = mean[name] + (a[centre] - b[centre]).square() / 4
    return mean


@torch.no_grad()
def measure_statistics(backbone: nn.Module, batches: Iterable[Tensor]) -> None:
    """Set batch-normalisation statistics to their mean over batches of normalised images."""
    for layer in backbone.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.reset_running_stats()
            layer.momentum = None  # running statistics become plain means
    backbone.train()
    for images in batches:
        backbone(images)
    backbone.eval()


def mean_head(setting: Setting, sketch_weight: Tensor) -> nn.Linear:
    """A head over the union of classes: the mean of the teachers' weight rows of each class.

    `sketch_weight` `[C_s, D]` replaces the weight of the sketch teacher's head. A class known to
    only one teacher has that teacher's row.
    """
    weights = {"photo": setting.photo_teacher.network.head.weight, "sketch": sketch_weight}
    with setting.seeded("mean head"):
        head = nn.Linear(sketch_weight.shape[1], len(setting.classes)).requires_grad_(False)
    for row, name in enumerate(setting.classes):
        teachers = [setting.teacher(m) for m in MODALITIES if name in setting.teacher(m).classes]
        rows = [weights[t.modality][t.classes.index(name)] for t in teachers]
        biases = [t.network.head.bias[t.classes.index(name)] for t in teachers]
        head.weight[row] = torch.stack(rows).mean(dim=0)
        head.bias[row] = torch.stack(biases).mean(dim=0)
    return head.to(setting.device)
