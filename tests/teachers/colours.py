"""A dataset that a tiny network learns at once, and a store of its teachers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from dfbench.datasets.alternative import AlternativeImages
from dfbench.datasets.dataset import ImageSet
from dfbench.teachers.recipe import TeacherRecipe
from dfbench.teachers.store import TeacherStore

RECIPE = TeacherRecipe(
    network="resnet-tiny", steps=2, alternative_steps=2, modality_steps=2, batch_size=8
)


class Colours:
    """A dataset whose classes are colours; sketches are inverted."""

    name, fingerprint, image_size = "colours", "c1", 16
    classes, alternative_classes, notes = ("blue", "green", "red"), ("x", "y"), ()

    def images(self, modality: str, part: str) -> ImageSet:
        return coloured(modality, self.classes, 30 if part == "train" else 12, len(modality + part))

    def alternative(self, modality: str) -> ImageSet:
        return coloured(modality, self.alternative_classes, 12, len(modality))


def colour_store(folder: Path, **changes: Any) -> TeacherStore:
    """The store of teachers of colours, trained for a moment; `changes` are its fields."""
    data = Colours()
    other = AlternativeImages("o", ("x", "y"), "a1", lambda m: (data.alternative(m),))
    store = TeacherStore(
        folder=folder,
        dataset=data,
        alternative=lambda: other,
        recipe=RECIPE,
        seed=0,
        device=torch.device("cpu"),
        numerics="cpu-fp32",
    )
    return replace(store, **changes)


def coloured(modality: str, classes: tuple[str, ...], count: int, seed: int) -> ImageSet:
    """Images `[count, 3, 16, 16]` of one colour a class."""
    labels = np.arange(count) % len(classes)
    pixels = np.random.RandomState(seed).randint(0, 60, (count, 3, 16, 16))
    for row, label in enumerate(labels):
        pixels[row, label % 3] += 190
    if modality == "sketch":
        pixels = 255 - pixels
    names = tuple(str(i) for i in range(count))
    return ImageSet(pixels.astype(np.uint8), labels.astype(np.int64), classes, names)
