"""The archive of CIFAR-10 and the bitmaps of Quick, Draw!: download, check, read.

The archive is read without executing pickled code.
"""

from __future__ import annotations

import io
import json
import pickle  # only for the restricted unpickler `_Batch`, which creates nothing but arrays
import tarfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import blake2b, file_digest, md5
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


_TRAIN = tuple(f"data_batch_{i}" for i in range(1, 6))
_TEST = ("test_batch",)
_FOLDER = "cifar-10-batches-py"


@dataclass(frozen=True)
class Photos:
    """One part of CIFAR-10."""

    images: NDArray[np.uint8]
    """`[N, 3, 32, 32]`, in the order of the batches."""
    labels: NDArray[np.int64]
    """`[N]`, the class labels of CIFAR-10."""


def fetch_photos(source: PublishedSource, home: Path, server: Server, advance: Advance) -> None:
    """Fetch the archive and check it against the published checksum. Raises `FetchFault`."""
    target = source.archive(home)
    partial = PartialFile(target)
    advance(partial.size)
    server.pull(source.photos.url, partial, source.photos.length, advance)
    if _md5(partial.path) != source.photos.md5:
        size = partial.size
        partial.drop()
        raise FetchFault(
            f"{source.photos.url} sent {size} bytes whose checksum is not that of CIFAR-10 "
            f"(discarded): try again later, or download the file manually to '{target}'"
        )
    with atomic_path(target) as temporary:
        partial.path.replace(temporary)
    partial.drop()


def check_photos(source: PublishedSource, home: Path) -> None:
    """Raise `InvalidInput` if the archive is missing or differs from the published one."""
    file = source.archive(home)
    try:
        found = _md5(file)
    except OSError as fault:
        raise _unusable(file, fault.strerror or str(fault)) from fault
    if found != source.photos.md5:
        raise _unusable(file, f"MD5 {found}, published: {source.photos.md5}")


def photos(source: PublishedSource, home: Path) -> tuple[Photos, Photos]:
    """The original training and test part of CIFAR-10.

    Raises `InvalidInput` if the archive is missing or differs from the published one.
    """
    check_photos(source, home)
    try:
        with tarfile.open(source.archive(home)) as archive:
            return _part(archive, _TRAIN), _part(archive, _TEST)
    except (tarfile.TarError, pickle.UnpicklingError, KeyError) as fault:
        raise _unusable(source.archive(home), str(fault)) from fault


def _part(archive: tarfile.TarFile, names: tuple[str, ...]) -> Photos:
    batches = []
    for name in names:
        file = archive.extractfile(f"{_FOLDER}/{name}")
        if file is None:
            raise KeyError(f"{name} is not a file")
        batches.append(_Batch(file, encoding="latin1").load())
    return Photos(
        np.concatenate([batch["data"] for batch in batches]).reshape(-1, 3, 32, 32),
        np.concatenate([np.asarray(batch["labels"], np.int64) for batch in batches]),
    )


class _Batch(pickle.Unpickler):
    """Reads a batch pickled by Python 2: lists, strings and one array; calls nothing else."""

    def find_class(self, module: str, name: str) -> Callable[..., Any]:
        allowed: dict[tuple[str, str], Callable[..., Any]] = {
            ("numpy.core.multiarray", "_reconstruct"): _empty_array,
            ("numpy", "ndarray"): np.ndarray,
            ("numpy", "dtype"): np.dtype,
        }
        if (module, name) not in allowed:
            raise pickle.UnpicklingError(f"{module}.{name} in a batch of CIFAR-10")
        return allowed[module, name]


def _empty_array(kind: type[Any], shape: tuple[int, ...], dtype: str) -> NDArray[Any]:
    """An empty array for the unpickler to fill."""
    array: NDArray[Any] = np.ndarray.__new__(kind, shape, dtype)
    return array


def _md5(file: Path) -> str:
    with file.open("rb") as content:
        return file_digest(content, lambda: md5(usedforsecurity=False)).hexdigest()


def _unusable(file: Path, reason: str) -> InvalidInput:
    return InvalidInput(f"'{file}' cannot be used ({reason}): remove it and fetch it again")
