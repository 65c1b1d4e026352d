"""Arrays shared as files with the process that runs plugin code, while it runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from math import prod
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from dfbench.datasets.dataset import ImageArray, LazyImages
from dfbench.system.files import atomic_path

MakeArray = Callable[[], NDArray[Any] | ImageArray]
_BLOCK_BYTES = 32 << 20
"""Memory used while an array that is read from disk is written."""


@contextmanager
def shared_arrays(folder: Path, arrays: Mapping[str, MakeArray]) -> Iterator[dict[str, Path]]:
    """Write each array to `<name>.npy` in `folder`, one at a time; removed after the block."""
    files = {name: array_file(folder, name).resolve() for name in arrays}
    try:
        for name, file in files.items():
            with atomic_path(file) as temporary, temporary.open("wb") as stream:
                _save(stream, arrays[name]())
        yield files
    finally:
        for file in files.values():
            file.unlink(missing_ok=True)


def _save(stream: BinaryIO, array: NDArray[Any] | ImageArray) -> None:
    if isinstance(array, np.ndarray):
        np.save(stream, array)
        return
    header = {"descr": "|u1", "fortran_order": False, "shape": array.shape}
    np.lib.format.write_array_header_1_0(stream, header)
    rows = max(1, _BLOCK_BYTES // prod(array.shape[1:]))
    for start in range(0, len(array), rows):
        stream.write(array[start : start + rows].data)


def shared_images(folder: Path, name: str) -> ImageArray:
    """Images of a shared array, read on access while the array is shared."""
    file = array_file(folder, name)

    def read(rows: NDArray[np.int64]) -> NDArray[np.uint8]:
        # Mapped anew each time: pages stay in memory as long as the map exists.
        images: NDArray[np.uint8] = np.load(file, mmap_mode="r")
        return np.array(images[rows])

    return LazyImages(np.load(file, mmap_mode="r").shape, read)


def array_file(folder: Path, name: str) -> Path:
    """The file of a named array in a folder."""
    return folder / f"{name}.npy"
