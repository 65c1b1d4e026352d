"""Fixtures of the checks: an interrupted training loop, and a small drawn dataset."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from hashlib import blake2b
from pathlib import Path

import numpy as np

from dfbench.datasets.dataset import ClassSplit, DatasetRequest, ImageSet, Part
from dfbench.datasets.images.decoding import resized
from dfbench.datasets.images.pack import Contents, Images, opened
from dfbench.datasets.shapes.dataset import VERSION, drawn
from dfbench.learning.checkpoint import Checkpoints
from dfbench.learning.loop import Stateful, TrainingLoop
from dfbench.modality import MODALITIES, Modality


class Broken(BaseException):
    """A fit was interrupted; not an `Exception`, so that methods do not catch it."""


class Breaker:
    """Makes loops, and interrupts the first few of them once each, a step after a checkpoint."""

    def __init__(self, most: int) -> None:
        self._left = most
        self.broken: list[str] = []
        """Names of the interrupted loops."""

    def make(
        self,
        description: str,
        steps: int,
        state: Mapping[str, Stateful],
        checkpoints: Checkpoints,
        checkpoint_seconds: float,
    ) -> TrainingLoop:
        """A loop, with the arguments of `TrainingLoop`."""
        del checkpoint_seconds
        if checkpoints.name in self.broken or len(self.broken) == self._left or steps < 2:
            return TrainingLoop(description, steps, state, checkpoints, float("inf"))
        return _BreakingLoop(description, steps, state, checkpoints, self)


class _BreakingLoop(TrainingLoop):
    """Saves one checkpoint, halfway, and raises `Broken` a step later."""

    def __init__(
        self,
        description: str,
        steps: int,
        state: Mapping[str, Stateful],
        checkpoints: Checkpoints,
        breaker: Breaker,
    ) -> None:
        super().__init__(description, steps, state, checkpoints, 0.0)
        self._name = checkpoints.name
        self._breaker = breaker

    def save(self, next_step: int) -> None:
        if next_step == self.steps // 2:
            super().save(next_step)
        elif next_step > self.steps // 2:
            self._breaker.broken.append(self._name)
            raise Broken(self.description)


CLASSES = ("airplane", "bell", "star", "tree")
SPARE = ("heart", "ladder")
SIZE = 16
COUNTS: Mapping[str, int] = {"train": 120, "test": 25, "alternative": 60}
"""Images per class and modality; alternative images are the first of the training part."""


def open_few_shapes(request: DatasetRequest) -> FewShapes:
    """Open `FewShapes`, drawing images that are not in the cache."""
    return FewShapes(request.cache)


class FewShapes:
    """Four classes of `shapes` and two spare ones, 16 px; a `Dataset`."""

    name = "few-shapes"
    classes = CLASSES
    alternative_classes = SPARE
    image_size = SIZE
    notes: tuple[str, ...] = ()
    splits: Mapping[str, ClassSplit] = {}

    def __init__(self, cache: Path) -> None:
        counts = "-".join(map(str, COUNTS.values()))
        path = cache / f"few-shapes-v{VERSION}-{SIZE}px-{counts}.pack"
        self._pack = opened(path, lambda: Contents(dict(_made()), {}))
        text = "/".join((self.name, *CLASSES, *SPARE, self._pack.digest))
        self.fingerprint = blake2b(text.encode(), digest_size=16).hexdigest()

    def images(self, modality: Modality, part: Part) -> ImageSet:
        """Images of the four classes, grouped by class."""
        return self._set(modality, part, CLASSES)

    def alternative(self, modality: Modality) -> ImageSet:
        """Images of the two spare classes."""
        return self._set(modality, "alternative", SPARE)

    def _set(self, modality: Modality, part: str, classes: tuple[str, ...]) -> ImageSet:
        count = COUNTS[part]
        labels = np.repeat(np.arange(len(classes), dtype=np.int64), count)
        names = tuple(f"{modality}/{part}/{name}/{i:03}" for name in classes for i in range(count))
        return ImageSet(self._pack.arrays[f"{modality}-{part}"], labels, classes, names)


def _made() -> Iterator[tuple[str, Images]]:
    for modality in MODALITIES:
        for part in ("train", "test"):
            yield f"{modality}-{part}", _drawn(CLASSES, modality, part, COUNTS[part])
        yield f"{modality}-alternative", _drawn(SPARE, modality, "train", COUNTS["alternative"])


def _drawn(classes: tuple[str, ...], modality: Modality, part: str, count: int) -> Images:
    kind: Part = "train" if part == "train" else "test"
    images = [drawn(name, modality, kind, i) for name in classes for i in range(count)]
    return resized(np.stack(images), SIZE)
