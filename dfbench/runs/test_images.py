"""Test images as plugin code gets them: shuffled, without labels, classes or names."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dfbench.datasets.dataset import MODALITIES, Dataset, Modality
from dfbench.files import atomic_path
from dfbench.seeds import derive_seed


@dataclass(frozen=True)
class TestImages:
    """The test images of a dataset for one fit, in an order that only the parent knows."""

    __test__ = False  # not a pytest class

    dataset: Dataset
    folder: Path
    fit_id: str

    def order(self, modality: Modality) -> NDArray[np.int64]:
        """`[N]`: place i of the shuffled images holds test image `order[i]`."""
        count = len(self.dataset.images(modality, "test"))
        seed = derive_seed("test image order", self.fit_id, modality)
        return np.random.default_rng(seed).permutation(count)

    def restored(self, modality: Modality, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Rows `[N, D]` computed from the shuffled images, in the dataset's order."""
        restored = np.empty_like(rows)
        restored[self.order(modality)] = rows
        return restored

    @contextmanager
    def shared(self) -> Iterator[dict[Modality, Path]]:
        """The shuffled images as `.npy` files, gone when the block ends."""
        files = {modality: (self.folder / f"{modality}.npy").resolve() for modality in MODALITIES}
        try:
            for modality, file in files.items():
                images = self.dataset.images(modality, "test").images
                with atomic_path(file) as temporary, temporary.open("wb") as stream:
                    np.save(stream, images[self.order(modality)])
            yield files
        finally:
            for file in files.values():
                file.unlink(missing_ok=True)
