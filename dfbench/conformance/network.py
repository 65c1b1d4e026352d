"""Checks of the rules that dfbench relies on in networks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from dfbench.conformance.check import Check, CheckFailed
from dfbench.networks import Backbone

SIZES = (32, 48, 64)
"""Image sizes in pixels at which a network is checked."""
_TOLERANCE = 1e-4

NETWORK_CHECKS = (
    Check("builds", f"it can be built for images of {SIZES} px", "network:builds"),
    Check("features", "features and stages are finite, of one width", "network:features"),
    Check("seeds", "the same seed gives the same weights", "network:seeds"),
    Check("determinism", "in eval mode, features depend only on the image", "network:determinism"),
    Check("state", "its state dict restores it", "network:state"),
    Check("gradients", "gradients reach the images and all parameters", "network:gradients"),
)
"""The rules for networks, in report order."""


@dataclass
class NetworkStage:
    """A network under test."""

    build: Callable[[int], Backbone]
    """Builds it for an image size in pixels, as the target of a `dfbench.NetworkSpec`."""
    built: dict[int, Backbone] = field(default_factory=dict)

    def at(self, size: int) -> Backbone:
        """The network for an image size, in eval mode, built once."""
        if size not in self.built:
            self.built[size] = self.fresh(size)
        return self.built[size].eval()

    def fresh(self, size: int) -> Backbone:
        """A new network, from seed 0."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            found: object = self.build(size)
        if not isinstance(found, Backbone):
            raise CheckFailed(
                f"it builds a {type(found).__name__}; allowed: a dfbench.networks.Backbone"
            )
        return found


def check_network(build: Callable[[int], Backbone]) -> None:
    """Run all checks on a network; `build` is the target of its spec. Raises `CheckFailed`."""
    stage = NetworkStage(build)
    for check in (builds, features, seeds, determinism, state, gradients):
        check(stage)


def builds(stage: NetworkStage) -> None:
    """It can be built for every size."""
    for size in SIZES:
        width: object = getattr(stage.at(size), "feature_dim", None)
        if not isinstance(width, int) or width < 1:
            raise CheckFailed(f"at {size} px its feature_dim is {width!r}; allowed: 1 or more")


@torch.no_grad()
def features(stage: NetworkStage) -> None:
    """Features are `[B, feature_dim]` and equal the last stage; all stages are `[B, D_l]`."""
    for size in SIZES:
        network = stage.at(size)
        for count in (1, 3):
            images = _images(count, size)
            found, stages = network(images), network.stage_features(images)
            _require_shape(found, [count, network.feature_dim], f"features at {size} px")
            for place, one in enumerate(stages):
                _require_shape(one, [count, one.shape[-1]], f"stage {place} at {size} px")
            if not stages or not _same(stages[-1], found):
                raise CheckFailed(f"at {size} px its last stage is not its features")


def seeds(stage: NetworkStage) -> None:
    """Weights come from torch's global generator alone."""
    one, other = (stage.fresh(SIZES[0]).state_dict() for _ in range(2))
    for name, tensor in one.items():
        if name not in other or not torch.equal(tensor, other[name]):
            raise CheckFailed(f"{name!r} differs between two networks built with the same seed")


@torch.no_grad()
def determinism(stage: NetworkStage) -> None:
    """In eval mode a repeated or smaller batch gives the same features."""
    for size in SIZES:
        network, images = stage.at(size), _images(3, size)
        before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
        whole = network(images)
        if not torch.equal(whole, network(images)):
            raise CheckFailed(f"at {size} px repeating the same images changes the features")
        if not _same(whole[:1], network(images[:1])):
            raise CheckFailed(f"at {size} px features depend on the other images of a batch")
        after = network.state_dict()
        if not all(torch.equal(tensor, after[name]) for name, tensor in before.items()):
            raise CheckFailed(f"at {size} px a forward pass in eval mode changes its state")


@torch.no_grad()
def state(stage: NetworkStage) -> None:
    """A new network with its tensors gives the same features."""
    for size in SIZES:
        network, images = stage.at(size), _images(2, size)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(1)
            again = stage.build(size)
        again.load_state_dict(network.state_dict())
        if not torch.equal(again.eval()(images), network(images)):
            raise CheckFailed(
                f"at {size} px a new network with the same state dict gives other features; keep "
                "all that it learns in parameters and buffers"
            )


def gradients(stage: NetworkStage) -> None:
    """In train mode the gradient of the features reaches the images and all parameters."""
    network = stage.fresh(SIZES[0]).train()
    images = _images(4, SIZES[0]).requires_grad_()
    network(images).square().sum().backward()
    if images.grad is None or not images.grad.isfinite().all() or not images.grad.any():
        raise CheckFailed("no finite gradient reaches the images, which generators need")
    for name, parameter in network.named_parameters():
        if not parameter.requires_grad:
            continue
        if parameter.grad is None or not parameter.grad.isfinite().all():
            raise CheckFailed(f"no finite gradient reaches the parameter {name!r}")


def _images(count: int, size: int) -> Tensor:
    """Normalised images `[count, 3, size, size]`."""
    return torch.randn(count, 3, size, size, generator=torch.Generator().manual_seed(size))


def _require_shape(found: object, shape: list[int], what: str) -> None:
    if not isinstance(found, Tensor) or list(found.shape) != shape:
        told = list(found.shape) if isinstance(found, Tensor) else type(found).__name__
        raise CheckFailed(f"its {what} have shape {told}; allowed: {shape}")
    if not bool(found.isfinite().all()):
        raise CheckFailed(f"its {what} are not finite")


def _same(one: Tensor, other: Tensor) -> bool:
    return one.shape == other.shape and torch.allclose(one, other, _TOLERANCE, _TOLERANCE)
