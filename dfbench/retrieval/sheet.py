"""The result of a query as an image: the sketch and the retrieved photos."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont, ImageOps

from dfbench.datasets.images.decoding import image_content, read_picture
from dfbench.datasets.images.picture import UnreadableImageError, upright
from dfbench.errors import InvalidInput
from dfbench.retrieval.gallery import Gallery
from dfbench.retrieval.search import Hit
from dfbench.system.files import atomic_path, check_writable


def thumbnail(file: Path, side: int) -> Image.Image:
    """The image in a file, upright, RGB on white, within a square of `side` pixels.

    The aspect ratio is kept; smaller images are enlarged with nearest-neighbour sampling. Raises
    `UnreadableImageError`.
    """

    def drafted(image: Image.Image) -> Image.Image:
        image.draft("RGB", (side, side))  # decode large JPEGs at reduced size
        return upright(image)

    whole = read_picture(image_content(file), drafted)
    small = max(whole.size) < side
    filtering = Image.Resampling.NEAREST if small else Image.Resampling.LANCZOS
    return ImageOps.contain(whole, (side, side), filtering)


FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}
"""Image formats of sheets by suffix."""
_CELL, _GAP, _LINE, _MARGIN = 160, 12, 17, 20
_COLUMNS = 5
_INK, _FAINT, _EDGE = (30, 30, 30), (110, 110, 110), (205, 205, 205)


def check_sheet(target: Path) -> None:
    """Raise `InvalidInput` for a suffix not in `FORMATS`, `FileFault` if it cannot be written."""
    if target.suffix.lower() not in FORMATS:
        raise InvalidInput(
            f"cannot write image {str(target)!r}; allowed: a file with suffix {', '.join(FORMATS)}"
        )
    check_writable(target)


def save_sheet(
    target: Path, sketch: Path, gallery: Gallery, hits: Sequence[Hit], reranker: str = ""
) -> None:
    """Draw the sketch next to its hits, best first, each with rank, score and path.

    The label of a re-ranker is written below the name of the sketch. Raises the exceptions of
    `check_sheet`, and `InvalidInput` for a file that no longer exists.
    """
    save_sheets(target, gallery, [(sketch, hits)], reranker)


def save_sheets(
    target: Path,
    gallery: Gallery,
    found: Sequence[tuple[Path, Sequence[Hit]]],
    reranker: str = "",
) -> None:
    """Draw several sketches with their hits below each other; see `save_sheet`."""
    check_sheet(target)
    parts = [_drawn(sketch, gallery, hits, reranker) for sketch, hits in found]
    size = max(part.width for part in parts), sum(part.height for part in parts)
    sheet = Image.new("RGB", size, "white")
    y = 0
    for part in parts:
        sheet.paste(part, (0, y))
        y += part.height
    with atomic_path(target) as temporary:
        sheet.save(temporary, format=FORMATS[target.suffix.lower()])


def _drawn(sketch: Path, gallery: Gallery, hits: Sequence[Hit], reranker: str) -> Image.Image:
    columns = min(_COLUMNS, len(hits))
    rows = ceil(len(hits) / columns)
    left = _MARGIN + _CELL + 2 * _MARGIN
    pitch = (_CELL + _GAP, _CELL + 2 * _LINE + _GAP)
    size = (
        left + columns * pitch[0] - _GAP + _MARGIN,
        2 * _MARGIN + rows * pitch[1] - _GAP,
    )
    sheet = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(sheet)
    _paste(sheet, sketch, (_MARGIN, _MARGIN))
    told = (f"re-ranked: {reranker}",) if reranker else ()
    _write(draw, (_MARGIN, _MARGIN + _CELL), ("sketch", sketch.name, *told))
    for place, hit in enumerate(hits):
        at = left + place % columns * pitch[0], _MARGIN + place // columns * pitch[1]
        _paste(sheet, gallery.file(hit.index), at)
        _write(draw, (at[0], at[1] + _CELL), (f"{place + 1}   {hit.score:.3f}", hit.name))
    return sheet


def _paste(sheet: Image.Image, file: Path, at: tuple[int, int]) -> None:
    try:
        image = thumbnail(file, _CELL)
    except UnreadableImageError as fault:
        raise InvalidInput(f"{str(file)!r} cannot be drawn ({fault}); repeat the query") from fault
    x, y = at[0] + (_CELL - image.width) // 2, at[1] + (_CELL - image.height) // 2
    sheet.paste(image, (x, y))
    ImageDraw.Draw(sheet).rectangle(
        (x - 1, y - 1, x + image.width, y + image.height), outline=_EDGE
    )


def _write(draw: ImageDraw.ImageDraw, at: tuple[int, int], lines: Sequence[str]) -> None:
    font = ImageFont.load_default(13)
    for number, text in enumerate(lines):
        colour = _FAINT if number else _INK
        place = at[0], at[1] + 3 + number * _LINE
        draw.text(place, _fitted(draw, text, font), fill=colour, font=font)


def _fitted(
    draw: ImageDraw.ImageDraw, text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont
) -> str:
    """The text, or its end after an ellipsis if it is wider than a cell."""
    if draw.textlength(text, font=font) <= _CELL:
        return text
    start = next(
        n
        for n in range(1, len(text) + 1)
        if draw.textlength(f"\N{HORIZONTAL ELLIPSIS}{text[n:]}", font=font) <= _CELL
    )
    return f"\N{HORIZONTAL ELLIPSIS}{text[start:]}"
