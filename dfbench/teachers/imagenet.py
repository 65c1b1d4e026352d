"""Which file of ImageNet weights a run starts from, and its identity; free of torch."""

from __future__ import annotations

from hashlib import file_digest
from pathlib import Path

from dfbench.errors import InvalidInput

IMAGENET_CLASSES = tuple(f"ImageNet {number}" for number in range(1000))
"""The classes that torchvision's networks tell, by their place in the classifier."""
_CHECKSUMS = {
    "resnet18": "f37072fd",
    "resnet34": "b627a593",
    "resnet50": "0676ba61",
    "wide_resnet50_2": "95faca4d",
}
"""First digits of the SHA-256 of torchvision's files (IMAGENET1K_V1), as in their names."""


def imagenet_file(network: str) -> str:
    """Name of torchvision's file of ImageNet weights.

    Raises `InvalidInput` for a network that has none.
    """
    if network not in _CHECKSUMS:
        raise InvalidInput(
            f"teachers.initialisation=imagenet with teachers.network={network}; allowed with it: "
            f"{', '.join(_CHECKSUMS)} (try --set teachers.network=resnet18)"
        )
    return f"{network}-{_CHECKSUMS[network]}.pth"


def imagenet_url(network: str) -> str:
    """Where torchvision's file lies."""
    return f"https://download.pytorch.org/models/{imagenet_file(network)}"


def imagenet_checksum(network: str, file: Path | None) -> str:
    """Hash of the weights' content: of `file`, or of what torchvision has.

    The same for torchvision's file whether it is given or fetched. Raises `InvalidInput` for a
    network without ImageNet weights and for a file that is not there.
    """
    published = imagenet_file(network).removesuffix(".pth").rpartition("-")[2]
    if file is None:
        return published
    if not file.is_file():
        raise InvalidInput(
            f"teachers.weights={str(file)!r} is no file; allowed: a safetensors file or a state "
            "dict written by torch.save"
        )
    with file.open("rb") as content:
        checksum = file_digest(content, "sha256").hexdigest()
    return published if checksum.startswith(published) else checksum
