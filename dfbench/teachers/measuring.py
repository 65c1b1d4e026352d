"""How often a teacher is right on a folder of images: `FOLDER/<class>/*`."""

from __future__ import annotations

from math import sqrt
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from dfbench.console import progress
from dfbench.datasets.decoding import decoded
from dfbench.datasets.folder_layout import image_files
from dfbench.datasets.names import normalised
from dfbench.datasets.picture import UnreadableImageError
from dfbench.errors import InvalidInput
from dfbench.learning.batches import to_unit
from dfbench.teachers.teacher import Teacher

_BATCH = 100


class Measurement(NamedTuple):
    """A teacher's decisions on labelled images."""

    accuracy: float
    """Share of right ones, in [0, 1]."""
    images: int
    classes: int
    """Classes of the teacher that there are images of."""
    told_apart: int
    """Classes of the teacher, with images or without."""
    unknown: tuple[str, ...]
    """Folders of classes that it does not know, left out."""

    @property
    def no_better_than_chance(self) -> bool:
        """Whether guessing among its classes does as well, within two standard deviations."""
        chance = 1 / self.told_apart
        return self.accuracy <= chance + 2 * sqrt(chance * (1 - chance) / self.images)


def measured(teacher: Teacher, folder: Path) -> Measurement:
    """Accuracy of a teacher on all images of a folder, squeezed to its own size.

    Classes are `FOLDER/<class>`, or `FOLDER/<modality>/<class>` where there is such a folder; names
    are compared as `dfbench.datasets.names.normalised` spells them. Raises `InvalidInput` without
    images of its classes and for one that cannot be decoded.
    """
    files, unknown = _files(teacher, folder)
    hits = 0
    with progress("measuring", len(files)) as advance:
        for start in range(0, len(files), _BATCH):
            part = files[start : start + _BATCH]
            hits += _hits(teacher, part)
            advance(len(part))
    classes = len({label for _, label in files})
    return Measurement(hits / len(files), len(files), classes, len(teacher.classes), unknown)


def _files(teacher: Teacher, folder: Path) -> tuple[list[tuple[Path, int]], tuple[str, ...]]:
    own = folder / teacher.modality
    root = own if own.is_dir() else folder
    if not root.is_dir():
        raise InvalidInput(f"no folder {str(folder)!r}; allowed: one that holds <class>/*")
    label = {name: place for place, name in enumerate(teacher.classes)}
    files: list[tuple[Path, int]] = []
    unknown = []
    for entry in sorted(entry for entry in root.iterdir() if entry.is_dir()):
        place = label.get(normalised(entry.name))
        if place is None:
            unknown.append(entry.name)
        else:
            files += [(file, place) for file in image_files(entry)]
    if not files:
        raise InvalidInput(
            f"folder {str(root)!r} has no folder of the teacher's classes (it has: "
            f"{', '.join(unknown[:5]) or 'none'}; the teacher's are "
            f"{', '.join(teacher.classes[:5])}, ...); allowed: <class>/* with their names"
        )
    return files, tuple(unknown)


@torch.no_grad()
def _hits(teacher: Teacher, files: list[tuple[Path, int]]) -> int:
    labels = torch.tensor([label for _, label in files])
    logits = teacher(_batch([file for file, _ in files], teacher.network.image_size)).logits
    return int((logits.argmax(dim=1) == labels).sum())


def _batch(files: list[Path], size: int) -> Tensor:
    images = []
    for file in files:
        try:
            images.append(decoded(file, size))
        except UnreadableImageError as fault:
            raise InvalidInput(
                f"cannot read image {str(file)!r} ({fault}): mend or remove it"
            ) from fault
    return to_unit(torch.from_numpy(np.stack(images)))
