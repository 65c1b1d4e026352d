"""Arrays lent to the process that runs plugin code, for as long as it runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dfbench.files import atomic_path

MakeArray = Callable[[], NDArray[Any]]


@contextmanager
def shared_arrays(folder: Path, arrays: Mapping[str, MakeArray]) -> Iterator[dict[str, Path]]:
    """Each array as `<name>.npy` in `folder`, made one at a time, gone when the block ends."""
    files = {name: array_file(folder, name).resolve() for name in arrays}
    try:
        for name, file in files.items():
            with atomic_path(file) as temporary, temporary.open("wb") as stream:
                np.save(stream, arrays[name]())
        yield files
    finally:
        for file in files.values():
            file.unlink(missing_ok=True)


def array_file(folder: Path, name: str) -> Path:
    """Where the array of a name lies in a folder."""
    return folder / f"{name}.npy"
