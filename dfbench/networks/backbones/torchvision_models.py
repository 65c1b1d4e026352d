"""torchvision's classifiers by name: adapted to the image size, or unchanged."""

from __future__ import annotations

from functools import partial
from typing import Any

from torch import nn

from dfbench.errors import InvalidInput, unknown_name
from dfbench.networks.backbones.backbone import LARGE, Backbone, fit_strides
from dfbench.networks.backbones.library import LibraryBackbone, last_linear
from dfbench.networks.backbones.resnet import RESIDUAL, ResNet

_OF_SEVERAL_OUTPUTS = ("googlenet", "inception_v3")


def _fitted(name: str, image_size: int) -> Backbone:
    model = _new(name)
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
    return _backbone(f"torchvision:{name}", _new(name), image_size)


def builder(name: str) -> partial[Backbone]:
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


def _new(name: str) -> Any:
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
