"""Cache of photo embeddings by file digest, one cache file per folder and encoder.

During embedding, finished parts are written next to that file, so that a killed process loses at
most the last part. Cache files may be deleted, and damaged ones are ignored.
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
    """Embeddings and reading errors of files, by digest."""

    rows: dict[str, NDArray[np.float32]] = field(default_factory=dict)
    """The embedding `[D]` of each photo."""
    faults: dict[str, str] = field(default_factory=dict)
    """Unreadable files, with the reason."""

    def __contains__(self, digest: str) -> bool:
        return digest in self.rows or digest in self.faults

    def __len__(self) -> int:
        return len(self.rows) + len(self.faults)

    def update(self, others: Embedded) -> None:
        """Add the embeddings and errors of other files."""
        self.rows.update(others.rows)
        self.faults.update(others.faults)

    def only(self, wanted: Container[str]) -> Embedded:
        """The embeddings and errors of the wanted files only."""
        return Embedded(
            {digest: row for digest, row in self.rows.items() if digest in wanted},
            {digest: fault for digest, fault in self.faults.items() if digest in wanted},
        )


def read_embedded(file: Path) -> Embedded:
    """The contents of a cache file and its parts; missing or damaged ones are skipped."""
    known = _read(file)
    for part in _parts(file):
        known.update(_read(part))
    return known


def write_part(file: Path, embedded: Embedded) -> None:
    """Write a part atomically. Raises `FileFault`."""
    name = blake2b("".join((*embedded.rows, *embedded.faults)).encode(), digest_size=8).hexdigest()
    _write(file.with_name(f"{file.stem}{_PART}{name}{file.suffix}"), embedded)


def write_embedded(file: Path, embedded: Embedded) -> None:
    """Replace the file and its parts atomically. Raises `FileFault`."""
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
        # The cause does not matter: a damaged cache file is rebuilt.
        return Embedded()


def _write(file: Path, embedded: Embedded) -> None:
    told = {"digests": list(embedded.rows), "faults": embedded.faults}
    rows = np.stack(list(embedded.rows.values())) if embedded.rows else np.empty((0, 0), np.float32)
    with atomic_path(file) as temporary:
        save_file({"rows": rows}, temporary, {"dfbench": json.dumps(told)})
