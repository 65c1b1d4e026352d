"""Where alternative data come from: another dataset, spare classes, or the drawn figures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from dfbench.datasets.dataset import Dataset, ImageSet, Modality
from dfbench.datasets.names import colliding
from dfbench.errors import InvalidInput


@dataclass(frozen=True)
class AlternativeImages:
    """Images of classes that the benchmark does not have."""

    source: str
    """Name for the record: a dataset, with `(spare)` where only its spare classes are used."""
    classes: tuple[str, ...]
    """Sorted; none means the same as a benchmark class."""
    fingerprint: str
    """Hex digest of the source's contents and the classes used."""
    parts: Callable[[Modality], tuple[ImageSet, ...]]
    """The source's image sets, collisions still in them."""

    def images(self, modality: Modality) -> ImageSet:
        """All images of `classes`, in one set."""
        return _joined(self.parts(modality), self.classes)


def alternative_source(
    dataset: Dataset, other: Dataset | None, shapes: Callable[[], Dataset]
) -> AlternativeImages:
    """Alternative images for `dataset`.

    `other`, where given: its training and alternative images. Else the dataset's own spare
    classes; where there are none, the spare classes of what `shapes()` opens. Classes whose name
    or synonym is a benchmark class of `dataset` are left out.

    Raises `InvalidInput` if the image sizes differ or fewer than two classes remain.
    """
    if other is not None:
        classes = (*other.classes, *other.alternative_classes)
        return _from(dataset, other, other.name, classes, _everything(other))
    spare = dataset if dataset.alternative_classes else shapes()
    name = f"{spare.name} (spare)"
    return _from(dataset, spare, name, spare.alternative_classes, lambda m: (spare.alternative(m),))


def _everything(other: Dataset) -> Callable[[Modality], tuple[ImageSet, ...]]:
    def parts(modality: Modality) -> tuple[ImageSet, ...]:
        train = other.images(modality, "train")
        return (train, other.alternative(modality)) if other.alternative_classes else (train,)

    return parts


def _from(
    dataset: Dataset,
    origin: Dataset,
    source: str,
    classes: tuple[str, ...],
    parts: Callable[[Modality], tuple[ImageSet, ...]],
) -> AlternativeImages:
    size = dataset.image_size
    if origin.image_size != size:
        raise InvalidInput(
            f"alternative data of '{origin.name}' are {origin.image_size} px, "
            f"'{dataset.name}' is {size} px: open both with one --image-size, "
            "or name another --alternative"
        )
    kept = tuple(sorted(set(classes) - colliding(classes, dataset.classes)))
    if len(kept) < 2:
        raise InvalidInput(
            f"alternative data of '{origin.name}' have {len(kept)} classes that "
            f"'{dataset.name}' does not have, two are needed: name another --alternative"
        )
    text = "/".join((origin.fingerprint, "(spare)" if source.endswith(" (spare)") else "", *kept))
    fingerprint = blake2b(text.encode(), digest_size=16).hexdigest()
    return AlternativeImages(source, kept, fingerprint, parts)


def _joined(sets: tuple[ImageSet, ...], classes: tuple[str, ...]) -> ImageSet:
    index = {name: label for label, name in enumerate(classes)}
    images, labels, names = [], [], []
    channels = max(part.images.shape[1] for part in sets)
    for part in sets:
        new = np.array([index.get(name, -1) for name in part.classes], dtype=np.int64)[part.labels]
        rows = np.flatnonzero(new >= 0)
        chosen = part.images if len(rows) == len(part) else part.images[rows]
        images.append(_widened(chosen, channels))
        labels.append(new[rows])
        names += [part.names[row] for row in rows]
    together = images[0] if len(images) == 1 else np.concatenate(images)
    return ImageSet(together, np.concatenate(labels), classes, tuple(names))


def _widened(images: NDArray[np.uint8], channels: int) -> NDArray[np.uint8]:
    return images if images.shape[1] == channels else np.repeat(images, channels, axis=1)
