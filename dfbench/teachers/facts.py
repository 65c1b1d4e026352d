"""Headers of stored networks, one or a whole cache folder; read without torch."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from dfbench.modality import Modality
from dfbench.system import files

TEACHER = "teacher"
IMPORTED = "imported teacher"
"""Kinds of networks that a run takes for a teacher: trained here, or made elsewhere."""


@dataclass(frozen=True)
class NetworkFacts:
    """What the header of a stored network says."""

    kind: str
    """`teacher`, `imported teacher`, `unified teacher`, `initialisation`, ..."""
    network: str
    """Backbone, by name."""
    identity: str
    """Hash of everything that decided the weights; of an imported teacher, of what it is."""
    seconds: float
    """Wall time of the training; 0 of an imported teacher."""
    accuracy: float | None = None
    """Share of right decisions on held-out images, in [0, 1]; None where there are none."""
    modality: Modality | None = None
    classes: tuple[str, ...] = ()
    image_size: int | None = None
    """Pixels of the images that the backbone was made for. Files that do not say so hold networks
    that are the same for every size."""
    accuracies: Mapping[str, float] = field(default_factory=dict)
    """Of a unified teacher: its accuracy by modality."""
    pretrained: bool = False
    """Whether it started from published weights, and images of either modality have to be
    normalised as they were for those."""
    origin: str | None = None
    """Name of the file that an imported teacher came in."""


@dataclass(frozen=True)
class Header:
    """The header of a stored network, taken at its word."""

    facts: NetworkFacts
    text: str
    """The facts as they are stored."""
    checksum: str
    """Over facts and tensors, as it was when they were written."""


def read_header(path: Path) -> Header | None:
    """The header of a stored network; None for a file that dfbench did not write.

    The tensors are not looked at. Raises `OSError` for a file that cannot be opened.
    """
    try:
        with safe_open(path, "np") as file:
            metadata = file.metadata()
        content = json.loads(metadata["dfbench"])
        facts = NetworkFacts(**{**content, "classes": tuple(content["classes"])})
        return Header(facts, metadata["dfbench"], metadata["checksum"])
    except (SafetensorError, KeyError, TypeError, ValueError):
        return None


@dataclass(frozen=True)
class CachedNetwork:
    """A network in the cache."""

    path: Path
    facts: NetworkFacts
    bytes: int
    changed: float
    """When it was written, in seconds since the epoch."""

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
            "seconds": facts.seconds,
            "bytes": self.bytes,
            "changed": datetime.fromtimestamp(self.changed, UTC).isoformat(timespec="seconds"),
            "file": str(self.path),
        }


def entry_of(path: Path) -> CachedNetwork | None:
    """A stored network's file; None if dfbench did not write it or it is gone."""
    try:
        header, status = read_header(path), path.stat()
    except OSError:
        return None
    return CachedNetwork(path, header.facts, status.st_size, status.st_mtime) if header else None


def networks_in(folder: Path) -> list[Path]:
    """Files that may be networks, sorted. Raises `FileFault` for a folder that cannot be read."""
    return [path for path in files.entries(folder) if path.suffix == ".safetensors"]


def entries(folder: Path) -> tuple[list[CachedNetwork], list[Path]]:
    """The networks of a folder, the youngest first, and the files there that are none."""
    found, strange = [], []
    for path in networks_in(folder):
        entry = entry_of(path)
        if entry is None:
            strange.append(path)
        else:
            found.append(entry)
    return sorted(found, key=lambda entry: -entry.changed), sorted(strange)
