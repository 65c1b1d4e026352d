"""ImageNet weights that teachers start from: a file of the user's, or torchvision's own."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from dfbench.errors import InvalidInput
from dfbench.files import atomic_path
from dfbench.teachers.imagenet import imagenet_checksum, imagenet_file, imagenet_url
from dfbench.teachers.weights_file import read_weights

_STEM = "conv1.weight"
"""The one tensor that small images change."""
_HEAD = {"weight": "fc.weight", "bias": "fc.bias"}
_IGNORED = re.compile(r"fc\.|.*num_batches_tracked$")
"""The classifier of ImageNet's classes, and counters."""


@dataclass(frozen=True)
class PretrainedWeights:
    """A backbone's weights from elsewhere."""

    source: str
    """Name and checksum of the file."""
    tensors: Mapping[str, Tensor]

    def enter(self, backbone: nn.Module) -> str:
        """Put the weights into a network; returns a line that says what was taken.

        Only the stem may be of another shape: then it stays as it is. Raises `InvalidInput` if
        the weights are those of another network.
        """
        state = {k: v for k, v in backbone.state_dict().items() if not _IGNORED.match(k)}
        fitting = {
            name: self.tensors[name]
            for name, tensor in state.items()
            if name in self.tensors and self.tensors[name].shape == tensor.shape
        }
        missing = sorted(state.keys() - fitting.keys() - ({_STEM} & self.tensors.keys()))
        if missing:
            raise InvalidInput(
                f"teachers.weights: {self.source} does not fit the network: {len(missing)} of "
                f"{len(state)} tensors are missing or of another shape, e.g. {missing[0]}; give "
                "the file of the network that teachers.network names"
            )
        backbone.load_state_dict(fitting, strict=False)
        taken = f"ImageNet weights of {self.source}: {len(fitting)} of {len(state)} tensors taken"
        if _STEM in fitting:
            return taken
        new = "x".join(map(str, state[_STEM].shape[2:]))
        return f"{taken}; images of this size get a {new} stem, which is new"

    def enter_head(self, head: nn.Linear) -> None:
        """Put the classifier of ImageNet's classes into a layer.

        Raises `InvalidInput` if the weights are without it or it is of another shape.
        """
        state = head.state_dict()
        found = {own: self.tensors[name] for own, name in _HEAD.items() if name in self.tensors}
        if any(name not in found or found[name].shape != state[name].shape for name in state):
            raise InvalidInput(
                f"teachers.weights: {self.source} is without the classifier of ImageNet's classes "
                f"({', '.join(_HEAD.values())}), which this row needs; give a file that has it"
            )
        head.load_state_dict(found)


def imagenet_weights(network: str, file: Path | None) -> PretrainedWeights:
    """ImageNet weights of a network of torchvision, from `file` or else from torchvision.

    Nothing in a file is executed. Raises `InvalidInput` for a network that has none, a file that
    holds no weights, or a download that fails.
    """
    checksum = imagenet_checksum(network, file)
    file = file or _fetched(network)
    return PretrainedWeights(
        f"{file.name} (SHA-256 {checksum[:8]})", read_weights(file, "teachers.weights")
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
