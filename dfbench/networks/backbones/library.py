"""Classifiers of torchvision and timm as backbones."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from difflib import get_close_matches
from functools import partial
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from dfbench.errors import InvalidInput, UnknownName, unknown_name
from dfbench.networks.backbones.backbone import LARGE, Backbone, fit_strides, pooled
from dfbench.networks.backbones.resnet import RESIDUAL, ResNet
from dfbench.version import install_command


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


_OF_SEVERAL_OUTPUTS = ("googlenet", "inception_v3")


def _fitted(name: str, image_size: int) -> Backbone:
    model = _of_torchvision(name)
    fit_strides(model, image_size)
    return _backbone(name, model, image_size)


mobilenet_v3_large = partial(_fitted, "mobilenet_v3_large")
"""With its first strides adapted to the image size; so are the next two."""
efficientnet_b0 = partial(_fitted, "efficientnet_b0")
convnext_tiny = partial(_fitted, "convnext_tiny")


def original_network(name: str, image_size: int) -> Backbone:
    """A torchvision classifier, unchanged for any image size."""
    if name.startswith(RESIDUAL):
        return ResNet(name, LARGE)
    return _backbone(f"torchvision:{name}", _of_torchvision(name), image_size)


def torchvision_builder(name: str) -> partial[Backbone]:
    """Builder of torchvision's network with this name.

    Raises `UnknownName`, or `InvalidInput` for a network with auxiliary classifiers.
    """
    from torchvision import models

    names = models.list_models(module=models)
    if name not in names:
        raise unknown_name("network of torchvision", name, names, "torchvision.models.list_models")
    if name in _OF_SEVERAL_OUTPUTS:
        raise InvalidInput(
            f"network 'torchvision:{name}' has auxiliary classifiers; allowed: networks of one "
            "output, e.g. --set teachers.network=resnet18"
        )
    return partial(original_network, name)


def _of_torchvision(name: str) -> Any:
    from torchvision.models import get_model  # takes a second; few runs need it

    return get_model(name, weights=None)


def _backbone(title: str, model: Any, image_size: int) -> Backbone:
    """The backbone of a model; stages are searched in its part `features`, if it has one."""
    body = "features." if hasattr(model, "features") else ""
    parts = model.features if body else model
    candidates = [
        f"{body}{name}"
        for name, part in parts.named_children()
        if not isinstance(part, nn.AdaptiveAvgPool2d)
    ]
    return LibraryBackbone(title, model, last_linear(model), candidates, image_size)


def timm_builder(name: str) -> partial[Backbone]:
    """Builder of timm's network with this name; nothing is downloaded.

    Raises `InvalidInput` without timm, `UnknownName` for a name unknown to it.
    """
    timm = timm_library(f"network 'timm:{name}'", "timm")
    if not timm.is_model(name):
        close = get_close_matches(name, timm.list_models(), n=3, cutoff=0.5)
        hint = f"; did you mean {' or '.join(map(repr, close))}?" if close else ";"
        raise UnknownName(
            f"unknown network of timm {name!r}{hint} allowed: a name without pretrained tag (see: "
            "timm.list_models)"
        )
    return partial(_of_timm, timm, name)


def timm_library(wanted: str, extra: str) -> ModuleType:
    """The library; `wanted` names the feature that needs it.

    Raises `InvalidInput`, naming the extra to install, if it is not installed.
    """
    try:
        return importlib.import_module("timm")
    except ModuleNotFoundError as fault:
        raise InvalidInput(
            f"{wanted}, but timm is not installed; install it: {install_command(extra)}"
        ) from fault


def stages_of(model: Any) -> list[str]:
    """Names of the modules whose outputs timm counts as stages."""
    stages = [stage["module"] for stage in getattr(model, "feature_info", None) or ()]
    known = dict(model.named_modules())
    return [stage for stage in stages if stage in known]


def _of_timm(timm: Any, name: str, image_size: int) -> Backbone:
    published = timm.get_pretrained_cfg(name)
    fixed = published is not None and published.fixed_input_size
    model = timm.create_model(name, pretrained=False, **({"img_size": image_size} if fixed else {}))
    title = f"timm:{name}"
    backbone = LibraryBackbone(
        title, model, _classifier_of(name, model), stages_of(model), image_size
    )
    if published is not None:
        backbone.published_normalisation = tuple(published.mean), tuple(published.std)
    return backbone


def _classifier_of(name: str, model: Any) -> str:
    classifier = model.get_classifier()
    for place, module in model.named_modules():
        if module is classifier and isinstance(module, nn.Linear):
            return str(place)
    raise InvalidInput(
        f"network 'timm:{name}' has a {type(classifier).__name__} as classifier; allowed: "
        "networks whose last layer is one linear layer"
    )
