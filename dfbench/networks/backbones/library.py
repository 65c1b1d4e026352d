"""Classifiers of other libraries as backbones."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from dfbench.errors import InvalidInput
from dfbench.networks.backbones.backbone import Backbone, fit_strides, pooled


class LibraryBackbone(Backbone):
    """A classifier of another library without its last linear layer, `head`.

    Features are the input of that layer, whatever precedes it. Stages are those of the modules
    `candidates` whose outputs for square images are maps `[B, D, H, W]`, the last one of each
    resolution; a network without such maps (a transformer) has one stage, its features. Parameters
    have the library's names with the prefix `model.`.

    `name` is the network's name in errors. Raises `InvalidInput` if it cannot take images of
    `image_size` pixels, or if the input of its head is not the features.
    """

    published_body = "model."

    def __init__(
        self, name: str, model: nn.Module, head: str, candidates: Sequence[str], image_size: int
    ) -> None:
        super().__init__()
        layer = model.get_submodule(head)
        if not isinstance(layer, nn.Linear):
            raise InvalidInput(
                f"network {name!r} ends in {type(layer).__name__} ({head!r}); allowed: networks "
                "whose last layer is linear, e.g. --set teachers.network=resnet18"
            )
        self.feature_dim = layer.in_features
        self.published_head = head
        model.set_submodule(head, nn.Identity())
        self.model = model
        self._name, self._candidates = name, tuple(candidates)
        self._stages: tuple[str, ...] = self._found_stages(image_size)

    def fit(self, image_size: int) -> None:
        """Remove first strides, so that small images keep some resolution; see `fit_strides`."""
        fit_strides(self.model, image_size)
        self._stages = self._found_stages(image_size)

    def stage_maps(self, x: Tensor) -> tuple[Tensor, ...]:
        maps, features = self._observed(x, self._stages)
        return tuple(maps.values()) or (features[:, :, None, None],)

    def stage_features(self, x: Tensor) -> tuple[Tensor, ...]:
        maps, features = self._observed(x, self._stages)
        return (*(pooled(stage) for stage in list(maps.values())[:-1]), features)

    def forward(self, x: Tensor) -> Tensor:
        features: Tensor = self.model(x)
        return features

    def _observed(self, x: Tensor, names: Sequence[str]) -> tuple[dict[str, Tensor], Tensor]:
        """Outputs of the modules with these names, in order of computation, and the features."""
        outputs: dict[str, Tensor] = {}
        handles = [
            self.model.get_submodule(name).register_forward_hook(
                lambda _module, _inputs, output, name=name: outputs.update({name: output})
            )
            for name in names
        ]
        try:
            features: Tensor = self.model(x)
        finally:
            for handle in handles:
                handle.remove()
        return outputs, features

    @torch.no_grad()
    def _found_stages(self, image_size: int) -> tuple[str, ...]:
        name = self._name
        training = self.training
        self.eval()
        try:
            outputs, features = self._observed(
                torch.zeros(1, 3, image_size, image_size), self._candidates
            )
        except (RuntimeError, ValueError, AssertionError) as fault:
            reason = " ".join(str(fault).split()) or type(fault).__name__
            raise InvalidInput(
                f"network {name!r} cannot take images of {image_size} px ({reason}); allowed: "
                "another network, or another image size"
            ) from fault
        self.train(training)
        if not isinstance(features, Tensor) or features.shape != (1, self.feature_dim):
            raise InvalidInput(
                f"network {name!r} has no features [B, {self.feature_dim}] before its classifier; "
                "allowed: classifiers of one output, e.g. --set teachers.network=resnet18"
            )
        last_of = {output.shape[2]: name for name, output in outputs.items() if _is_map(output)}
        return tuple(last_of.values())


def last_linear(model: nn.Module) -> str:
    """Name of the last linear layer of a classifier; empty if it has none."""
    names = [name for name, module in model.named_modules() if isinstance(module, nn.Linear)]
    return names[-1] if names else ""


def _is_map(output: object) -> bool:
    return isinstance(output, Tensor) and output.ndim == 4 and output.shape[2] == output.shape[3]
