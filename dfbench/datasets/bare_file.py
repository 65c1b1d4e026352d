"""Image files without what stands around their pixels, which may be broken where they are not."""

from __future__ import annotations

from collections.abc import Iterator
from zlib import crc32

_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8"
_XMP = b"XML:com.adobe.xmp\x00\x00"
"""How the text of a PNG begins that may hold an orientation, uncompressed."""
_START_OF_SCAN = 0xDA
_COMMENT = 0xFE
_JFIF, _EXIF, _ADOBE, _LAST = 0xE0, 0xE1, 0xEE, 0xEF
_WHOLE_JFIF = 14
"""Bytes of the shortest JFIF header."""


def bare(content: bytes) -> bytes | None:
    """A PNG or JPEG file less its texts, colour profile and the like; None for any other.

    What pixels depend on stays: orientation, transparency, and the markers that say how colours
    are stored. So does the rest of a file that is cut short.
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
    if kind[:1].isupper() or kind == b"tRNS":  # a capital letter: no picture without it
        return True
    turned = kind == b"eXIf" or (kind == b"iTXt" and data.startswith(_XMP))
    return turned and int.from_bytes(chunk[-4:], "big") == crc32(kind + data)


def _jpeg_segments(content: bytes) -> Iterator[bytes]:
    start = len(_JPEG)
    while start + 4 <= len(content) and content[start] == 0xFF:  # begins a marker
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
