"""Files of the image cache: whole or absent, and a clear line when they cannot be written."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dfbench.errors import InvalidInput
from dfbench.files import atomic_path


@contextmanager
def writing_to(folder: Path) -> Iterator[None]:
    """Raises `InvalidInput` if the block cannot write to a folder of the cache."""
    try:
        yield
    except OSError as fault:
        raise InvalidInput(
            f"image cache in '{folder}' cannot be written ({fault.strerror or fault}): "
            "make the folder writable or choose another cache folder"
        ) from fault


@contextmanager
def cache_file(target: Path) -> Iterator[Path]:
    """A temporary path that takes the name `target` when the block ends without error.

    Raises `DiskFull` if no space is left, `InvalidInput` if the folder cannot be written to; no
    temporary file stays behind.
    """
    with writing_to(target.parent), atomic_path(target) as temporary:
        yield temporary
