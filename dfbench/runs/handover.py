"""Test images reach the process of a method only when its `fit` has returned."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from dfbench.datasets.dataset import MODALITIES, Modality
from dfbench.datasets.image_array import ImageArray
from dfbench.files import writing
from dfbench.runs.shared_arrays import MakeArray, array_file, shared_arrays, shared_images

_REQUEST_FILE = "fitted"
_GLANCE_SECONDS = 0.02


@contextmanager
def handed_over(folder: Path, arrays: Mapping[str, MakeArray]) -> Iterator[Callable[[], None]]:
    """What to call now and then: it lends the arrays once the other process asks for them.

    They are gone when the block ends, and so is what a killed run left of them when it begins.
    """
    request = folder / _REQUEST_FILE
    for leftover in (request, *(array_file(folder, name) for name in arrays)):
        leftover.unlink(missing_ok=True)
    with ExitStack() as lent:

        def attend() -> None:
            if request.exists():
                request.unlink()
                lent.enter_context(shared_arrays(folder, arrays))

        yield attend


def awaited_images(folder: Path) -> dict[Modality, ImageArray]:
    """Ask for the test images of both modalities, and wait for them. Raises `FileFault`.

    They can be read as long as they are lent.
    """
    request = folder / _REQUEST_FILE
    with writing(request):
        request.touch()
    while not all(array_file(folder, modality).exists() for modality in MODALITIES):
        _pause()
    return {modality: shared_images(folder, modality) for modality in MODALITIES}


def _pause() -> None:
    time.sleep(_GLANCE_SECONDS)
