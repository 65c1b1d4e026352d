"""Pictures of generated pairs: by class, and the hardest pairs with the networks' predictions.

All runs use the same layout and order, so that the sheets of two runs (with and without modality
guidance, alignment or adversary) can be compared side by side.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from PIL import Image, ImageDraw
from torch import Tensor

from dfbench.datasets import MODALITIES, Modality
from dfbench.learning.pool import Pairs, to_bytes
from dfbench.learning.students import Students
from dfbench.method import Setting

_CELL = 56
_FRAME = 3
_CLASS_WIDTH = 96
_COLUMNS = 12
_CLASSES = 30
_NAMED = 3
_TEXT_WIDTH = 184
_ALIKE, _UNLIKE = (20, 140, 60), (200, 50, 40)
_EPSILON = 1e-8


def save_pairs_by_class(setting: Setting, pairs: Pairs) -> None:
    """Two lines per class, photos above their sketches, as `generated-pairs.png`.

    The class is predicted by the photo teacher. A sketch is framed green if its teacher predicts
    the same class and red if not: in a run without alignment the columns do not match.
    """
    photo_classes, sketch_classes = (
        setting.label(modality, images).argmax(dim=1)
        for modality, images in zip(MODALITIES, pairs, strict=True)
    )
    names = setting.classes[:_CLASSES]
    sheet = Image.new("RGB", (_CLASS_WIDTH + _COLUMNS * _CELL, 2 * len(names) * _CELL), "white")
    draw = ImageDraw.Draw(sheet)
    for line, name in enumerate(names):
        y = 2 * line * _CELL
        draw.text((4, y + _CELL - 6), name, fill="black")
        for column, row in enumerate((photo_classes == line).nonzero()[:_COLUMNS, 0].tolist()):
            x = _CLASS_WIDTH + column * _CELL
            frame = _ALIKE if int(sketch_classes[row]) == line else _UNLIKE
            sheet.paste(_cell(pairs.photos[row], None), (x, y))
            sheet.paste(_cell(pairs.sketches[row], frame), (x, y + _CELL))
    setting.artefacts.save_image("generated-pairs", sheet)


@torch.no_grad()
def save_hardest_pairs(setting: Setting, students: Students, pairs: Pairs) -> None:
    """For each class the pair on which students and teachers differ most, with their predictions.

    The pairs sought by the adversary, by KL(teacher || student) of both modalities together; the
    class is predicted by the photo teacher. `hardest-pairs.png` names the likeliest classes,
    `hardest-pairs.json` lists all of them.
    """
    students.eval()
    views = {
        modality: _percentages(setting, students, modality, images)
        for modality, images in zip(MODALITIES, pairs, strict=True)
    }
    hardness = torch.stack([_divergence(*view) for view in views.values()]).sum(dim=0)
    photo_classes = views["photo"][0].argmax(dim=1)
    hardest = _hardest(hardness, photo_classes, len(setting.classes))[:_CLASSES]
    told = [
        {m: _told(setting.classes, *(table[row] for table in views[m])) for m in MODALITIES}
        for row in hardest
    ]
    width = 2 * (_CELL + _TEXT_WIDTH)
    sheet = Image.new("RGB", (width, len(hardest) * _CELL), "white")
    for line, (row, percentages) in enumerate(zip(hardest, told, strict=True)):
        images = (pairs.photos[row], pairs.sketches[row])
        for column, (image, modality) in enumerate(zip(images, MODALITIES, strict=True)):
            x, y = column * (_CELL + _TEXT_WIDTH), line * _CELL
            sheet.paste(_cell(image, None), (x, y))
            text = "\n".join(_lines(percentages[modality]))
            ImageDraw.Draw(sheet).multiline_text((x + _CELL + 4, y + 2), text, fill="black")
    setting.artefacts.save_image("hardest-pairs", sheet)
    setting.artefacts.save_json("hardest-pairs", told)


def _percentages(
    setting: Setting, students: Students, modality: Modality, images: Tensor
) -> tuple[Tensor, Tensor]:
    """Posteriors `[B, C]` of the teacher and of the student."""
    student = students.classify(modality, images).softmax(dim=1)
    return setting.label(modality, images), student


def _hardest(hardness: Tensor, classes: Tensor, class_count: int) -> list[int]:
    """Index of the largest hardness in each class that occurs, in class order."""
    rows = torch.arange(len(classes), device=classes.device)
    own = [rows[classes == number] for number in range(class_count)]
    return [int(some[hardness[some].argmax()]) for some in own if len(some)]


def _divergence(teacher: Tensor, student: Tensor) -> Tensor:
    log_ratio = (teacher + _EPSILON).log() - (student + _EPSILON).log()
    return (teacher * log_ratio).sum(dim=1)


def _told(classes: Iterable[str], *posteriors: Tensor) -> dict[str, dict[str, float]]:
    percentages = [[round(100 * share, 1) for share in p.tolist()] for p in posteriors]
    names = tuple(classes)
    return {
        who: dict(zip(names, shares, strict=True))
        for who, shares in zip(("teacher", "student"), percentages, strict=True)
    }


def _lines(told: dict[str, dict[str, float]]) -> Iterable[str]:
    """The likeliest classes, one line for the teacher and one for the student."""
    for who, shares in told.items():
        likeliest = sorted(shares, key=lambda name: -shares[name])[:_NAMED]
        yield f"{who}:"
        yield "  " + ", ".join(f"{name} {shares[name]:.0f}" for name in likeliest)


def _cell(image: Tensor, frame: tuple[int, int, int] | None) -> Image.Image:
    inner = _CELL - 2 * _FRAME
    pixels: Any = to_bytes(image).permute(1, 2, 0).cpu().contiguous().numpy()
    picture = Image.fromarray(pixels).resize((inner, inner), Image.Resampling.NEAREST)
    cell = Image.new("RGB", (_CELL, _CELL), frame or "white")
    cell.paste(picture, (_FRAME, _FRAME))
    return cell
