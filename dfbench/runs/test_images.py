"""Test images as plugin code gets them: shuffled, without labels, classes or names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dfbench.datasets.dataset import MODALITIES, ImageSet, Modality
from dfbench.datasets.image_array import ImageArray, joined
from dfbench.files import atomic_path
from dfbench.runs.shared_arrays import MakeArray
from dfbench.seeds import derive_seed

LABELS_FILE = "labels.npz"
"""In a run's folder; see `TestImages.save_labels`."""


@dataclass(frozen=True)
class TestImages:
    """The test images of one attempt at a fit, in an order that only the parent knows."""

    __test__ = False  # not a pytest class

    sets: Mapping[Modality, ImageSet]
    """Queries (sketches) and gallery (photos)."""
    orders: Mapping[Modality, NDArray[np.int64]]
    """By modality, `[N]`: place i of the shuffled images holds test image `order[i]`."""

    @classmethod
    def shuffled(cls, sets: Mapping[Modality, ImageSet]) -> TestImages:
        """In a new order, drawn from the entropy of the system.

        It follows from nothing that the process of a method is told or can compute: not from the
        run's identity, and not from its seed.
        """
        random = np.random.default_rng()
        return cls(sets, {m: random.permutation(len(sets[m])) for m in MODALITIES})

    @classmethod
    def stored(cls, sets: Mapping[Modality, ImageSet], folder: Path) -> TestImages:
        """In the order that `save_labels` stored.

        Raises `OSError`, `KeyError`, `ValueError` or `BadZipFile` if it cannot be read.
        """
        with (folder / LABELS_FILE).open("rb") as file, np.load(file) as stored:
            return cls(sets, {m: stored[f"{m}_order"] for m in MODALITIES})

    @classmethod
    def of_identity(cls, sets: Mapping[Modality, ImageSet], computation: str) -> TestImages:
        """In the order that earlier versions derived from a run's identity."""
        seeds = {m: derive_seed("test image order", computation, m) for m in MODALITIES}
        return cls(
            sets,
            {m: np.random.default_rng(seeds[m]).permutation(len(sets[m])) for m in MODALITIES},
        )

    def restored(self, modality: Modality, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Rows `[N, D]` computed from the shuffled images, in the dataset's order."""
        restored = np.empty_like(rows)
        restored[self.orders[modality]] = rows
        return restored

    def arrays(self) -> dict[str, MakeArray]:
        """The shuffled images by modality, uint8 `[N, C, H, W]`, for `shared_arrays`."""
        return {modality: partial(self._shuffled, modality) for modality in MODALITIES}

    def save_labels(self, folder: Path) -> None:
        """Leave in a run's folder what its other files are read by, once its fit has ended.

        By modality, `[N]`, indices into the classes of the run's record, in the dataset's order, in
        which values of queries are stored too; and by `photo_order` and `sketch_order`, which of
        these images each row of the stored embeddings is of.
        """
        arrays: dict[str, NDArray[np.int64]] = {m: self.sets[m].labels for m in MODALITIES}
        arrays |= {f"{modality}_order": self.orders[modality] for modality in MODALITIES}
        with atomic_path(folder / LABELS_FILE) as temporary, temporary.open("wb") as file:
            np.savez_compressed(file, **arrays)  # type: ignore[arg-type]  # numpy's stub takes the names for its own flag

    def _shuffled(self, modality: Modality) -> ImageArray:
        return joined([(self.sets[modality].images, self.orders[modality])])
