"""In the place of a dataset where there are no images at all."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from dfbench.datasets.dataset import ClassSplit, ImageSet, Modality, Part

_SMALLEST = 32
"""Pixels of what is generated where nothing else decides it."""


class NoImages:
    """A `Dataset` without classes and images; something can be fitted for it, nothing scored."""

    name = "no-images"
    classes: tuple[str, ...] = ()
    alternative_classes: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    splits: Mapping[str, ClassSplit] = {}

    def __init__(self, image_size: int | None) -> None:
        self.image_size = image_size or _SMALLEST
        self.fingerprint = f"{self.name} {self.image_size} px"

    def images(self, modality: Modality, part: Part) -> ImageSet:
        """None."""
        del modality, part
        pixels = np.zeros((0, 3, self.image_size, self.image_size), np.uint8)
        return ImageSet(pixels, np.zeros(0, np.int64), (), ())

    def alternative(self, modality: Modality) -> ImageSet:
        """None."""
        return self.images(modality, "train")
