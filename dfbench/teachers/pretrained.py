"""ImageNet weights that teachers start from: a file of the user's, a package's or torchvision's."""

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
    """A network's weights from elsewhere, with the classifier of its 1000 classes or without."""

    source: str
    """Name and checksum of the file."""
    tensors: Mapping[str, Tensor]

    def enter(self, backbone: Backbone) -> str:
        """Put the weights into a network; returns a line that says what was taken.

        Names and shapes have to be those of the network in its library, each tensor once. Only one
        that follows the image size may be of another shape: then it stays as it is. Raises
        `InvalidInput` if the weights are those of another network, or not finite.
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
                "give the file of the network that teachers.network names"
            )
        check_finite(given, f"teachers.weights: {self.source}")
        backbone.load_state_dict({own[n]: t for n, t in given.items()}, strict=False)
        taken = f"ImageNet weights of {self.source}: {len(given)} of {len(given) + len(new)}"
        taken = f"{taken} tensors taken"
        for name in new:
            side = "x".join(map(str, state[own[name]].shape[2:]))
            taken += f"; images of this size get a {side} stem, which is new"
        return taken

    def enter_head(self, backbone: Backbone, head: nn.Linear) -> None:
        """Put the classifier of ImageNet's classes into a layer.

        Raises `InvalidInput` if the weights are without it or it is of another shape.
        """
        tensors = self._in_names_of(backbone)
        state = head.state_dict()
        names = {own: f"{backbone.published_head}.{own}" for own in state}
        found = {own: tensors[name] for own, name in names.items() if name in tensors}
        if any(own not in found or found[own].shape != state[own].shape for own in state):
            raise InvalidInput(
                f"teachers.weights: {self.source} is without the classifier of ImageNet's classes "
                f"({', '.join(names.values())}), which this row needs; give a file that has it"
            )
        head.load_state_dict(found)

    def _in_names_of(self, backbone: Backbone) -> Mapping[str, Tensor]:
        return backbone.in_published_names(self.tensors)


def imagenet_weights(network: str, file: Path | None) -> PretrainedWeights:
    """ImageNet weights of a network: from `file`, or else what is published.

    Nothing in a file is executed. Raises `InvalidInput` for a network that has none, a package that
    is not installed, a file that holds no weights or not the published ones, or a download that
    fails.
    """
    checksum = imagenet_checksum(network, file)
    if file is None:
        file = packaged_file(network) or _fetched(network)
        _check_content(file, checksum)
    return PretrainedWeights(
        f"{file.name} (SHA-256 {checksum[:8]})", read_weights(file, "teachers.weights")
    )


def _check_content(file: Path, checksum: str) -> None:
    """Raise `InvalidInput` unless a published file is as it was published."""
    try:
        found = sha256(file)
    except OSError as fault:
        raise InvalidInput(
            f"ImageNet weights: {str(file)!r} cannot be read ({fault.strerror or fault}); install "
            "its package again, or give a file: --set teachers.weights=FILE"
        ) from fault
    if not found.startswith(checksum):
        raise InvalidInput(
            f"ImageNet weights: {str(file)!r} is not as it was published (SHA-256 {found[:8]}, "
            f"published {checksum}): remove it and get it again, or give it as a file of your own: "
            "--set teachers.weights=FILE"
        )


def _fetched(network: str) -> Path:
    """The file of a network where torchvision keeps it, fetched unless it is there."""
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
            f"ImageNet weights of {network} are wanted and could not be fetched ({fault}): get "
            f"{name} from {url} and put it into {target.parent}, or give a file: "
            "--set teachers.weights=FILE"
        ) from fault
    return target
