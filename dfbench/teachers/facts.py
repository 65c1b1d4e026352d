"""Headers of stored networks, read without torch from one file or a whole cache folder."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from dfbench.identity import canonical_json
from dfbench.modality import Modality
from dfbench.system import files

_CHUNK = 1 << 20
TEACHER = "teacher"
IMPORTED = "imported teacher"
"""Kinds of networks that a run accepts as teachers: trained by dfbench, or external."""


@dataclass(frozen=True)
class NetworkFacts:
    """The facts in the header of a stored network."""

    kind: str
    """`teacher`, `imported teacher`, `unified teacher`, `initialisation`, ..."""
    network: str
    """Backbone, by name."""
    identity: str
    """Hash of everything that determines the weights; for an imported teacher, of its contents."""
    seconds: float
    """Wall time of training; 0 for an imported teacher."""
    accuracy: float | None = None
    """Accuracy on held-out images, in [0, 1]; None if there are none."""
    modality: Modality | None = None
    classes: tuple[str, ...] = ()
    image_size: int | None = None
    """Input size of the backbone in pixels; None for networks that do not depend on it."""
    accuracies: Mapping[str, float] = field(default_factory=dict)
    """Accuracy of a unified teacher by modality."""
    pretrained: bool = False
    """Whether training started from published weights, whose normalisation then applies to both
    modalities."""
    origin: str | None = None
    """File name of an imported teacher."""
    provenance: Mapping[str, str] = field(default_factory=dict)
    """What trained it: `command`, `commit`, `torch` and `processor`."""


@dataclass(frozen=True)
class Header:
    """The header of a stored network, not verified."""

    facts: NetworkFacts
    text: str
    """The facts in their stored form."""
    checksum: str
    """Checksum of facts and tensors at the time of writing."""


def read_header(path: Path) -> Header | None:
    """The header of a stored network; None for a file that dfbench did not write.

    The tensors are not read. Raises `OSError` for a file that cannot be opened.
    """
    try:
        with safe_open(path, "np") as file:
            metadata = file.metadata()
        content = json.loads(metadata["dfbench"])
        facts = NetworkFacts(**{**content, "classes": tuple(content["classes"])})
        return Header(facts, metadata["dfbench"], metadata["checksum"])
    except (SafetensorError, KeyError, TypeError, ValueError):
        return None


def weights_hash(path: Path) -> str:
    """BLAKE2 of the names, types, shapes and values of a stored network's tensors.

    Unlike the checksum in its header, it is equal for networks trained twice to the same weights.
    """
    with path.open("rb") as file:
        size = int.from_bytes(file.read(8), "little")
        tensors = json.loads(file.read(size))
        tensors.pop("__metadata__", None)
        digest = blake2b(canonical_json(tensors).encode(), digest_size=16)
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


@dataclass(frozen=True)
class CachedNetwork:
    """A network in the cache."""

    path: Path
    facts: NetworkFacts
    bytes: int
    changed: float
    """Time of writing, in seconds since the epoch."""
    checksum: str
    """Checksum of facts and tensors at the time of writing."""
    provider: str | None = None
    """Name of the dataset that provides it; None for a network in the cache."""

    @property
    def content(self) -> dict[str, Any]:
        """All of it as JSON."""
        facts = self.facts
        return {
            "identity": facts.identity,
            "kind": facts.kind,
            "modality": facts.modality,
            "network": facts.network,
            "classes": list(facts.classes),
            "image_size": facts.image_size,
            "accuracy": dict(facts.accuracies) or facts.accuracy,
            "origin": facts.origin,
            "provider": self.provider,
            "provenance": dict(facts.provenance),
            "checksum": self.checksum,
            "seconds": facts.seconds,
            "bytes": self.bytes,
            "changed": datetime.fromtimestamp(self.changed, UTC).isoformat(timespec="seconds"),
            "file": str(self.path),
        }


def entry_of(path: Path, provider: str | None = None) -> CachedNetwork | None:
    """The network stored in a file; None if dfbench did not write it or it is missing."""
    try:
        header, status = read_header(path), path.stat()
    except OSError:
        return None
    if header is None:
        return None
    size, changed = status.st_size, status.st_mtime
    return CachedNetwork(path, header.facts, size, changed, header.checksum, provider)


def networks_in(folder: Path) -> list[Path]:
    """Files that may be networks, sorted. Raises `FileFault` for a folder that cannot be read."""
    return [path for path in files.entries(folder) if path.suffix == ".safetensors"]


def official_files(folder: Path) -> Mapping[str, Path]:
    """The networks in the folder of a dataset that provides them, by identity."""
    return {path.stem: path for path in networks_in(folder)}


def entries(folder: Path, provider: str | None = None) -> tuple[list[CachedNetwork], list[Path]]:
    """The networks in a folder, newest first, and the files that are not networks."""
    found, strange = [], []
    for path in networks_in(folder):
        entry = entry_of(path, provider)
        if entry is None:
            strange.append(path)
        else:
            found.append(entry)
    return sorted(found, key=lambda entry: -entry.changed), sorted(strange)
