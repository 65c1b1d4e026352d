"""EfficientNet-Lite from timm, under names that do not mention the library.

Designed for phones: no squeeze-and-excitation, ReLU6. With depthwise convolutions it is several
times faster on a CPU than a residual network of the same accuracy, if images are channels last.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from torch import Tensor

from dfbench.networks.backbones.backbone import Normalisation
from dfbench.networks.backbones.library import LibraryBackbone, stages_of, timm_library

NETWORKS = {
    "efficientnet-lite0": "tf_efficientnet_lite0",
    "efficientnet-lite2": "tf_efficientnet_lite2",
}
"""Names of networks, with their names in timm."""
_NORMALISATION: Normalisation = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
_MARK = "_conv_stem.weight"
"""Occurs only in files with the names of EfficientNet-PyTorch."""
_ENDS = {
    "_conv_stem": "conv_stem",
    "_bn0": "bn1",
    "_conv_head": "conv_head",
    "_bn1": "bn2",
    "_fc": "classifier",
}
_SEPARABLE = {
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn1",
    "_project_conv": "conv_pw",
    "_bn2": "bn2",
}
"""Layers of a block without expansion."""
_INVERTED = {
    "_expand_conv": "conv_pw",
    "_bn0": "bn1",
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn2",
    "_project_conv": "conv_pwl",
    "_bn2": "bn3",
}
"""Layers of a block that widens its input first."""


class EfficientNetLite(LibraryBackbone):
    """An EfficientNet-Lite; its tensors have timm's names with the prefix `model.`."""

    published_normalisation = _NORMALISATION

    def in_published_names(self, tensors: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """The same tensors under timm's names, if they have those of EfficientNet-PyTorch.

        There, blocks are numbered consecutively, `_blocks.3`; timm numbers them by stage,
        `blocks.2.0`. Other tensors keep their names.
        """
        if _MARK not in tensors:
            return tensors
        renamed = dict(self._renamed())
        return {_name(name, renamed): tensor for name, tensor in tensors.items()}

    def _renamed(self) -> Iterator[tuple[str, str]]:
        """Pairs of layer names in EfficientNet-PyTorch and in timm."""
        yield from _ENDS.items()
        model: Any = self.model
        blocks = [
            (f"blocks.{stage}.{place}", block)
            for stage, part in enumerate(model.blocks)
            for place, block in enumerate(part)
        ]
        for number, (at, block) in enumerate(blocks):
            layers = _INVERTED if hasattr(block, "conv_pwl") else _SEPARABLE
            for theirs, ours in layers.items():
                yield f"_blocks.{number}.{theirs}", f"{at}.{ours}"


def builder(name: str) -> partial[EfficientNetLite]:
    """Builds a network of `NETWORKS` for an image size. Raises `InvalidInput` without timm."""
    timm = timm_library(f"network {name!r}", "imagenet")
    return partial(_network, timm, name)


def __getattr__(name: str) -> Any:
    """The builders `lite0` and `lite2`, which need timm. Raises like `builder`."""
    if f"efficientnet-{name}" not in NETWORKS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return builder(f"efficientnet-{name}")


def _network(timm: Any, name: str, image_size: int) -> EfficientNetLite:
    model = timm.create_model(NETWORKS[name], pretrained=False)
    return EfficientNetLite(name, model, "classifier", stages_of(model), image_size)


def _name(name: str, renamed: Mapping[str, str]) -> str:
    layer, dot, tensor = name.rpartition(".")
    return f"{renamed.get(layer, layer)}{dot}{tensor}"
