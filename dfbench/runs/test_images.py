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
    """The test images of one fit, in an order that only the parent knows."""

    __test__ = False  # not a pytest class

    sets: Mapping[Modality, ImageSet]
    """Queries (sketches) and gallery (photos)."""
    secret: str
    """What the order depends on."""

    def order(self, modality: Modality) -> NDArray[np.int64]:
        """`[N]`: place i of the shuffled images holds test image `order[i]`."""
        seed = derive_seed("test image order", self.secret, modality)
        return np.random.default_rng(seed).permutation(len(self.sets[modality]))

    def restored(self, modality: Modality, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Rows `[N, D]` computed from the shuffled images, in the dataset's order."""
        restored = np.empty_like(rows)
        restored[self.order(modality)] = rows
        return restored

    def arrays(self) -> dict[str, MakeArray]:
        """The shuffled images by modality, uint8 `[N, C, H, W]`, for `shared_arrays`."""
        return {modality: partial(self._shuffled, modality) for modality in MODALITIES}

    def save_labels(self, folder: Path) -> None:
        """Leave in a run's folder what its other files are read by.

        By modality, `[N]`, indices into the classes of the run's record, in the dataset's order, in
        which values of queries are stored too; and by `photo_order` and `sketch_order`, which of
        these images each row of the stored embeddings is of.
        """
        arrays: dict[str, NDArray[np.int64]] = {m: self.sets[m].labels for m in MODALITIES}
        arrays |= {f"{modality}_order": self.order(modality) for modality in MODALITIES}
        with atomic_path(folder / LABELS_FILE) as temporary, temporary.open("wb") as file:
            np.savez_compressed(file, **arrays)  # type: ignore[arg-type]  # numpy's stub takes the names for its own flag

    def _shuffled(self, modality: Modality) -> ImageArray:
        return joined([(self.sets[modality].images, self.order(modality))])
