"""The cache of decoded images of one folder at one size: chunks, found again by content.

An image is looked up by the digest of its file, so that whoever wants some of the images, or
others besides, or the same ones under other names, decodes only what no chunk holds. Opening reads
the headers of the chunks; pixels are checked against their CRC-32 whenever they are read from disk,
which takes a core a second for some 4 GB.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import groupby, islice
from pathlib import Path

import numpy as np

from dfbench.datasets.images.chunks import (
    Chunk,
    ChunkRow,
    ChunkTask,
    DamagedChunkError,
    open_chunk,
    prepare_chunks,
)
from dfbench.datasets.images.pack import Images
from dfbench.errors import InvalidInput
from dfbench.system.console import note
from dfbench.system.files import drop_leftovers, entries
from dfbench.system.locks import FileLock

_CHUNK_IMAGES = 512
_CHUNK_BYTES = 32 << 20


class DecodedImages:
    """Images by the digest of their file, decoded when they are first wanted."""

    def __init__(self, folder: Path, size: int, files: Mapping[str, Path], processes: int) -> None:
        self._folder = folder
        self._size = size
        self._files = files
        self._processes = processes
        self._chunks: tuple[Chunk, ...] = ()
        self._places: dict[str, tuple[int, ChunkRow]] = {}
        self._look()
        self._prepare()

    @property
    def unreadable(self) -> dict[str, str]:
        """Why a file cannot be decoded, by its digest."""
        verdicts: dict[str, str] = {}
        for chunk in self._chunks:
            verdicts |= chunk.unreadable
        return {d: verdicts[d] for d in self._files if d in verdicts and d not in self._places}

    def channels(self, digests: Sequence[str]) -> int:
        """1 if all of these images are grey, else 3."""
        return max((self._places[digest][1].channels for digest in digests), default=1)

    def read(self, digests: Sequence[str], channels: int) -> Images:
        """Pixels `[N, channels, H, W]` in new memory, checked against their checksums.

        What is damaged is decoded again. Raises what making the cache raises.
        """
        mended: set[Path] = set()
        while True:
            try:
                return self._read(digests, channels)
            except DamagedChunkError as found:
                if found.path in mended:
                    raise InvalidInput(
                        f"cache file '{found.path}' cannot be read back after writing: "
                        "check the disk or choose another cache folder"
                    ) from found
                mended.add(found.path)
                self._drop(found.path)
                self._prepare()

    def _read(self, digests: Sequence[str], channels: int) -> Images:
        images = np.empty((len(digests), channels, self._size, self._size), np.uint8)
        places = [self._places[digest] for digest in digests]
        order = sorted(range(len(places)), key=lambda i: (places[i][0], places[i][1].index))
        for number, group in groupby(order, key=lambda i: places[i][0]):
            positions = list(group)
            found = self._chunks[number].read([places[i][1] for i in positions])
            for position, pixels in zip(positions, found, strict=True):
                images[position] = pixels
        return images

    def _look(self) -> list[Path]:
        """Read the headers of all chunks; those that have none that can be read."""
        chunks: list[Chunk] = []
        damaged: list[Path] = []
        for path in entries(self._folder):
            if path.suffix != ".pack":
                continue
            try:
                chunks.append(open_chunk(path))
            except DamagedChunkError:
                damaged.append(path)
        self._chunks = tuple(chunks)
        self._places = {
            digest: (number, row)
            for number, chunk in enumerate(chunks)
            for digest, row in chunk.rows.items()
        }
        return damaged

    def _drop(self, path: Path) -> None:
        """Remove a damaged chunk, unless another process has made it anew meanwhile."""
        note(f"cache file '{path}' is damaged: its images are decoded again")
        with self._locked():
            try:
                chunk = open_chunk(path)
                chunk.read(list(chunk.rows.values()))
            except DamagedChunkError:
                path.unlink(missing_ok=True)
        self._look()

    def _missing(self) -> dict[str, Path]:
        known = self._places.keys() | self.unreadable.keys()
        return {digest: file for digest, file in self._files.items() if digest not in known}

    def _prepare(self) -> None:
        """Decode what no chunk holds; one process at a time does it, others wait and take it."""
        if not self._missing():
            return
        with self._locked():
            for path in self._look():
                path.unlink(missing_ok=True)
            prepare_chunks(self._tasks(), self._processes)
        self._look()

    @contextmanager
    def _locked(self) -> Iterator[None]:
        waiting = f"images in '{self._folder}' are being prepared by another process: waiting"
        with FileLock(self._folder / ".lock", waiting):
            drop_leftovers(self._folder)
            yield

    def _tasks(self) -> list[ChunkTask]:
        count = max(1, min(_CHUNK_IMAGES, _CHUNK_BYTES // (3 * self._size**2)))
        missing = iter(self._missing().items())
        tasks = []
        while files := dict(islice(missing, count)):
            tasks.append(ChunkTask(self._folder, self._size, files))
        return tasks
