"""Image files to square RGB arrays."""

from __future__ import annotations

import warnings
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

VERSION = 1
"""Raised whenever a decoded pixel may change."""


class UnreadableImageError(Exception):
    """A file that is no whole image; the text says why."""


def decoded(file: Path, size: int) -> NDArray[np.uint8]:
    """The image of a file as `decoded_bytes` gives it; `UnreadableImageError` if it has none."""
    try:
        content = file.read_bytes()
    except OSError as fault:
        raise UnreadableImageError(fault.strerror or str(fault)) from fault
    return decoded_bytes(content, size)


def decoded_bytes(content: bytes, size: int) -> NDArray[np.uint8]:
    """The image `[3, size, size]`, upright, transparency on white, squeezed to a square.

    Turned as its EXIF orientation says; of an animation the first frame; 16-bit grey by its upper
    byte; resized without cropping by Pillow's antialiased bicubic filter. Raises
    `UnreadableImageError` if the content is empty, truncated or no image.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(BytesIO(content)) as image:
                return squared(image, size)
    except Exception as fault:  # Pillow's readers raise whatever a broken file makes them
        raise UnreadableImageError(_reason(content, fault)) from fault


def squared(image: Image.Image, size: int) -> NDArray[np.uint8]:
    """A picture as the image `[3, size, size]` that `decoded_bytes` makes of its file."""
    square = upright(image).resize((size, size), Image.Resampling.BICUBIC)
    return np.ascontiguousarray(np.asarray(square).transpose(2, 0, 1))


def upright(image: Image.Image) -> Image.Image:
    """A picture in RGB, turned as its EXIF orientation says, transparency on white."""
    return _rgb(ImageOps.exif_transpose(image))


def longest_side(file: Path) -> int:
    """Width or height of an image in pixels, whichever is greater, without decoding it.

    Raises `UnreadableImageError` if the file does not begin as an image.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(file) as image:
                return max(image.size)
    except Exception as fault:  # as above
        raise UnreadableImageError(f"{type(fault).__name__}: {fault}") from fault


def _rgb(image: Image.Image) -> Image.Image:
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        paper = Image.new("RGBA", layer.size, "white")
        return Image.alpha_composite(paper, layer).convert("RGB")
    if image.mode.startswith("I"):
        deep = np.clip(np.asarray(image).astype(np.int64), 0, 65535) // 257
        return Image.fromarray(deep.astype(np.uint8)).convert("RGB")
    return image.convert("RGB")


def _reason(content: bytes, fault: Exception) -> str:
    if not content:
        return "empty file"
    if isinstance(fault, UnidentifiedImageError):
        return "not an image"
    return " ".join(str(fault).split()) or type(fault).__name__
