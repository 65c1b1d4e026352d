"""Downscaled pictures of runs, each stored once per report."""

from __future__ import annotations

import io
from dataclasses import dataclass
from hashlib import blake2b
from math import sqrt
from pathlib import Path

from PIL import Image

from dfbench.system.files import atomic_path

FOLDER = "images"
_BYTES = 16_000_000
"""Size limit for all pictures of a report together."""
_BYTES_PER_PIXEL = 0.28
"""Bytes per pixel of the noisiest pictures at the lower quality."""
_QUALITIES = (85, 60)
_LEAST = 0.12
"""Smallest scale at which a picture is still useful."""


@dataclass(frozen=True)
class Thumbnail:
    """A picture stored in the report."""

    address: str
    """Relative to the report's folder."""
    width: int
    height: int


class Thumbnails:
    """Writes pictures into a report, with the same budget of bytes per original pixel for all."""

    def __init__(self, report: Path, pixels: int) -> None:
        self.written: set[str] = set()
        """Addresses of the pictures written so far."""
        self._report = report
        self._bytes_per_pixel = _BYTES / max(1, pixels)

    def add(self, picture: Image.Image) -> Thumbnail:
        """Store a picture, downscaled if the report would become too large."""
        allowed = picture.width * picture.height * self._bytes_per_pixel
        content, size = _encoded(_in_colour(picture), allowed)
        address = f"{FOLDER}/{blake2b(content, digest_size=8).hexdigest()}.jpg"
        if address not in self.written:
            with atomic_path(self._report / address) as temporary:
                temporary.write_bytes(content)
            self.written.add(address)
        return Thumbnail(address, *size)


def _encoded(picture: Image.Image, allowed: float) -> tuple[bytes, tuple[int, int]]:
    scale = sqrt(min(1.0, allowed / (picture.width * picture.height * _BYTES_PER_PIXEL)))
    smaller = _scaled(picture, scale)
    content = b""
    for quality in _QUALITIES if scale == 1 else _QUALITIES[-1:]:
        content = _jpeg(smaller, quality)
        if len(content) <= allowed:
            return content, smaller.size
    smaller = _scaled(smaller, 0.95 * sqrt(allowed / len(content)))
    return _jpeg(smaller, _QUALITIES[-1]), smaller.size


def _in_colour(picture: Image.Image) -> Image.Image:
    return picture if picture.mode == "RGB" else picture.convert("RGB")


def _scaled(picture: Image.Image, scale: float) -> Image.Image:
    if scale >= 1:
        return picture
    width, height = (max(1, round(side * max(scale, _LEAST))) for side in picture.size)
    return picture.resize((width, height), Image.Resampling.BOX, reducing_gap=1.1)


def _jpeg(picture: Image.Image, quality: int) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, format="JPEG", quality=quality)
    return buffer.getvalue()
