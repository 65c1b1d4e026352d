"""Packed image cache: one file of uint8 arrays, written atomically and memory-mapped.

File format: 8 bytes of magic, the length of the header (8 bytes, little-endian), the header (JSON:
array names, shapes, offsets, `meta`, and a BLAKE2 digest of the array bytes if the pack is checked
as a whole), the array bytes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from math import prod
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from dfbench.errors import InvalidInput
from dfbench.system.files import atomic_path
from dfbench.system.locks import FileLock

_MAGIC = b"DFBPACK1"
_MAX_HEADER = 1 << 30
Images = NDArray[np.uint8]


@dataclass(frozen=True)
class Pack:
    """The contents of a cache file."""

    arrays: Mapping[str, Images]
    """Read-only, memory-mapped from the file."""
    digest: str
    """BLAKE2 of all array bytes in order, checked when the file was opened."""
    meta: Mapping[str, Any]
    """JSON that the builder stored with the arrays."""


@dataclass(frozen=True)
class Contents:
    """Arrays and metadata to pack."""

    arrays: Mapping[str, Images]
    meta: Mapping[str, Any]


def opened(path: Path, build: Callable[[], Contents]) -> Pack:
    """Open the pack at `path`; if it is missing, truncated or damaged, build and write it first.

    Raises `FileFault` if it cannot be written and `InvalidInput` if it cannot be read back.
    """
    pack = _read(path) or _made(path, build)
    if pack is None:
        raise InvalidInput(
            f"cache file '{path}' cannot be read back after writing: "
            "check the disk or choose another cache folder"
        )
    return pack


def _made(path: Path, build: Callable[[], Contents]) -> Pack | None:
    waiting = f"another process is making '{path.name}': waiting"
    with FileLock(path.with_name(f".{path.name}.lock"), waiting):
        pack = _read(path)
        if pack is None:
            contents = build()
            write_pack(path, contents, _digest(contents.arrays.values()))
            pack = _read(path)
    return pack


@dataclass(frozen=True)
class PackHeader:
    """The header of a pack; the arrays are neither read nor checked."""

    path: Path
    meta: Mapping[str, Any]
    digest: str | None
    """BLAKE2 of all array bytes in order, as they were when they were written, if noted."""
    _start: int
    _entries: Mapping[str, Mapping[str, Any]]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the arrays, in order."""
        return tuple(self._entries)

    def mapped(self, name: str) -> Images:
        """An array, memory-mapped as long as a view of it exists.

        Raises `OSError` or `ValueError` if the file is missing or too short.
        """
        shape = tuple(self._entries[name]["shape"])
        return _mapped(self.path, self._start + self._entries[name]["offset"], shape)


def layout_of(path: Path) -> PackHeader:
    """The header of the pack at `path`.

    Raises `OSError`, `ValueError`, `KeyError` or `TypeError` for a file without a valid header or
    of the wrong length.
    """
    with path.open("rb") as file:
        header, start = _header(file)
    if path.stat().st_size != start + header["length"]:
        raise ValueError("the length of the pack differs from that in its header")
    return PackHeader(path, header["meta"], header.get("digest"), start, header["arrays"])


def write_pack(path: Path, contents: Contents, digest: str | None = None) -> None:
    """Write a pack, whole or not at all. Raises `FileFault`.

    `digest` is for packs that are checked as a whole; chunks have a checksum for each image.
    """
    entries: dict[str, dict[str, Any]] = {}
    offset = 0
    arrays = {name: np.ascontiguousarray(array) for name, array in contents.arrays.items()}
    for name, array in arrays.items():
        entries[name] = {"shape": array.shape, "offset": offset}
        offset += array.nbytes
    header = json.dumps(
        {
            "arrays": entries,
            "length": offset,
            "meta": dict(contents.meta),
            **({} if digest is None else {"digest": digest}),
        }
    ).encode()

    with atomic_path(path) as temporary, temporary.open("wb") as file:
        file.write(_MAGIC + len(header).to_bytes(8, "little") + header)
        for array in arrays.values():
            file.write(array.data)


def _read(path: Path) -> Pack | None:
    """The pack at `path`, or None if it is missing or damaged."""
    try:
        layout = layout_of(path)
        arrays = {name: layout.mapped(name) for name in layout.names}
        digest = _digest(arrays.values())
        return Pack(arrays, digest, layout.meta) if digest == layout.digest else None
    except (OSError, ValueError, KeyError, TypeError):
        # The cause does not matter: a damaged cache file is rebuilt.
        return None


def _digest(arrays: Iterable[Images]) -> str:
    digest = blake2b(digest_size=16)
    for array in arrays:
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def _header(file: BinaryIO) -> tuple[dict[str, Any], int]:
    start = file.read(len(_MAGIC) + 8)
    size = int.from_bytes(start[len(_MAGIC) :], "little")
    if not start.startswith(_MAGIC) or size > _MAX_HEADER:
        raise ValueError("not a pack")
    header = json.loads(file.read(size))
    if not isinstance(header, dict):
        raise TypeError("not a pack header")
    return header, len(start) + size


def _mapped(path: Path, start: int, shape: tuple[int, ...]) -> Images:
    if not prod(shape):  # an empty range of a file cannot be mapped
        return np.zeros(shape, np.uint8)
    # A plain array, because indexing a memmap is slower.
    return np.asarray(np.memmap(path, np.uint8, mode="r", offset=start, shape=shape))
