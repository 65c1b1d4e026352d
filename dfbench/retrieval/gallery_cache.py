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


@dataclass
class Embedded:
    """Embeddings and reading errors of files, by digest."""

    rows: dict[str, NDArray[np.float32]] = field(default_factory=dict)
    """The embedding `[D]` of each photo."""
    faults: dict[str, str] = field(default_factory=dict)
    """Unreadable files, with the reason."""
    order: list[str] = field(default_factory=list)
    """Digests of the photos of a gallery, in its order; empty if not of one file."""
    matrix: NDArray[np.float32] = field(default_factory=lambda: np.empty((0, 0), np.float32))
    """Their embeddings `[len(order), D]`."""

    def __contains__(self, digest: str) -> bool:
        return digest in self.rows or digest in self.faults

    def __len__(self) -> int:
        return len(self.rows) + len(self.faults)

    def update(self, others: Embedded) -> None:
        """Add the embeddings and errors of other files."""
        if len(others):
            self.rows.update(others.rows)
            self.faults.update(others.faults)
            self.order = []

    def only(self, wanted: Container[str]) -> Embedded:
        """The embeddings and errors of the wanted files only."""
        return Embedded(
            {digest: row for digest, row in self.rows.items() if digest in wanted},
            {digest: fault for digest, fault in self.faults.items() if digest in wanted},
        )

    def ordered(self, order: list[str]) -> Embedded:
        """With the embeddings in the order of a gallery."""
        matrix = np.stack([self.rows[digest] for digest in order])
        return Embedded(self.rows, self.faults, order, matrix)


def read_embedded(file: Path) -> Embedded:
    """The contents of a cache file and its parts; missing or damaged ones are skipped."""
    known = _read(file)
    for part in _parts(file):
        known.update(_read(part))
    return known


def write_part(file: Path, embedded: Embedded) -> None:
    """Write a part atomically. Raises `FileFault`."""
    name = blake2b("".join((*embedded.rows, *embedded.faults)).encode(), digest_size=8).hexdigest()
    part = file.with_name(f"{file.stem}{_PART}{name}{file.suffix}")
    order = list(embedded.rows)
    _write(part, embedded.ordered(order) if order else embedded)


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
            told = json.loads(stored.metadata()["dfbench"])
            shape = tuple(stored.get_slice("rows").get_shape())
        order, faults = told["digests"], told["faults"]
        offset = file.stat().st_size - 4 * shape[0] * shape[1]  # the only tensor, stored last
        matrix = (
            np.memmap(file, "<f4", "r", offset, shape) if order else np.empty(shape, np.float32)
        )
        rows = dict(zip(order, np.asarray(matrix), strict=True))
    except (OSError, SafetensorError, ValueError, KeyError, TypeError):
        # The cause does not matter: a damaged cache file is rebuilt.
        return Embedded()
    return Embedded(rows, faults, order, np.asarray(matrix))


def _write(file: Path, embedded: Embedded) -> None:
    told = {"digests": embedded.order, "faults": embedded.faults}
    with atomic_path(file) as temporary:
        save_file({"rows": embedded.matrix}, temporary, {"dfbench": json.dumps(told)})
