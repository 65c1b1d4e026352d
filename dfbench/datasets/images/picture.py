"""Conversion of images in any Pillow mode to RGB: upright, 8 bits per channel, on white."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""By EXIF orientation."""
_EIGHT_BITS, _SIXTEEN_BITS = 255, 65535
_SIXTEEN_BIT_FORMATS = ("PNG", "PPM")
"""Formats whose 16-bit grey Pillow reads as 32-bit integers."""
_SCALES: dict[str, Callable[[int], int]] = {
    "L;2": lambda level: level * 85,
    "L;4": lambda level: level * 17,
    "RGB;16B": lambda level: level >> 8,
}
"""Scaling that Pillow applies to the pixel levels of a PNG but not to its transparent level."""


class UnreadableImageError(Exception):
    """A file without a complete image, or with levels of unknown range; the text says why."""


def upright(image: Image.Image) -> Image.Image:
    """An image in RGB, with its EXIF orientation applied and transparency on white.

    Unreadable EXIF data are ignored. 16-bit grey is divided by 257. 32-bit integers are 8-bit
    levels if none exceeds 255. Floating-point levels range from 0 to 1 if none exceeds 1, else from
    0 to 255. Raises `UnreadableImageError` for levels of any other range.
    """
    scale = _SCALES.get(_raw_mode(image))
    image.load()
    flat = _rgb(image, scale)
    turn = _TURNS.get(_orientation(image) or 0)
    return flat if turn is None else flat.transpose(turn)


def _raw_mode(image: Image.Image) -> str:
    """The pixel encoding of a PNG that is not loaded yet."""
    tile = getattr(image, "tile", None)
    return str(tile[0][3]) if tile and image.format == "PNG" else ""


def _orientation(image: Image.Image) -> int | None:
    with suppress(Exception):  # Pillow's EXIF reader may raise anything
        orientation = image.getexif().get(ExifTags.Base.Orientation)
        return orientation if isinstance(orientation, int) else None
    return None


def _rgb(image: Image.Image, scale: Callable[[int], int] | None) -> Image.Image:
    if image.mode == "F":
        image = _from_floats(image)
    elif image.mode.startswith("I"):
        image = _from_integers(image)
    elif scale is not None and "transparency" in image.info:
        image.info["transparency"] = _scaled(image.info["transparency"], scale)
    if image.mode in ("La", "RGBa"):
        image = image.convert(image.mode.replace("a", "A"))
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        paper = Image.new("RGBA", layer.size, "white")
        return Image.alpha_composite(paper, layer).convert("RGB")
    return image.convert("RGB")


def _scaled(colour: object, scale: Callable[[int], int]) -> object:
    if isinstance(colour, tuple):
        return tuple(scale(level) for level in colour)
    return scale(colour) if isinstance(colour, int) else colour


def _from_integers(image: Image.Image) -> Image.Image:
    """Grey of more than 8 bits, reduced to 8; white where the level is the transparent one."""
    deep = np.asarray(image).astype(np.int64)
    low, high = int(deep.min()), int(deep.max())
    if low < 0 or high > _SIXTEEN_BITS:
        raise UnreadableImageError(
            f"32-bit levels from {low} to {high}, so their range is unknown; allowed: 0 to "
            f"{_EIGHT_BITS} or 0 to {_SIXTEEN_BITS}"
        )
    plain = image.mode == "I" and high <= _EIGHT_BITS and image.format not in _SIXTEEN_BIT_FORMATS
    grey = deep if plain else deep // 257
    clear = image.info.get("transparency")
    if isinstance(clear, int):
        grey[deep == clear] = _EIGHT_BITS
    return Image.fromarray(grey.astype(np.uint8))


def _from_floats(image: Image.Image) -> Image.Image:
    """Grey of floating-point levels."""
    levels: NDArray[np.float32] = np.asarray(image)
    low, high = float(levels.min()), float(levels.max())
    if not (low >= 0 and high <= _EIGHT_BITS):  # also false for NaN
        raise UnreadableImageError(
            f"floating-point levels from {low:g} to {high:g}, so their range is unknown; allowed: "
            f"0 to 1 or 0 to {_EIGHT_BITS}"
        )
    if high > 1:
        return image.convert("L")
    return Image.fromarray(np.floor(levels * _EIGHT_BITS + 0.5).astype(np.uint8))
