"""Selection of images by class, the source of alternative data, and the images of a fit."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from dfbench.class_names import colliding
from dfbench.datasets.dataset import Dataset, ImageArray, ImageSet, joined
from dfbench.errors import InvalidInput
from dfbench.identity import derive_seed
from dfbench.modality import MODALITIES, Modality


def images_of(sets: Sequence[ImageSet], classes: tuple[str, ...]) -> ImageSet:
    """All images of `classes` in `sets`, as one set whose labels are indices into `classes`.

    A single set with exactly these classes is returned unchanged; otherwise images are read
    lazily. An image that occurs under the same name in several sets is included once.
    """
    if len(sets) == 1 and sets[0].classes == classes:
        return sets[0]
    index = {name: label for label, name in enumerate(classes)}
    parts: list[tuple[ImageArray, NDArray[np.int64]]] = []
    labels, names = [], []
    for number, part in enumerate(sets):
        new = np.array([index.get(name, -1) for name in part.classes], dtype=np.int64)[part.labels]
        rows = np.flatnonzero(new >= 0)
        for earlier in sets[:number]:
            rows = _without_copies(part, rows, earlier)
        parts.append((part.images, rows))
        labels.append(new[rows])
        names += [part.names[row] for row in rows]
    return ImageSet(joined(parts), np.concatenate(labels), classes, tuple(names))


def _without_copies(
    part: ImageSet, rows: NDArray[np.int64], earlier: ImageSet
) -> NDArray[np.int64]:
    """The rows whose image does not occur under the same name in an earlier set."""
    places = {name: row for row, name in enumerate(earlier.names)}

    def copied(row: int) -> bool:
        place = places.get(part.names[row])
        return place is not None and np.array_equal(part.images[row], earlier.images[place])

    return np.array([row for row in rows.tolist() if not copied(row)], dtype=np.int64)


@dataclass(frozen=True)
class AlternativeImages:
    """Images of classes outside the benchmark."""

    source: str
    """Name for the record: a dataset, with `(spare)` if only its spare classes are used."""
    classes: tuple[str, ...]
    """Sorted; none is a synonym of a benchmark class."""
    fingerprint: str
    """Hex digest of the source's contents and the classes used."""
    parts: Callable[[Modality], tuple[ImageSet, ...]]
    """The source's image sets, including classes that collide with the benchmark."""

    def images(self, modality: Modality) -> ImageSet:
        """All images of `classes`, in one set."""
        return images_of(self.parts(modality), self.classes)


def alternative_source(
    dataset: Dataset,
    other: Dataset | None,
    shapes: Callable[[], Dataset],
    known: Collection[str] = (),
) -> AlternativeImages:
    """Alternative images for `dataset`.

    With `other`, its training and alternative images. Otherwise the dataset's own spare classes
    or, if it has none, the spare classes of the dataset that `shapes()` opens. Classes whose name
    or synonym is a benchmark class of `dataset`, or in `known` (other classes that the teachers
    have learned), are left out.

    Raises `InvalidInput` if the image sizes differ or fewer than two classes remain.
    """
    if other is not None:
        classes = (*other.classes, *other.alternative_classes)
        return _from(dataset, other, other.name, classes, _everything(other), known)
    spare = dataset if dataset.alternative_classes else shapes()
    name = spare_of(spare.name)

    def parts(modality: Modality) -> tuple[ImageSet, ...]:
        return (spare.alternative(modality),)

    return _from(dataset, spare, name, spare.alternative_classes, parts, known)


def spare_of(dataset: str) -> str:
    """The name of a dataset's spare classes in records."""
    return f"{dataset} (spare)"


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
    known: Collection[str],
) -> AlternativeImages:
    size = dataset.image_size
    if origin.image_size != size:
        raise InvalidInput(
            f"alternative data of '{origin.name}' are {origin.image_size} px, "
            f"'{dataset.name}' is {size} px: set one --image-size for both, "
            "or choose another --alternative"
        )
    kept = tuple(sorted(set(classes) - colliding(classes, (*dataset.classes, *known))))
    if len(kept) < 2:
        raise InvalidInput(
            f"alternative data of '{origin.name}' have {len(kept)} classes that "
            f"'{dataset.name}' does not have; two are required: choose another --alternative"
        )
    text = "/".join((origin.fingerprint, "(spare)" if source.endswith(" (spare)") else "", *kept))
    fingerprint = blake2b(text.encode(), digest_size=16).hexdigest()
    return AlternativeImages(source, kept, fingerprint, parts)


@dataclass(frozen=True)
class ImageSource:
    """Images that a fit may be given."""

    alternative: Callable[[Modality], ImageSet]
    """Those of other classes."""
    training: Callable[[Modality], ImageSet]
    """Those that the teacher of a modality is trained on."""
    computation: str
    """What random orders depend on."""

    def unlabelled(self, modality: Modality) -> ImageArray:
        """Alternative images in an order that does not reveal their classes."""
        images = self.alternative(modality).images
        seed = derive_seed("alternative image order", self.computation, modality)
        return joined([(images, np.random.default_rng(seed).permutation(len(images)))])

    def training_labels(self, modality: Modality) -> NDArray[np.int64]:
        """Labels of a teacher's images as indices into the union of both teachers' classes."""
        known = {m: self.training(m).classes for m in MODALITIES}
        union = sorted({*known["photo"], *known["sketch"]})
        index = np.array([union.index(name) for name in known[modality]], dtype=np.int64)
        return index[self.training(modality).labels]
