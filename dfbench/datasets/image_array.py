"""Arrays of images that are read when they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Images = NDArray[np.uint8]


class ImageArray(Protocol):
    """Images uint8 `[N, C, H, W]`: a NumPy array, or what is read from disk like one."""

    @property
    def shape(self) -> tuple[int, ...]:
        """`(N, C, H, W)`."""

    def __len__(self) -> int:
        """Number of images."""

    def __getitem__(self, rows: Any, /) -> Images:
        """Images at an index, a slice or an array of indices or truth values."""


class LazyImages:
    """An `ImageArray` of images that `read` gets by their indices, in new memory each time."""

    def __init__(self, shape: tuple[int, ...], read: Callable[[NDArray[np.int64]], Images]) -> None:
        self.shape = shape
        self._read = read

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: Any, /) -> Images:
        wanted = np.arange(len(self))[rows]
        return self._read(wanted) if wanted.ndim else self._read(wanted[None])[0]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """All images in memory."""
        if copy is False:
            raise ValueError("images on disk cannot be an array without a copy")
        return self[:].astype(dtype or np.uint8, copy=False)


def joined(parts: Sequence[tuple[ImageArray, NDArray[np.int64]]]) -> ImageArray:
    """Some images of several arrays, one after the other, read when they are asked for.

    Grey ones get three channels if others have them.
    """
    channels = max(images.shape[1] for images, _ in parts)
    ends = np.cumsum([len(rows) for _, rows in parts])

    def read(wanted: NDArray[np.int64]) -> Images:
        found = np.empty((len(wanted), *shape[1:]), np.uint8)
        of = np.searchsorted(ends, wanted, side="right")
        for number, (images, rows) in enumerate(parts):
            here = np.flatnonzero(of == number)
            if len(here):
                found[here] = images[rows[wanted[here] - (ends[number] - len(rows))]]
        return found

    shape = (int(ends[-1]), channels, *parts[0][0].shape[2:])
    return LazyImages(shape, read)
