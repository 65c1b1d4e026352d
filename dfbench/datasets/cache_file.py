"""Files of the image cache: whole or absent, and a clear line when they cannot be written."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dfbench.errors import InvalidInput
from dfbench.files import atomic_path


@contextmanager
def cache_file(target: Path) -> Iterator[Path]:
    """A temporary path that takes the name `target` when the block ends without error.

    Raises `DiskFull` if no space is left, `InvalidInput` if the folder cannot be written to; no
    temporary file stays behind.
    """
    try:
        with atomic_path(target) as temporary:
            yield temporary
    except OSError as fault:
        raise InvalidInput(
            f"image cache in '{target.parent}' cannot be written ({fault.strerror or fault}): "
            "make the folder writable or choose another cache folder"
        ) from fault
