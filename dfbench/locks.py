"""Locks on files, for processes that must not do the same thing at once.

A lock lives as long as any process holds its descriptor open: the system frees it when the last
one ends, however it ends.
"""

from __future__ import annotations

import fcntl
import os
import threading
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from dfbench.console import note
from dfbench.files import room_for

_RETRY_SECONDS = 0.1


class FileLock:
    """Held inside a `with` block by one process, or thread, at a time.

    `waiting` is said once, as a note, if another holds it. Raises `KeyboardInterrupt` if `stop` is
    set while waiting, and `DiskFull` if there is no room for the file.
    """

    def __init__(self, path: Path, waiting: str, stop: threading.Event | None = None) -> None:
        self._path = path
        self._waiting = waiting
        self._stop = stop or threading.Event()
        self._descriptor: int | None = None

    @property
    def descriptor(self) -> int:
        """What another process has to inherit to hold the lock too."""
        if self._descriptor is None:
            raise RuntimeError("only a lock that is held has a descriptor")
        return self._descriptor

    def __enter__(self) -> Self:
        with room_for(self._path):
            self._path.parent.mkdir(parents=True, exist_ok=True)
        attempts = 0
        while not self._taken():
            attempts += 1
            if attempts == 2:  # whoever only probes the lock lets go of it at once
                note(self._waiting)
            if self._stop.wait(_RETRY_SECONDS):
                raise KeyboardInterrupt
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # Gone before it is free, so that whoever waits for it sees that it has to make a new one.
        self._path.unlink(missing_ok=True)
        os.close(self.descriptor)
        self._descriptor = None

    def _taken(self) -> bool:
        with room_for(self._path):
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o666)
        with suppress(BlockingIOError, FileNotFoundError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.samestat(os.fstat(descriptor), self._path.stat()):
                self._descriptor = descriptor
                return True
        os.close(descriptor)
        return False


def is_locked(path: Path) -> bool:
    """Whether any process holds the lock on a file."""
    try:
        descriptor = os.open(path, os.O_RDONLY)  # whoever looks on may not be able to write
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
