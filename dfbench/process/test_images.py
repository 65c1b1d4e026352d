"""Test images for a method's process: handed over after `fit`, shuffled, without labels."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dfbench.datasets.dataset import ImageArray, ImageSet, joined
from dfbench.errors import DfbenchError
from dfbench.identity import derive_seed
from dfbench.modality import MODALITIES, Modality
from dfbench.process.shared_arrays import MakeArray, array_file, shared_arrays, shared_images
from dfbench.system.files import atomic_path, writing

_REQUEST_FILE = "fitted"
_GLANCE_SECONDS = 0.02


@contextmanager
def handed_over(folder: Path, arrays: Mapping[str, MakeArray]) -> Iterator[Callable[[], None]]:
    """What to call now and then: it lends the arrays once the other process asks for them.

    They are gone when the block ends, and so is what a killed run left of them when it begins.
    Calling it raises `DfbenchError` if the folder has been removed meanwhile.
    """
    request = folder / _REQUEST_FILE
    for leftover in (request, *(array_file(folder, name) for name in arrays)):
        leftover.unlink(missing_ok=True)
    begun_in = folder.stat()
    with ExitStack() as lent:

        def attend() -> None:
            if not _same(folder, begun_in):
                raise _removed(folder)
            if request.exists():
                lent.enter_context(shared_arrays(folder, arrays))
                request.unlink(missing_ok=True)  # last: until then the other process waits

        yield attend


def awaited_images(folder: Path) -> dict[Modality, ImageArray]:
    """Ask for the test images of both modalities, and wait for them.

    They can be read as long as they are lent. Raises `FileFault`, and `DfbenchError` once they
    cannot come any more because the folder, or the request in it, is gone.
    """
    request = folder / _REQUEST_FILE
    if not folder.is_dir():
        raise _removed(folder)
    with writing(request):
        request.touch()
    while True:
        waiting = request.exists()
        if all(array_file(folder, modality).exists() for modality in MODALITIES):
            return {modality: shared_images(folder, modality) for modality in MODALITIES}
        if not waiting:  # whoever took it has left the arrays
            raise _removed(folder)
        _pause()


def _same(folder: Path, before: os.stat_result) -> bool:
    try:
        return os.path.samestat(folder.stat(), before)
    except FileNotFoundError:
        return False


def _removed(folder: Path) -> DfbenchError:
    return DfbenchError(
        f"the run's folder, or the request for test images in it, was removed while the run was "
        f"going on ({folder}); nothing was scored: leave that folder alone and repeat the command"
    )


def _pause() -> None:
    time.sleep(_GLANCE_SECONDS)


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
