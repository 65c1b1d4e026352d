"""Pictures whose pixels are whole and whose metadata are not."""

from __future__ import annotations

import struct
import zlib
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dfbench.datasets.images.decoding import bare, decoded_bytes, longest_side
from dfbench.datasets.images.picture import UnreadableImageError
from dfbench.drawing import RefusedDrawing, read_drawing
from dfbench.retrieval.search import read_sketch
from dfbench.retrieval.sheet import thumbnail

PICTURE = Image.new("RGB", (8, 8), "white")
PICTURE.paste((0, 0, 0), (0, 0, 8, 4))


def _saved(form: str, **options: object) -> bytes:
    content = BytesIO()
    PICTURE.save(content, form, **options)
    return content.getvalue()


def _chunk(kind: bytes, data: bytes) -> bytes:
    checked = kind + data
    return struct.pack(">I", len(data)) + checked + struct.pack(">I", zlib.crc32(checked))


def _segment(marker: int, data: bytes) -> bytes:
    return b"\xff" + bytes([marker]) + struct.pack(">H", len(data) + 2) + data


def _png(*chunks: bytes) -> bytes:
    plain = _saved("PNG")
    return plain[:33] + b"".join(chunks) + plain[33:]


def _jpeg(*segments: bytes) -> bytes:
    plain = _saved("JPEG", quality=95)
    return plain[:2] + b"".join(segments) + plain[2:]


LONG = b"a" * 2_000_000
TURNED = (
    b"II*\x00\x08\x00\x00\x00\x01\x00\x12\x01\x03\x00\x01\x00\x00\x00\x03\x00\x00\x00" + b"\0" * 4
)
"""EXIF that says: upside down."""
BROKEN = {
    "PNG with EXIF of no form": _saved("PNG", exif=b"Exif\0\0This_is_not_EXIF"),
    "PNG with two bytes of EXIF": _png(_chunk(b"eXIf", b"MM")),
    "PNG with hexadecimal EXIF of no form": _png(
        _chunk(b"tEXt", b"Raw profile type exif\0\nexif\n  9\nzz")
    ),
    "PNG with a long compressed text": _png(_chunk(b"zTXt", b"note\0\0" + zlib.compress(LONG))),
    "PNG with a long international text": _png(
        _chunk(b"iTXt", b"note\0\1\0\0\0" + zlib.compress(LONG))
    ),
    "PNG with a large colour profile": _png(_chunk(b"iCCP", b"x\0\0" + zlib.compress(LONG))),
    "PNG with a colour profile of no form": _png(_chunk(b"iCCP", b"x\0\0garbage")),
    "PNG with a text of a wrong checksum": _png(_chunk(b"tEXt", b"note\0text")[:-1] + b"!"),
    "PNG with an empty rendering intent": _png(_chunk(b"sRGB", b"")),
    "PNG with a cut resolution": _png(_chunk(b"pHYs", b"1")),
    "WebP with EXIF of no form": _saved("WEBP", lossless=True, exif=b"Exif\0\0II"),
    "WebP with a colour profile of no form": _saved("WEBP", lossless=True, icc_profile=b"garbage"),
    "JPEG with EXIF of no form": _jpeg(_segment(0xE1, b"Exif\0\0MM\0")),
    "JPEG with a cut JFIF header": _jpeg(_segment(0xE0, b"JFIF")),
    "JPEG with cut Photoshop data": _jpeg(_segment(0xED, b"Photoshop 3.0\x008BIM\x04\x04")),
    "JPEG with a cut index of pictures": _jpeg(_segment(0xE2, b"MPF\0II*\0\x08\0\0\0\xff\xff")),
}


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN)
def test_broken_metadata_do_not_spoil_the_picture(content: bytes, tmp_path: Path) -> None:
    wanted = decoded_bytes(_saved("PNG"), 8)
    assert np.abs(decoded_bytes(content, 8).astype(int) - wanted).max() <= 8
    file = tmp_path / "picture"
    file.write_bytes(content)
    assert longest_side(file) == 8
    assert np.abs(read_sketch(file, 8).pixels[0].astype(int) - wanted).max() <= 8
    assert thumbnail(file, 8).getpixel((4, 7)) == pytest.approx((255, 255, 255), abs=8)


def test_orientation_holds_beside_a_text_that_is_too_long() -> None:
    text = _chunk(b"zTXt", b"note\0\0" + zlib.compress(LONG))
    turned = decoded_bytes(_png(_chunk(b"eXIf", TURNED), text), 8)
    assert (turned == decoded_bytes(_saved("PNG"), 8)[:, ::-1]).all()


def test_transparency_holds_beside_a_broken_text() -> None:
    text = _chunk(b"tEXt", b"note\0text")[:-1] + b"!"
    image = decoded_bytes(_png(_chunk(b"tRNS", b"\0\0" * 3), text), 8)
    assert (image == 255).all()


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP"])
def test_orientation_of_every_format_is_obeyed(form: str) -> None:
    image = decoded_bytes(_saved(form, exif=b"Exif\0\0" + TURNED), 8)
    assert image[0, 7, 0] < 20
    assert image[0, 0, 0] > 235


@pytest.mark.parametrize("content", [_saved("PNG"), _saved("JPEG")])
def test_a_truncated_picture_stays_unreadable(content: bytes) -> None:
    for length in (len(content) // 2, 40, 9):
        with pytest.raises(UnreadableImageError):
            decoded_bytes(content[:length], 8)


def test_a_picture_whose_pixels_have_a_wrong_checksum_stays_unreadable() -> None:
    content = _saved("PNG")
    at = content.index(b"IDAT") + 8
    broken = content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]
    with pytest.raises(UnreadableImageError):
        decoded_bytes(broken, 8)


def test_only_metadata_are_taken_off() -> None:
    assert bare(_saved("PNG")) == _saved("PNG")
    jpeg = _jpeg(_segment(0xFE, b"comment"), _segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0<x"))
    assert bare(jpeg) == _saved("JPEG", quality=95)
    assert bare(_saved("GIF")) is None


def test_drawing_with_broken_metadata_is_read_and_another_format_refused() -> None:
    drawing = read_drawing(BROKEN["PNG with EXIF of no form"])
    assert drawing.getpixel((0, 7)) == (255, 255, 255)
    with pytest.raises(RefusedDrawing, match="cannot be decoded"):
        read_drawing(_saved("PNG")[:60])
