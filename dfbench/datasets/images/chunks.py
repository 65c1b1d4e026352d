"""Some images of a dataset, decoded: what one process prepares at a time, one file of the cache.

A chunk is a pack of two arrays, grey images in `1` and coloured ones in `3`, by channels. Its
`meta` holds, row by row, the digest of the image's file and a CRC-32 of its pixels, and why the
files that are not in it could not be read.
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

from dfbench.datasets.images.contents import digest_of
from dfbench.datasets.images.decoding import decoded_bytes
from dfbench.datasets.images.pack import Contents, Images, PackHeader, layout_of, write_pack
from dfbench.datasets.images.picture import UnreadableImageError
from dfbench.errors import DfbenchError, InvalidInput
from dfbench.system import console
from dfbench.system.files import read_file

_GREY, _COLOUR = 1, 3


class DamagedChunkError(Exception):
    """A chunk whose file is gone, cut short or does not match its checksums."""

    def __init__(self, path: Path) -> None:
        super().__init__(str(path))
        self.path = path


@dataclass(frozen=True)
class ChunkTask:
    """Image files that are to become a chunk."""

    folder: Path
    """Where the chunk is written, under a name made of its images' digests."""
    size: int
    """Pixels to a side, once decoded."""
    files: Mapping[str, Path]
    """By digest of their bytes."""


@dataclass(frozen=True)
class ChunkRow:
    """Where an image lies within a chunk."""

    channels: int
    index: int
    checksum: int
    """CRC-32 of its pixels."""


@dataclass(frozen=True)
class Chunk:
    """A chunk whose header was read; pixels are read, and checked, when they are asked for."""

    layout: PackHeader
    rows: Mapping[str, ChunkRow]
    """By digest of the file."""
    unreadable: Mapping[str, str]
    """Why, by digest of the file."""

    def read(self, rows: Sequence[ChunkRow]) -> list[Images]:
        """Pixels `[C, H, W]` of some rows, as they lie on disk.

        Raises `DamagedChunkError` for what does not match its checksum.
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
    """Decode a task's images and write them; the number of files.

    Raises `InvalidInput` for a file that is not what its digest says any more, and what
    `write_pack` raises.
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
    """The chunk at `path`. Raises `DamagedChunkError` for a file whose header is none."""
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
    """Verdicts of the present Pillow; another one may be able to read the file."""
    verdicts = meta["unreadable"].items()
    return {digest: reason for digest, (reason, by) in verdicts if by == PIL.__version__}


def _content(file: Path, digest: str) -> bytes:
    try:
        content = read_file(file)
    except OSError as fault:
        raise InvalidInput(
            f"'{file}' cannot be read any more ({fault.strerror or fault}): "
            "bring it back, or repeat the same command without it"
        ) from fault
    if digest_of(content) != digest:
        raise InvalidInput(f"'{file}' has just been changed: repeat the same command")
    return content


def _slim(image: NDArray[np.uint8]) -> Images:
    """One channel where all three are equal."""
    grey = np.array_equal(image[0], image[1]) and np.array_equal(image[0], image[2])
    return image[:1] if grey else image


_WORTH_A_PROCESS = 2
"""Chunks that take longer than a process takes to start."""


def prepare_chunks(tasks: Sequence[ChunkTask], processes: int) -> None:
    """Make the chunks, `processes` at a time, with a progress bar; those made stay if one fails.

    Raises what `make_chunk` raises, and `DfbenchError` if a process dies.
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
            "a process that decodes images died, perhaps for want of memory: repeat the same "
            "command, which goes on where this one ended (fewer at once: dfbench data prepare "
            "--processes 1)"
        ) from fault


@contextmanager
def _pool(processes: int) -> Iterator[ProcessPoolExecutor]:
    # Spawned, because a fork of a process with threads can hang.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(processes, mp_context=context, initializer=_begin)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def _begin() -> None:
    """Leave Ctrl-C to the process that started this one, and end when it is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
