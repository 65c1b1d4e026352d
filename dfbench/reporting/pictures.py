"""Pictures of a run that need labels, and so are drawn by the parent process."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from dfbench.datasets.dataset import ImageSet, Modality
from dfbench.files import atomic_path

_CELL = 64
_BORDER = 3
_LABEL_WIDTH = 96
_HIT, _MISS = (20, 140, 60), (200, 50, 40)
_ROWS = 20


def save_retrievals(
    target: Path, images: Mapping[Modality, ImageSet], top: NDArray[np.int64]
) -> None:
    """Draw one query a class with its best photos, framed green where the class is right, as PNG.

    `top` `[Q, k]` holds indices of test photos, best first. The query of a class is its first.
    """
    queries, gallery = images["sketch"], images["photo"]
    rows = [int(np.flatnonzero(queries.labels == c)[0]) for c in np.unique(queries.labels)][:_ROWS]
    width = _LABEL_WIDTH + (top.shape[1] + 1) * _CELL
    sheet = Image.new("RGB", (width, len(rows) * _CELL), "white")
    draw = ImageDraw.Draw(sheet)
    for line, query in enumerate(rows):
        y = line * _CELL
        draw.text((4, y + _CELL // 3), queries.classes[queries.labels[query]], fill="black")
        sheet.paste(_cell(queries, query, None), (_LABEL_WIDTH, y))
        for place, photo in enumerate(top[query], start=1):
            hit = gallery.labels[photo] == queries.labels[query]
            cell = _cell(gallery, int(photo), _HIT if hit else _MISS)
            sheet.paste(cell, (_LABEL_WIDTH + place * _CELL, y))
    with atomic_path(target) as temporary:
        sheet.save(temporary, format="PNG")


def _cell(images: ImageSet, index: int, frame: tuple[int, int, int] | None) -> Image.Image:
    pixels = np.broadcast_to(images.images[index], (3, *images.images.shape[2:]))
    inner = _CELL - 2 * _BORDER
    picture = Image.fromarray(np.ascontiguousarray(pixels.transpose(1, 2, 0)))
    cell = Image.new("RGB", (_CELL, _CELL), frame or "white")
    cell.paste(picture.resize((inner, inner), Image.Resampling.NEAREST), (_BORDER, _BORDER))
    return cell
