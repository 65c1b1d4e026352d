"""Arrays that a run and its child process share as files, and the test images among them.

Test images are provided after `fit`, shuffled and without labels.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from math import prod
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from dfbench.datasets.dataset import ImageArray, ImageSet, LazyImages, joined
from dfbench.errors import DfbenchError
from dfbench.identity import derive_seed
from dfbench.modality import MODALITIES, Modality
from dfbench.system.files import atomic_path, writing

MakeArray = Callable[[], NDArray[Any] | ImageArray]
_BLOCK_BYTES = 32 << 20
"""Memory used while an array that is read from disk is written."""


@contextmanager
def shared_arrays(folder: Path, arrays: Mapping[str, MakeArray]) -> Iterator[dict[str, Path]]:
    """Write each array to `<name>.npy` in `folder`, one at a time; removed after the block."""
    files = {name: _array_file(folder, name).resolve() for name in arrays}
    try:
        for name, file in files.items():
            with atomic_path(file) as temporary, temporary.open("wb") as stream:
                _save(stream, arrays[name]())
        yield files
    finally:
        for file in files.values():
            file.unlink(missing_ok=True)


def _save(stream: BinaryIO, array: NDArray[Any] | ImageArray) -> None:
    if isinstance(array, np.ndarray):
        np.save(stream, array)
        return
    header = {"descr": "|u1", "fortran_order": False, "shape": array.shape}
    np.lib.format.write_array_header_1_0(stream, header)
    rows = max(1, _BLOCK_BYTES // prod(array.shape[1:]))
    for start in range(0, len(array), rows):
        stream.write(array[start : start + rows].data)


def shared_images(folder: Path, name: str) -> ImageArray:
    """Images of a shared array, read on access while the array is shared."""
    file = _array_file(folder, name)

    def read(rows: NDArray[np.int64]) -> NDArray[np.uint8]:
        # Mapped anew each time: pages stay in memory as long as the map exists.
        images: NDArray[np.uint8] = np.load(file, mmap_mode="r")
        return np.array(images[rows])

    return LazyImages(np.load(file, mmap_mode="r").shape, read)


def _array_file(folder: Path, name: str) -> Path:
    """The file of a named array in a folder."""
    return folder / f"{name}.npy"


_REQUEST_FILE = "fitted"
_GLANCE_SECONDS = 0.02


@contextmanager
def handed_over(folder: Path, arrays: Mapping[str, MakeArray]) -> Iterator[Callable[[], None]]:
    """A function to call repeatedly: it shares the arrays once the other process requests them.

    The arrays are removed when the block ends; leftovers of a killed run are removed when it
    begins. The function raises `DfbenchError` if the folder has been removed meanwhile.
    """
    request = folder / _REQUEST_FILE
    for leftover in (request, *(_array_file(folder, name) for name in arrays)):
        leftover.unlink(missing_ok=True)
    begun_in = folder.stat()
    with ExitStack() as lent:

        def attend() -> None:
            if not _same(folder, begun_in):
                raise _removed(folder)
            if request.exists():
                lent.enter_context(shared_arrays(folder, arrays))
                request.unlink(missing_ok=True)  # last: the other process waits for this

        yield attend


def awaited_images(folder: Path) -> dict[Modality, ImageArray]:
    """Request the test images of both modalities and wait for them.

    They can be read while they are shared. Raises `FileFault`, and `DfbenchError` if the folder, or
    the request in it, was removed, so that they cannot arrive any more.
    """
    request = folder / _REQUEST_FILE
    if not folder.is_dir():
        raise _removed(folder)
    with writing(request):
        request.touch()
    while True:
        waiting = request.exists()
        if all(_array_file(folder, modality).exists() for modality in MODALITIES):
            return {modality: shared_images(folder, modality) for modality in MODALITIES}
        if not waiting:  # removed by another process, since the arrays are missing
            raise _removed(folder)
        _pause()


def _same(folder: Path, before: os.stat_result) -> bool:
    try:
        return os.path.samestat(folder.stat(), before)
    except FileNotFoundError:
        return False


def _removed(folder: Path) -> DfbenchError:
    return DfbenchError(
        f"the run's folder, or the request for test images in it, was removed during the run "
        f"({folder}); nothing was scored: do not change that folder, and repeat the command"
    )


def _pause() -> None:
    time.sleep(_GLANCE_SECONDS)


LABELS_FILE = "labels.npz"
"""In a run's folder; see `TestImages.save_labels`."""


@dataclass(frozen=True)
class TestImages:
    """The test images of one attempt at a fit, in an order known only to the parent process."""

    __test__ = False  # not a pytest class

    sets: Mapping[Modality, ImageSet]
    """Queries (sketches) and gallery (photos)."""
    orders: Mapping[Modality, NDArray[np.int64]]
    """By modality, `[N]`: shuffled image i is test image `order[i]`."""

    @classmethod
    def shuffled(cls, sets: Mapping[Modality, ImageSet]) -> TestImages:
        """In a new order, drawn from the system's entropy.

        A method's process cannot compute it: it depends neither on the run's identity nor on its
        seed.
        """
        random = np.random.default_rng()
        return cls(sets, {m: random.permutation(len(sets[m])) for m in MODALITIES})

    @classmethod
    def stored(cls, sets: Mapping[Modality, ImageSet], folder: Path) -> TestImages:
        """In the order stored by `save_labels`.

        Raises `OSError`, `KeyError`, `ValueError` or `BadZipFile` if it cannot be read.
        """
        with (folder / LABELS_FILE).open("rb") as file, np.load(file) as stored:
            return cls(sets, {m: stored[f"{m}_order"] for m in MODALITIES})

    @classmethod
    def of_identity(cls, sets: Mapping[Modality, ImageSet], computation: str) -> TestImages:
        """In the order that earlier versions derived from the run's identity."""
        seeds = {m: derive_seed("test image order", computation, m) for m in MODALITIES}
        return cls(
            sets,
            {m: np.random.default_rng(seeds[m]).permutation(len(sets[m])) for m in MODALITIES},
        )

    def restored(self, modality: Modality, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Embeddings `[N, D]` of the shuffled images, put back into the dataset's order."""
        restored = np.empty_like(rows)
        restored[self.orders[modality]] = rows
        return restored

    def arrays(self) -> dict[str, MakeArray]:
        """The shuffled images by modality, uint8 `[N, C, H, W]`, for `shared_arrays`."""
        return {modality: partial(self._shuffled, modality) for modality in MODALITIES}

    def save_labels(self, folder: Path) -> None:
        """Store labels and image orders in the run's folder, once its fit has ended.

        By modality, `[N]`: indices into the classes of the run's record, in the dataset's order,
        which is also that of per-query values. `photo_order` and `sketch_order` say which of these
        images each row of the stored embeddings belongs to.
        """
        arrays: dict[str, NDArray[np.int64]] = {m: self.sets[m].labels for m in MODALITIES}
        arrays |= {f"{modality}_order": self.orders[modality] for modality in MODALITIES}
        with atomic_path(folder / LABELS_FILE) as temporary, temporary.open("wb") as file:
            np.savez_compressed(file, **arrays)  # type: ignore[arg-type]  # numpy's stub takes the names for its own flag

    def _shuffled(self, modality: Modality) -> ImageArray:
        return joined([(self.sets[modality].images, self.orders[modality])])
