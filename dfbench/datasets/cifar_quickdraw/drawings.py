"""Bitmaps of Quick, Draw!: downloading, storing, checking and reading the first drawings."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dfbench.datasets.cifar_quickdraw.server import FetchFault, PartialFile, Server
from dfbench.datasets.cifar_quickdraw.source import SIDE, PublishedSource, SharedClass
from dfbench.errors import InvalidInput
from dfbench.system.console import Advance
from dfbench.system.files import atomic_path, write_json

_ROW = SIDE * SIDE
_HEADER_ROOM = 1024
"""Upper limit for the header of a bitmap file in bytes (80 in the published files)."""
_CHECKSUMS = "checksums.json"
_KEY = "blake2b"


def fetch_drawings(
    source: PublishedSource, shared: SharedClass, home: Path, server: Server, advance: Advance
) -> None:
    """Fetch the first drawings of a category and store them as a separate bitmap file.

    The publisher gives a checksum of the whole file only, so only the format of the download is
    checked; its checksum is stored for later reads to compare with. Raises `FetchFault`.
    """
    target, url = source.bitmaps(home, shared), source.address(shared)
    partial = PartialFile(target)
    advance(partial.size)
    server.pull(url, partial, _HEADER_ROOM, advance)
    start, there = _header(partial, url)
    count = source.drawings.count
    if there < count:
        raise FetchFault(f"{url} has {there} drawings, {count} are required: try again later")
    server.pull(url, partial, start + count * _ROW, advance)
    if _header(partial, url) != (start, there):
        raise FetchFault(f"{url} changed during the download: repeat the same command")
    if partial.size < start + count * _ROW:
        partial.drop()
        raise FetchFault(f"{url} ends before its drawing {count}: try again later")
    rows = np.frombuffer(partial.path.read_bytes(), np.uint8, count * _ROW, offset=start)
    entry = {
        _KEY: _digest(rows),
        "drawings": count,
        "of": there,
        "url": url,
        "version": partial.edition.version if partial.edition else "",
    }
    # The checksum comes first: a file without one would count as added manually.
    write_json(home / _CHECKSUMS, {**noted(home), shared.category: entry})
    with atomic_path(target) as temporary, temporary.open("wb") as file:
        np.save(file, rows.reshape(count, _ROW))
    partial.drop()


def drawings(source: PublishedSource, shared: SharedClass, home: Path) -> NDArray[np.uint8]:
    """The first drawings of a class `[N, 28, 28]`, ink 255 on 0, memory-mapped.

    Raises `InvalidInput` for a file that is missing, is not a bitmap file, has too few drawings or
    differs from the downloaded file.
    """
    file, count = source.bitmaps(home, shared), source.drawings.count
    try:
        rows = np.lib.format.open_memmap(file, mode="r")
    except (OSError, ValueError) as fault:
        reason = (
            fault.strerror if isinstance(fault, OSError) and fault.strerror else "not an .npy file"
        )
        raise _unusable(file, str(reason)) from fault
    if rows.dtype != np.uint8 or rows.ndim != 2 or rows.shape[1] != _ROW:
        raise _unusable(file, f"{rows.dtype} of shape {rows.shape}, not uint8 of (N, {_ROW})")
    if len(rows) < count:
        raise _unusable(file, f"{len(rows)} drawings, {count} are required")
    entry = noted(home).get(shared.category)
    if entry and entry["drawings"] == count and _digest(rows[:count]) != entry[_KEY]:
        raise _unusable(file, "its checksum differs from that of the download")
    first: NDArray[np.uint8] = rows[:count].reshape(count, SIDE, SIDE)
    return first


def noted(home: Path) -> Mapping[str, Mapping[str, Any]]:
    """Checksums and origin of the downloaded drawings, by category.

    Files added manually are not included. Raises `InvalidInput` if the checksum file is damaged.
    """
    file = home / _CHECKSUMS
    if not file.is_file():
        return {}
    try:
        entries = json.loads(file.read_text(encoding="utf-8"))
        return {name: {_KEY: "", "drawings": 0, **entry} for name, entry in entries.items()}
    except (OSError, ValueError, AttributeError, TypeError) as fault:
        raise InvalidInput(
            f"'{file}' is damaged: remove it and the .npy files in its folder, and fetch them again"
        ) from fault


def _header(partial: PartialFile, url: str) -> tuple[int, int]:
    """Byte offset of the drawings, and their number in the published file."""
    with partial.path.open("rb") as file:
        content = io.BytesIO(file.read(_HEADER_ROOM))
    try:
        version = np.lib.format.read_magic(content)
        if version != (1, 0):
            raise ValueError(f"version {version}")
        shape, by_column, dtype = np.lib.format.read_array_header_1_0(content)
        if by_column or dtype != np.uint8 or shape[1:] != (_ROW,):
            raise ValueError(f"{dtype} of shape {shape}")
    except ValueError as fault:
        partial.drop()  # further bytes would not make it valid
        raise FetchFault(
            f"{url} is not a file of {SIDE} x {SIDE} bitmaps ({fault}): try again later, or "
            f"download it manually to '{partial.target}'"
        ) from fault
    return content.tell(), shape[0]


def _digest(rows: NDArray[np.uint8]) -> str:
    return blake2b(np.ascontiguousarray(rows).data, digest_size=16).hexdigest()


def _unusable(file: Path, reason: str) -> InvalidInput:
    return InvalidInput(f"'{file}' cannot be used ({reason}): remove it and fetch it again")
