"""Test images reach the process of a method only when its `fit` has returned."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from dfbench.datasets.dataset import MODALITIES, Modality
from dfbench.datasets.image_array import ImageArray
from dfbench.errors import DfbenchError
from dfbench.files import writing
from dfbench.runs.shared_arrays import MakeArray, array_file, shared_arrays, shared_images

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
