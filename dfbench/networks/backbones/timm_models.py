"""timm's classifiers by name; the library is an optional extra, imported only when needed."""

from __future__ import annotations

import importlib
from difflib import get_close_matches
from functools import partial
from types import ModuleType
from typing import Any

from torch import nn

from dfbench.errors import InvalidInput, UnknownName
from dfbench.networks.backbones.backbone import Backbone
from dfbench.networks.backbones.library import LibraryBackbone
from dfbench.version import install_command


def builder(name: str) -> partial[Backbone]:
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
    return partial(_network, timm, name)


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


def _network(timm: Any, name: str, image_size: int) -> Backbone:
    published = timm.get_pretrained_cfg(name)
    fixed = published is not None and published.fixed_input_size
    model = timm.create_model(name, pretrained=False, **({"img_size": image_size} if fixed else {}))
    title = f"timm:{name}"
    backbone = LibraryBackbone(title, model, _head(name, model), stages_of(model), image_size)
    if published is not None:
        backbone.published_normalisation = tuple(published.mean), tuple(published.std)
    return backbone


def _head(name: str, model: Any) -> str:
    classifier = model.get_classifier()
    for place, module in model.named_modules():
        if module is classifier and isinstance(module, nn.Linear):
            return str(place)
    raise InvalidInput(
        f"network 'timm:{name}' has a {type(classifier).__name__} as classifier; allowed: "
        "networks whose last layer is one linear layer"
    )
