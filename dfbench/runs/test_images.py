"""Test images as plugin code gets them: shuffled, without labels, classes or names."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from dfbench.datasets.dataset import MODALITIES, Dataset, Modality
from dfbench.runs.shared_arrays import MakeArray
from dfbench.seeds import derive_seed


@dataclass(frozen=True)
class TestImages:
    """The test images of a dataset for one fit, in an order that only the parent knows."""

    __test__ = False  # not a pytest class

    dataset: Dataset
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

    def arrays(self) -> dict[str, MakeArray]:
        """The shuffled images by modality, uint8 `[N, C, H, W]`, for `shared_arrays`."""
        return {modality: partial(self._shuffled, modality) for modality in MODALITIES}

    def _shuffled(self, modality: Modality) -> NDArray[np.uint8]:
        return self.dataset.images(modality, "test").images[self.order(modality)]
