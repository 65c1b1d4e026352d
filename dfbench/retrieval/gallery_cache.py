"""Embeddings of photos on disk, by the digest of their file; one file for a folder and an encoder.

Like all of the cache it can be deleted, and what is damaged counts as absent.
"""

from __future__ import annotations

import json
from collections.abc import Container
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from dfbench.files import atomic_path


@dataclass(frozen=True)
class Embedded:
    """What is known of files, by the digest of their bytes."""

    rows: dict[str, NDArray[np.float32]] = field(default_factory=dict)
    """The embedding `[D]` of each photo."""
    faults: dict[str, str] = field(default_factory=dict)
    """Why a file is none."""

    def __contains__(self, digest: str) -> bool:
        return digest in self.rows or digest in self.faults

    def only(self, wanted: Container[str]) -> Embedded:
        """What is known of these."""
        return Embedded(
            {digest: row for digest, row in self.rows.items() if digest in wanted},
            {digest: fault for digest, fault in self.faults.items() if digest in wanted},
        )


def read_embedded(file: Path) -> Embedded:
    """What the file holds; nothing if it is absent or damaged."""
    try:
        with safe_open(file, "np") as stored:
            rows = stored.get_tensor("rows")
            told = json.loads(stored.metadata()["dfbench"])
        return Embedded(dict(zip(told["digests"], rows, strict=True)), told["faults"])
    except (OSError, SafetensorError, ValueError, KeyError, TypeError):
        # Whatever is wrong with a cache file, the answer is the same: it is made again.
        return Embedded()


def write_embedded(file: Path, embedded: Embedded) -> None:
    """Write it whole or not at all. Raises `FileFault`."""
    told = {"digests": list(embedded.rows), "faults": embedded.faults}
    rows = np.stack(list(embedded.rows.values())) if embedded.rows else np.empty((0, 0), np.float32)
    with atomic_path(file) as temporary:
        temporary.write_bytes(save({"rows": rows}, {"dfbench": json.dumps(told)}))
