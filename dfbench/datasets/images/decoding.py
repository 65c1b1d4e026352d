"""Decoding of image files to square RGB arrays; damaged metadata is ignored."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import TypeVar
from zlib import crc32

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from dfbench.datasets.images.picture import UnreadableImageError, upright
from dfbench.system.files import finite, read_file

_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8"
_XMP = b"XML:com.adobe.xmp\x00\x00"
"""Start of an uncompressed PNG text chunk that may hold an orientation."""
_START_OF_SCAN = 0xDA
_COMMENT = 0xFE
_JFIF, _EXIF, _ADOBE, _LAST = 0xE0, 0xE1, 0xEE, 0xEF
_WHOLE_JFIF = 14
"""Bytes of the shortest JFIF header."""


def bare(content: bytes) -> bytes | None:
    """A PNG or JPEG file without texts, colour profile and other metadata; None for other formats.

    Data that determine the pixels are kept: orientation, transparency and the markers for the
    colour encoding. The rest of a truncated file is kept too.
    """
    if content.startswith(_PNG):
        return _PNG + b"".join(_png_chunks(content))
    if content.startswith(_JPEG):
        return _JPEG + b"".join(_jpeg_segments(content))
    return None


def _png_chunks(content: bytes) -> Iterator[bytes]:
    start = len(_PNG)
    while start + 12 <= len(content):
        length = int.from_bytes(content[start : start + 4], "big")
        chunk = content[start : start + 12 + length]
        if _kept_chunk(chunk):
            yield chunk
        start += 12 + length
    yield content[start:]


def _kept_chunk(chunk: bytes) -> bool:
    kind, data = chunk[4:8], chunk[8:-4]
    if kind[:1].isupper() or kind == b"tRNS":  # an upper-case letter marks a critical chunk
        return True
    turned = kind == b"eXIf" or (kind == b"iTXt" and data.startswith(_XMP))
    return turned and int.from_bytes(chunk[-4:], "big") == crc32(kind + data)


def _jpeg_segments(content: bytes) -> Iterator[bytes]:
    start = len(_JPEG)
    while start + 4 <= len(content) and content[start] == 0xFF:  # start of a marker
        marker = content[start + 1]
        if marker in (_START_OF_SCAN, 0xFF):
            break
        end = start + 2 + int.from_bytes(content[start + 2 : start + 4], "big")
        if _kept_segment(marker, content[start + 4 : end]):
            yield content[start:end]
        start = end
    yield content[start:]


def _kept_segment(marker: int, data: bytes) -> bool:
    if marker == _EXIF:
        return data.startswith(b"Exif\x00")
    if marker == _JFIF:
        return len(data) >= _WHOLE_JFIF
    return marker == _ADOBE or not (_JFIF <= marker <= _LAST or marker == _COMMENT)


VERSION = 1
"""Part of fingerprints: increased whenever decoded pixels of ordinary images may change."""
READER = 2
"""Part of cache names: increased whenever any image may be decoded differently."""

_T = TypeVar("_T")


def decoded(file: Path, size: int) -> NDArray[np.uint8]:
    """The image in a file, as in `decoded_bytes`. Raises `UnreadableImageError` if it has none."""
    return decoded_bytes(image_content(file), size)


def decoded_bytes(content: bytes, size: int) -> NDArray[np.uint8]:
    """The image `[3, size, size]`, upright, on a white background, resized to a square.

    The EXIF orientation is applied, animations contribute their first frame, levels are converted
    as in `upright`, and the image is resized without cropping by Pillow's antialiased bicubic
    filter. Raises `UnreadableImageError` if the content is empty, truncated or not an image.
    """
    return read_picture(content, lambda image: squared(image, size))


def squared(image: Image.Image, size: int) -> NDArray[np.uint8]:
    """A Pillow image as an array `[3, size, size]`, as in `decoded_bytes`.

    Raises `UnreadableImageError` if the range of its levels is unknown.
    """
    square = upright(image).resize((size, size), Image.Resampling.BICUBIC)
    return np.ascontiguousarray(np.asarray(square).transpose(2, 0, 1))


def longest_side(file: Path) -> int:
    """The larger of an image's width and height in pixels, without decoding it.

    Raises `UnreadableImageError` if the file does not start like an image.
    """
    with suppress(Exception):  # Pillow may raise anything for a broken file
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
    """The result of `use` on the image in a file, of any format or one of `formats`.

    If a file cannot be read, it is read again without its metadata. Raises `UnreadableImageError`
    if that fails too.
    """
    try:
        return _opened(BytesIO(content), use, formats)
    except Exception as fault:  # Pillow may raise anything for a broken file
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


def resized(images: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Images `[N, C, H, W]` resized to `[N, C, size, size]` by Pillow's bicubic filter."""
    count, channels = images.shape[:2]
    result = np.empty((count, channels, size, size), np.uint8)
    for row, image in enumerate(images):
        for channel, plane in enumerate(image):
            scaled = Image.fromarray(plane).resize((size, size), Image.Resampling.BICUBIC)
            result[row, channel] = np.asarray(scaled)
    return result
