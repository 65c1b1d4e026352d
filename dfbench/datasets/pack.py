"""Packed image cache: one file of uint8 arrays, written whole or not at all, memory-mapped.

Layout: 8 bytes of magic, the length of the header (8 bytes, little-endian), the header (JSON:
array names, shapes, offsets, `meta`, and a BLAKE2 digest of the array bytes), the array bytes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from math import prod
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from dfbench.datasets.cache_file import cache_file
from dfbench.errors import InvalidInput

_MAGIC = b"DFBPACK1"
_MAX_HEADER = 1 << 30
Images = NDArray[np.uint8]


@dataclass(frozen=True)
class Pack:
    """What a cache file holds."""

    arrays: Mapping[str, Images]
    """Read-only, memory-mapped from the file."""
    digest: str
    """BLAKE2 of all array bytes in order, checked when the file was opened."""
    meta: Mapping[str, Any]
    """Whatever JSON the builder stored beside the arrays."""


@dataclass(frozen=True)
class Contents:
    """What a builder hands over to be packed."""

    arrays: Mapping[str, Images]
    meta: Mapping[str, Any]


def opened(path: Path, build: Callable[[], Contents]) -> Pack:
    """Open the pack at `path`; if it is absent, cut short or damaged, build and write it first.

    Raises `DiskFull` if no space is left for it and `InvalidInput` if it cannot be written for
    another reason, each naming the folder and the remedy.
    """
    pack = _read(path)
    if pack is None:
        _write(path, build())
        pack = _read(path)
    if pack is None:
        raise InvalidInput(
            f"cache file '{path}' cannot be read back after writing: "
            "check the disk or choose another cache folder"
        )
    return pack


def _write(path: Path, contents: Contents) -> None:
    digest = blake2b(digest_size=16)
    entries: dict[str, dict[str, Any]] = {}
    offset = 0
    arrays = {name: np.ascontiguousarray(array) for name, array in contents.arrays.items()}
    for name, array in arrays.items():
        digest.update(array.data)
        entries[name] = {"shape": array.shape, "offset": offset}
        offset += array.nbytes
    header = json.dumps(
        {
            "arrays": entries,
            "length": offset,
            "digest": digest.hexdigest(),
            "meta": dict(contents.meta),
        }
    ).encode()

    with cache_file(path) as temporary, temporary.open("wb") as file:
        file.write(_MAGIC + len(header).to_bytes(8, "little") + header)
        for array in arrays.values():
            file.write(array.data)


def _read(path: Path) -> Pack | None:
    """The pack at `path`, or None if there is none that can be trusted."""
    try:
        with path.open("rb") as file:
            header, start = _header(file)
        length = header["length"]
        if path.stat().st_size != start + length:
            return None
        data = _mapped(path, start, length)
        digest = blake2b(data.data, digest_size=16).hexdigest()
        if digest != header["digest"]:
            return None
        arrays = {name: _view(data, entry) for name, entry in header["arrays"].items()}
        return Pack(arrays, digest, header["meta"])
    except (OSError, ValueError, KeyError, TypeError):
        # Whatever is wrong with a cache file, the answer is the same: it is built again.
        return None


def _header(file: BinaryIO) -> tuple[dict[str, Any], int]:
    start = file.read(len(_MAGIC) + 8)
    size = int.from_bytes(start[len(_MAGIC) :], "little")
    if not start.startswith(_MAGIC) or size > _MAX_HEADER:
        raise ValueError("not a pack")
    header = json.loads(file.read(size))
    if not isinstance(header, dict):
        raise TypeError("not a pack header")
    return header, len(start) + size


def _mapped(path: Path, start: int, length: int) -> Images:
    if not length:  # an empty stretch of a file cannot be mapped
        return np.zeros(0, np.uint8)
    return np.memmap(path, np.uint8, mode="r", offset=start, shape=(length,))


def _view(data: Images, entry: dict[str, Any]) -> Images:
    shape = tuple(entry["shape"])
    offset = entry["offset"]
    return data[offset : offset + prod(shape)].reshape(shape)
