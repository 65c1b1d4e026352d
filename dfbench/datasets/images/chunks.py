"""Chunks of decoded images: the unit of work of a decoding process and one file of the cache.

A chunk is a pack of two arrays named by number of channels: grey images in `1`, colour images in
`3`. Its `meta` holds the digest of the file and a CRC-32 of the pixels for each row, and the reason
for each file that could not be decoded.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import blake2b
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import PIL
from numpy.typing import NDArray

from dfbench.datasets.images.decoding import decoded_bytes
from dfbench.datasets.images.files import digest_of
from dfbench.datasets.images.pack import Contents, Images, PackHeader, layout_of, write_pack
from dfbench.datasets.images.picture import UnreadableImageError
from dfbench.errors import DfbenchError, InvalidInput
from dfbench.system import console
from dfbench.system.files import read_file

_GREY, _COLOUR = 1, 3


class DamagedChunkError(Exception):
    """A chunk whose file is missing, truncated or does not match its checksums."""

    def __init__(self, path: Path) -> None:
        super().__init__(str(path))
        self.path = path


@dataclass(frozen=True)
class ChunkTask:
    """Image files to decode into one chunk."""

    folder: Path
    """Folder of the chunk, whose name is a digest of its images' digests."""
    size: int
    """Height and width of decoded images in pixels."""
    files: Mapping[str, Path]
    """By digest of the file."""


@dataclass(frozen=True)
class ChunkRow:
    """The position of an image in a chunk."""

    channels: int
    index: int
    checksum: int
    """CRC-32 of its pixels."""


@dataclass(frozen=True)
class Chunk:
    """A chunk whose header has been read; pixels are read and checked on demand."""

    layout: PackHeader
    rows: Mapping[str, ChunkRow]
    """By digest of the file."""
    unreadable: Mapping[str, str]
    """Reasons by digest of the file."""

    def read(self, rows: Sequence[ChunkRow]) -> list[Images]:
        """Pixels `[C, H, W]` of the given rows, as stored on disk.

        Raises `DamagedChunkError` for pixels that do not match their checksum.
        """
        try:
            arrays = {str(c): self.layout.mapped(str(c)) for c in {row.channels for row in rows}}
            found = [arrays[str(row.channels)][row.index] for row in rows]
        except (OSError, ValueError, LookupError) as fault:
            raise DamagedChunkError(self.layout.path) from fault
        for row, pixels in zip(rows, found, strict=True):
            if crc32(pixels.data) != row.checksum:
                raise DamagedChunkError(self.layout.path)
        return found


def make_chunk(task: ChunkTask) -> int:
    """Decode a task's images and write the chunk; returns the number of files.

    Raises `InvalidInput` for a file that no longer matches its digest, and the exceptions of
    `write_pack`.
    """
    pixels: dict[int, list[Images]] = {_GREY: [], _COLOUR: []}
    digests: dict[int, list[str]] = {_GREY: [], _COLOUR: []}
    unreadable: dict[str, list[str]] = {}
    for digest, file in task.files.items():
        try:
            image = _slim(decoded_bytes(_content(file, digest), task.size))
        except UnreadableImageError as fault:
            unreadable[digest] = [str(fault), PIL.__version__]
            continue
        pixels[len(image)].append(image)
        digests[len(image)].append(digest)
    shape = (0, 1, task.size, task.size)
    arrays = {
        str(c): np.stack(images) if images else np.empty(shape, np.uint8)
        for c, images in pixels.items()
    }
    checksums = {c: [crc32(image.data) for image in arrays[str(c)]] for c in pixels}
    meta = {
        "rows": {c: list(zip(digests[c], checksums[c], strict=True)) for c in pixels},
        "unreadable": unreadable,
    }
    name = blake2b("".join(task.files).encode(), digest_size=16).hexdigest()
    write_pack(task.folder / f"{name}.pack", Contents(arrays, meta))
    return len(task.files)


def open_chunk(path: Path) -> Chunk:
    """The chunk at `path`. Raises `DamagedChunkError` for a file without a valid header."""
    try:
        layout = layout_of(path)
        rows = {
            digest: ChunkRow(int(channels), index, checksum)
            for channels, group in layout.meta["rows"].items()
            for index, (digest, checksum) in enumerate(group)
        }
        return Chunk(layout, rows, _unreadable(layout.meta))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as fault:
        raise DamagedChunkError(path) from fault


def _unreadable(meta: Mapping[str, Any]) -> dict[str, str]:
    """Reasons found with the installed Pillow version; another may be able to read the file."""
    verdicts = meta["unreadable"].items()
    return {digest: reason for digest, (reason, by) in verdicts if by == PIL.__version__}


def _content(file: Path, digest: str) -> bytes:
    try:
        content = read_file(file)
    except OSError as fault:
        raise InvalidInput(
            f"'{file}' can no longer be read ({fault.strerror or fault}): "
            "restore it, or repeat the same command without it"
        ) from fault
    if digest_of(content) != digest:
        raise InvalidInput(f"'{file}' changed while it was read: repeat the same command")
    return content


def _slim(image: NDArray[np.uint8]) -> Images:
    """The image, reduced to one channel if all three are equal."""
    grey = np.array_equal(image[0], image[1]) and np.array_equal(image[0], image[2])
    return image[:1] if grey else image


_WORTH_A_PROCESS = 2
"""Number of chunks per process that outweighs the time to start it."""


def prepare_chunks(tasks: Sequence[ChunkTask], processes: int) -> None:
    """Make the chunks, `processes` at a time, with a progress bar; a failure keeps finished ones.

    Raises the exceptions of `make_chunk`, and `DfbenchError` if a process dies.
    """
    total = sum(len(task.files) for task in tasks)
    with console.progress("preparing images", total) as advance:
        for count in _made(tasks, min(processes, len(tasks) // _WORTH_A_PROCESS)):
            advance(count)


def _made(tasks: Sequence[ChunkTask], processes: int) -> Iterator[int]:
    if processes < 2:
        yield from map(make_chunk, tasks)
        return
    try:
        with _pool(processes) as pool:
            for done in as_completed([pool.submit(make_chunk, task) for task in tasks]):
                yield done.result()
    except BrokenProcessPool as fault:
        raise DfbenchError(
            "a process that decodes images died, perhaps out of memory: repeat the same command "
            "to resume (with fewer processes: dfbench data prepare --processes 1)"
        ) from fault


@contextmanager
def _pool(processes: int) -> Iterator[ProcessPoolExecutor]:
    # Spawn, because forking a process with threads can deadlock.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(processes, mp_context=context, initializer=_begin)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def _begin() -> None:
    """Leave Ctrl-C to the parent process, and exit when the parent is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
