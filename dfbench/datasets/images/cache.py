"""The cache of decoded images of one folder at one size: chunks of images, indexed by content.

Images are looked up by the digest of their file. A request for a subset, for additional images or
for renamed files therefore decodes only images that are in no chunk. Opening the cache reads the
chunk headers; pixels are checked against their CRC-32 whenever they are read from disk, at about
4 GB per second and core.
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
    """Decoded images by the digest of their file; missing ones are decoded on opening."""

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
        """Files that cannot be decoded, by digest, with the reason."""
        verdicts: dict[str, str] = {}
        for chunk in self._chunks:
            verdicts |= chunk.unreadable
        return {d: verdicts[d] for d in self._files if d in verdicts and d not in self._places}

    def channels(self, digests: Sequence[str]) -> int:
        """1 if all of these images are grey, else 3."""
        return max((self._places[digest][1].channels for digest in digests), default=1)

    def read(self, digests: Sequence[str], channels: int) -> Images:
        """Pixels `[N, channels, H, W]` in new memory, checked against their checksums.

        Damaged chunks are decoded again, with the same exceptions as building the cache.
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
        """Read the headers of all chunks; returns the files whose header is damaged."""
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
        """Remove a damaged chunk, unless another process has replaced it in the meantime."""
        note(f"cache file '{path}' is damaged: decoding its images again")
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
        """Decode the missing images; one process at a time, so that others wait and reuse them."""
        if not self._missing():
            return
        with self._locked():
            for path in self._look():
                path.unlink(missing_ok=True)
            prepare_chunks(self._tasks(), self._processes)
        self._look()

    @contextmanager
    def _locked(self) -> Iterator[None]:
        waiting = f"another process is preparing the images in '{self._folder}': waiting"
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
