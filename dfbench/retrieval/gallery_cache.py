"""Embeddings of photos on disk, by the digest of their file; one file for a folder and an encoder.

While they are made, parts lie beside that file, so that a killed process loses the last part at
most. Like all of the cache they can be deleted, and what is damaged counts as absent.
"""

from __future__ import annotations

import json
from collections.abc import Container
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from dfbench.system.files import atomic_path, entries

_PART = ".part-"


@dataclass(frozen=True)
class Embedded:
    """What is known of files, by the digest of their bytes."""

    rows: dict[str, NDArray[np.float32]] = field(default_factory=dict)
    """The embedding `[D]` of each photo."""
    faults: dict[str, str] = field(default_factory=dict)
    """Why a file is none."""

    def __contains__(self, digest: str) -> bool:
        return digest in self.rows or digest in self.faults

    def __len__(self) -> int:
        return len(self.rows) + len(self.faults)

    def update(self, others: Embedded) -> None:
        """Add what is known of others."""
        self.rows.update(others.rows)
        self.faults.update(others.faults)

    def only(self, wanted: Container[str]) -> Embedded:
        """What is known of these."""
        return Embedded(
            {digest: row for digest, row in self.rows.items() if digest in wanted},
            {digest: fault for digest, fault in self.faults.items() if digest in wanted},
        )


def read_embedded(file: Path) -> Embedded:
    """What a file and its parts hold; nothing of what is absent or damaged."""
    known = _read(file)
    for part in _parts(file):
        known.update(_read(part))
    return known


def write_part(file: Path, embedded: Embedded) -> None:
    """Write what was made since the last part, whole or not at all. Raises `FileFault`."""
    name = blake2b("".join((*embedded.rows, *embedded.faults)).encode(), digest_size=8).hexdigest()
    _write(file.with_name(f"{file.stem}{_PART}{name}{file.suffix}"), embedded)


def write_embedded(file: Path, embedded: Embedded) -> None:
    """Write all in place of file and parts, whole or not at all. Raises `FileFault`."""
    parts = _parts(file)
    _write(file, embedded)
    for part in parts:
        part.unlink(missing_ok=True)


def _parts(file: Path) -> list[Path]:
    return [one for one in entries(file.parent) if one.name.startswith(f"{file.stem}{_PART}")]


def _read(file: Path) -> Embedded:
    try:
        with safe_open(file, "np") as stored:
            rows = stored.get_tensor("rows")
            told = json.loads(stored.metadata()["dfbench"])
        return Embedded(dict(zip(told["digests"], rows, strict=True)), told["faults"])
    except (OSError, SafetensorError, ValueError, KeyError, TypeError):
        # Whatever is wrong with a cache file, the answer is the same: it is made again.
        return Embedded()


def _write(file: Path, embedded: Embedded) -> None:
    told = {"digests": list(embedded.rows), "faults": embedded.faults}
    rows = np.stack(list(embedded.rows.values())) if embedded.rows else np.empty((0, 0), np.float32)
    with atomic_path(file) as temporary:
        save_file({"rows": rows}, temporary, {"dfbench": json.dumps(told)})
