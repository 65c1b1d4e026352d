from __future__ import annotations

import struct
import zlib
from io import BytesIO

import pytest
from draw_bench import png
from PIL import Image

from dfbench.drawing import RefusedDrawing, read_drawing


def bomb(width: int, height: int) -> bytes:
    """A PNG whose few bytes stand for `width` x `height` pixels."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + check

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    rows = zlib.compress(bytes(1000), 9)
    chunks = chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


def other(kind: str) -> bytes:
    content = BytesIO()
    Image.new("RGB", (8, 8)).save(content, format=kind)
    return content.getvalue()


def test_small_png_is_read_with_transparency_on_white() -> None:
    content = BytesIO()
    Image.new("RGBA", (5, 4), (0, 0, 0, 0)).save(content, format="PNG")
    drawing = read_drawing(content.getvalue())
    assert (drawing.mode, drawing.size) == ("RGB", (5, 4))
    assert drawing.getpixel((0, 0)) == (255, 255, 255)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "not a PNG"),
        (b"<svg/>" * 10, "not a PNG"),
        (other("JPEG"), "not a PNG"),
        (other("GIF"), "not a PNG"),
        (png()[:20], "not a PNG"),
        (png()[:60], "cannot be decoded"),
        (png((1025, 2)), "1025 x 2 pixels; allowed: 1 to 1024"),
        (bomb(50_000, 50_000), "50000 x 50000 pixels; allowed: 1 to 1024"),
        (bomb(0, 5), "0 x 5 pixels"),
        (bomb(1000, 1000), "cannot be decoded"),
        (png() + bytes(300_000), "bytes; allowed: a PNG of at most 262144"),
    ],
    ids=[
        *("empty", "svg", "jpeg", "gif", "cut in header", "cut in data", "wide", "bomb"),
        *("no pixels", "short of pixels", "long"),
    ],
)
def test_anything_else_is_refused_with_what_is_allowed(content: bytes, told: str) -> None:
    with pytest.raises(RefusedDrawing) as fault:
        read_drawing(content)
    assert told in str(fault.value)
    assert "allowed: " in str(fault.value)
