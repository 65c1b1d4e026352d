"""Pictures of more than 8 bits, of floating-point levels, and with one transparent colour."""

from __future__ import annotations

import struct
import zlib
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from dfbench.datasets.images.decoding import decoded_bytes, squared
from dfbench.datasets.images.picture import UnreadableImageError

RAMP = np.linspace(0, 1, 64).reshape(8, 8)
GREY = np.floor(RAMP * 255 + 0.5).astype(int)


def _file(image: Image.Image, form: str = "TIFF", **options: object) -> bytes:
    content = BytesIO()
    image.save(content, form, **options)
    return content.getvalue()


def _array(values: np.ndarray, kind: str) -> Image.Image:  # type: ignore[type-arg]  # of any numbers
    return Image.fromarray(values.astype(kind))


def _png(depth: int, colour: int, rows: list[bytes], transparent: bytes | None) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        crc = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + crc

    header = struct.pack(">IIBBBBB", 8, 8, depth, colour, 0, 0, 0)
    clear = b"" if transparent is None else chunk(b"tRNS", transparent)
    pixels = zlib.compress(b"".join(b"\0" + row for row in rows))
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + clear
        + chunk(b"IDAT", pixels)
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(
    "content",
    [
        _file(_array(RAMP * 65535, "uint16"), "PNG"),
        _file(_array(RAMP * 65535, "uint16")),
        _file(Image.frombytes("I;16B", (8, 8), (RAMP * 65535).astype(">u2").tobytes())),
        _file(_array(RAMP * 65535, "int32")),
        _file(_array(RAMP * 255, "int32")),
        _file(_array(RAMP, "float32")),
        _file(_array(RAMP * 255, "float32")),
        b"P5 8 8 65535\n" + (RAMP * 65535).astype(">u2").tobytes(),
        b"Pf\n8 8\n-1.0\n" + RAMP[::-1].astype("<f4").tobytes(),
    ],
    ids=["png16", "tiff16", "tiff16b", "int16", "int8", "unit", "float8", "pgm16", "pfm"],
)
def test_deep_grey_keeps_its_levels(content: bytes) -> None:
    image = decoded_bytes(content, 8)
    assert np.abs(image.astype(int) - GREY).max() <= 1


def test_dark_grey_of_16_bits_stays_dark() -> None:
    dark = b"P5 8 8 65535\n" + (RAMP * 200).astype(">u2").tobytes()
    assert decoded_bytes(dark, 8).max() == 0
    assert decoded_bytes(_file(_array(RAMP * 200, "uint16"), "PNG"), 8).max() == 0


@pytest.mark.parametrize(
    ("values", "kind", "reason"),
    [
        (RAMP * 1e4, "float32", "floating-point levels from 0 to 10000, so their range is unknown"),
        (RAMP - 0.5, "float32", "floating-point levels from -0.5 to 0.5"),
        (np.full((8, 8), np.nan), "float32", "from nan to nan"),
        (np.full((8, 8), np.inf), "float32", "from inf to inf"),
        (RAMP * 65535 - 9, "int32", "32-bit levels from -9 to 65526"),
        (RAMP * 2e9, "int32", "allowed: 0 to 255 or 0 to 65535"),
    ],
)
def test_levels_of_unknown_range_are_refused(
    values: np.ndarray,  # type: ignore[type-arg]  # of floating-point numbers
    kind: str,
    reason: str,
) -> None:
    with pytest.raises(UnreadableImageError, match=reason):
        decoded_bytes(_file(_array(values, kind)), 8)


def test_only_the_transparent_level_of_16_bit_grey_is_white() -> None:
    image = decoded_bytes(_file(_array(RAMP * 65535, "uint16"), "PNG", transparency=0), 8)
    assert (image[:, 0, 0] == 255).all()
    assert np.abs(image.astype(int) - GREY)[:, 1:].max() <= 1


def test_transparent_colour_of_16_bits_is_white_and_others_stay() -> None:
    levels = np.repeat((RAMP * 65535).astype(">u2")[:, :, None], 3, 2)
    content = _png(16, 2, [row.tobytes() for row in levels], levels[0, 0].tobytes())
    image = decoded_bytes(content, 8)
    assert (image[:, 0, 0] == 255).all()
    assert np.abs(image.astype(int) - GREY)[:, 1:].max() <= 1


@pytest.mark.parametrize(
    ("depth", "row"),
    [(1, b"\x0f"), (2, b"\x00\x55"), (4, b"\x00\x00\x11\x11"), (8, b"\0" * 4 + b"\1" * 4)],
)
def test_transparent_level_of_few_bits_is_white_and_others_stay(depth: int, row: bytes) -> None:
    image = decoded_bytes(_png(depth, 0, [row] * 8, b"\x00\x01"), 8)
    assert (image[:, :, :2] == 0).all()
    assert (image[:, :, 6:] == 255).all()


@pytest.mark.parametrize("mode", ["LA", "La", "PA", "RGBA", "RGBa"])
def test_alpha_of_every_mode_is_laid_on_white(mode: str) -> None:
    for alpha, wanted in ((0, 255), (255, 0)):
        image = Image.new(mode.removesuffix("A").removesuffix("a"), (8, 8))
        image.putalpha(alpha)
        if mode.endswith("a"):
            image = image.convert(mode)
        assert image.mode == mode
        assert (squared(image, 8) == wanted).all()


@pytest.mark.parametrize("mode", ["HSV", "YCbCr", "RGBX", "CMYK", "1", "L"])
def test_modes_of_8_bits_keep_their_colour(mode: str) -> None:
    grey = 0 if mode == "1" else 96
    image = squared(Image.new("RGB", (8, 8), (grey,) * 3).convert(mode), 8)
    assert np.abs(image.astype(int) - grey).max() <= 2


@pytest.mark.parametrize("mode", ["CMYK", "YCbCr"])
def test_jpeg_of_other_colour_spaces_keeps_its_colour(mode: str) -> None:
    content = _file(Image.new("RGB", (8, 8), (200, 40, 90)).convert(mode), "JPEG", quality=95)
    image = decoded_bytes(content, 8).astype(int)
    assert np.abs(image - np.array([200, 40, 90])[:, None, None]).max() <= 6
