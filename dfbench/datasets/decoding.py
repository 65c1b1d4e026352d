"""Image files to square RGB arrays."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from dfbench.datasets.bare_file import bare
from dfbench.datasets.picture import UnreadableImageError, upright
from dfbench.files import finite, read_file

VERSION = 1
"""Part of fingerprints: raised whenever a decoded pixel of ordinary images may change."""
READER = 2
"""Part of the names of caches: raised whenever any image may be read in another way."""

_T = TypeVar("_T")


def decoded(file: Path, size: int) -> NDArray[np.uint8]:
    """The image of a file as `decoded_bytes` gives it; `UnreadableImageError` if it has none."""
    return decoded_bytes(image_content(file), size)


def decoded_bytes(content: bytes, size: int) -> NDArray[np.uint8]:
    """The image `[3, size, size]`, upright, transparency on white, squeezed to a square.

    Turned as its EXIF orientation says; of an animation the first frame; its levels as `upright`
    has them; resized without cropping by Pillow's antialiased bicubic filter. Raises
    `UnreadableImageError` if the content is empty, truncated or no image.
    """
    return read_picture(content, lambda image: squared(image, size))


def squared(image: Image.Image, size: int) -> NDArray[np.uint8]:
    """A picture as the image `[3, size, size]` that `decoded_bytes` makes of its file.

    Raises `UnreadableImageError` if its levels have no range that is known.
    """
    square = upright(image).resize((size, size), Image.Resampling.BICUBIC)
    return np.ascontiguousarray(np.asarray(square).transpose(2, 0, 1))


def longest_side(file: Path) -> int:
    """Width or height of an image in pixels, whichever is greater, without decoding it.

    Raises `UnreadableImageError` if the file does not begin as an image.
    """
    with suppress(Exception):  # Pillow's readers raise whatever a broken file makes them
        return _opened(finite(file), lambda image: max(image.size))
    return read_picture(image_content(file), lambda image: max(image.size))


def image_content(file: Path) -> bytes:
    """The bytes of a file. Raises `UnreadableImageError` if it cannot be read."""
    try:
        return read_file(file)
    except OSError as fault:
        raise UnreadableImageError(fault.strerror or str(fault)) from fault


def read_picture(
    content: bytes, use: Callable[[Image.Image], _T], formats: tuple[str, ...] | None = None
) -> _T:
    """What `use` makes of the picture in a file, of any format or one of `formats`.

    A file that cannot be read as it is is read once more without its metadata. Raises
    `UnreadableImageError` if that does not help.
    """
    try:
        return _opened(BytesIO(content), use, formats)
    except Exception as fault:  # Pillow's readers raise whatever a broken file makes them
        rest = bare(content)
        if rest is None or rest == content:
            raise UnreadableImageError(_reason(content, fault)) from fault
        try:
            return _opened(BytesIO(rest), use, formats)
        except Exception as second:  # as above
            raise UnreadableImageError(_reason(content, second)) from second


def _opened(
    file: BytesIO | Path,
    use: Callable[[Image.Image], _T],
    formats: tuple[str, ...] | None = None,
) -> _T:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with Image.open(file, formats=formats) as image:
            return use(image)


def _reason(content: bytes, fault: Exception) -> str:
    if not content:
        return "empty file"
    if isinstance(fault, UnidentifiedImageError):
        return "not an image"
    return " ".join(str(fault).split()) or type(fault).__name__
