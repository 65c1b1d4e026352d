"""ImageNet weights for initialising teachers, from a user's file, a package or torchvision."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from dfbench.errors import InvalidInput
from dfbench.networks import Backbone
from dfbench.system.files import atomic_path
from dfbench.teachers.imagenet import (
    imagenet_checksum,
    imagenet_file,
    imagenet_url,
    packaged_file,
    sha256,
)
from dfbench.teachers.weights.file import read_weights
from dfbench.teachers.weights.fitting import COUNTER, check_finite, mismatches


@dataclass(frozen=True)
class PretrainedWeights:
    """Published weights of a network, with or without the classifier of its 1000 classes."""

    source: str
    """Name and checksum of the file."""
    tensors: Mapping[str, Tensor]

    def enter(self, backbone: Backbone) -> str:
        """Load the weights into a network; returns a line that describes the tensors used.

        Names and shapes must be those of the network in its library, each tensor once. Only tensors
        that depend on the image size may differ in shape; they are left unchanged. Raises
        `InvalidInput` if the weights belong to another network or are not finite.
        """
        tensors = self._in_names_of(backbone)
        body = backbone.published_body
        own = {name.removeprefix(body): name for name in backbone.state_dict()}
        state = backbone.state_dict()
        shapes = {n: state[place].shape for n, place in own.items() if not n.endswith(COUNTER)}
        head = {f"{backbone.published_head}.{name}" for name in ("weight", "bias")}
        given = {n: t for n, t in tensors.items() if n not in head and not n.endswith(COUNTER)}
        new = [
            name
            for name in backbone.fitted_tensors
            if name in shapes and name in given and given[name].shape != shapes[name]
        ]
        for name in new:
            del given[name], shapes[name]
        faults = mismatches(shapes, given)
        if faults:
            raise InvalidInput(
                f"teachers.weights: {self.source} does not fit the network: {'; '.join(faults)}; "
                "use a file for the network set by teachers.network"
            )
        check_finite(given, f"teachers.weights: {self.source}")
        backbone.load_state_dict({own[n]: t for n, t in given.items()}, strict=False)
        taken = f"ImageNet weights of {self.source}: {len(given)} of {len(given) + len(new)}"
        taken = f"{taken} tensors used"
        for name in new:
            side = "x".join(map(str, state[own[name]].shape[2:]))
            taken += f"; the {side} stem for images of this size is newly initialised"
        return taken

    def enter_head(self, backbone: Backbone, head: nn.Linear) -> None:
        """Load the classifier of ImageNet's classes into a layer.

        Raises `InvalidInput` if the weights do not include it or it has another shape.
        """
        tensors = self._in_names_of(backbone)
        state = head.state_dict()
        names = {own: f"{backbone.published_head}.{own}" for own in state}
        found = {own: tensors[name] for own, name in names.items() if name in tensors}
        if any(own not in found or found[own].shape != state[own].shape for own in state):
            raise InvalidInput(
                f"teachers.weights: {self.source} lacks the classifier of ImageNet's classes "
                f"({', '.join(names.values())}), which this method needs; use a file that has it"
            )
        head.load_state_dict(found)

    def _in_names_of(self, backbone: Backbone) -> Mapping[str, Tensor]:
        return backbone.in_published_names(self.tensors)


def imagenet_weights(network: str, file: Path | None) -> PretrainedWeights:
    """ImageNet weights of a network, from `file` or as published.

    Nothing in a file is executed. Raises `InvalidInput` for a network without published weights, a
    package that is not installed, a file without weights or different from the published one, or a
    failed download.
    """
    checksum = imagenet_checksum(network, file)
    if file is None:
        file = packaged_file(network) or _fetched(network)
        _check_content(file, checksum)
    return PretrainedWeights(
        f"{file.name} (SHA-256 {checksum[:8]})", read_weights(file, "teachers.weights")
    )


def _check_content(file: Path, checksum: str) -> None:
    """Raise `InvalidInput` if a file differs from the published one."""
    try:
        found = sha256(file)
    except OSError as fault:
        raise InvalidInput(
            f"ImageNet weights: {str(file)!r} cannot be read ({fault.strerror or fault}); "
            "reinstall its package, or use another file: --set teachers.weights=FILE"
        ) from fault
    if not found.startswith(checksum):
        raise InvalidInput(
            f"ImageNet weights: {str(file)!r} differs from the published file (SHA-256 "
            f"{found[:8]}, published {checksum}): remove it and download it again, or use it as "
            "your own file: --set teachers.weights=FILE"
        )


def _fetched(network: str) -> Path:
    """The file of a network in torchvision's cache, downloaded if it is missing."""
    name, url = imagenet_file(network), imagenet_url(network)
    target = Path(torch.hub.get_dir()) / "checkpoints" / name
    if target.is_file():
        return target
    checksum = imagenet_checksum(network, None)
    try:
        with atomic_path(target) as temporary:
            torch.hub.download_url_to_file(url, str(temporary), checksum, progress=False)
    except (OSError, RuntimeError) as fault:
        raise InvalidInput(
            f"the ImageNet weights of {network} could not be downloaded ({fault}): download "
            f"{name} from {url} into {target.parent}, or use a file: "
            "--set teachers.weights=FILE"
        ) from fault
    return target
