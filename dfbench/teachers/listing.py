"""The networks of a cache folder, by their headers; free of torch."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dfbench import files
from dfbench.teachers.facts import NetworkFacts, read_header


@dataclass(frozen=True)
class Entry:
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


def entry_of(path: Path) -> Entry | None:
    """A stored network's file; None if dfbench did not write it or it is gone."""
    try:
        header, status = read_header(path), path.stat()
    except OSError:
        return None
    return Entry(path, header.facts, status.st_size, status.st_mtime) if header else None


def networks_in(folder: Path) -> list[Path]:
    """Files that may be networks, sorted. Raises `FileFault` for a folder that cannot be read."""
    return [path for path in files.entries(folder) if path.suffix == ".safetensors"]


def entries(folder: Path) -> tuple[list[Entry], list[Path]]:
    """The networks of a folder, the youngest first, and the files there that are none."""
    found, strange = [], []
    for path in networks_in(folder):
        entry = entry_of(path)
        if entry is None:
            strange.append(path)
        else:
            found.append(entry)
    return sorted(found, key=lambda entry: -entry.changed), sorted(strange)
