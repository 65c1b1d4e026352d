"""Locks on files, for processes that must not do the same thing at once.

A lock lives as long as any process holds its descriptor open: the system frees it when the last
one ends, however it ends. On a file system without locks (some of Lustre and NFS) a file in this
machine's temporary folder is locked instead, which keeps apart the processes of one user here.
"""

from __future__ import annotations

import os
import tempfile
import threading
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from types import TracebackType
from typing import Self

from dfbench.errors import DfbenchError
from dfbench.system.console import note
from dfbench.system.file_errors import NO_LOCKS
from dfbench.system.files import writing

try:
    import fcntl
except ModuleNotFoundError as fault:
    raise DfbenchError(
        "this system has no POSIX file locks; allowed: Linux, macOS, or on Windows its subsystem "
        "for Linux (WSL)"
    ) from fault

_RETRY_SECONDS = 0.1
_told_devices: set[int] = set()
"""File systems without locks that have been mentioned."""


class FileLock:
    """Held inside a `with` block by one process, or thread, at a time.

    `waiting` is said once, as a note, if another holds it. Raises `KeyboardInterrupt` if `stop` is
    set while waiting, and `FileFault` if the file cannot be written.
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
        with writing(self._path.parent):
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
        with suppress(OSError):  # a name that stays is no lock
            self._path.unlink(missing_ok=True)
        os.close(self.descriptor)
        self._descriptor = None

    def _taken(self) -> bool:
        with writing(self._path.parent):
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o666)
            try:
                if self._locked(descriptor):
                    self._descriptor = descriptor
                    return True
            finally:
                if self._descriptor is None:
                    os.close(descriptor)
        return False

    def _locked(self, descriptor: int) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return os.path.samestat(os.fstat(descriptor), self._path.stat())
        except (BlockingIOError, FileNotFoundError):
            return False
        except OSError as fault:
            substitute = _substitute(self._path)
            if fault.errno not in NO_LOCKS or substitute.parent == self._path.parent:
                raise
            _tell(self._path)
            self._path.unlink(missing_ok=True)
            substitute.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._path = substitute
            return False


def is_locked(path: Path) -> bool:
    """Whether any process holds the lock on a file."""
    return any(map(_held, (path, _substitute(path))))


def _held(path: Path) -> bool:
    try:
        descriptor = os.open(path, os.O_RDONLY)  # whoever looks on may not be able to write
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError as fault:
        if fault.errno not in NO_LOCKS:
            raise
    finally:
        os.close(descriptor)
    return False


def _substitute(path: Path) -> Path:
    """What is locked on this machine in place of a file whose file system has no locks."""
    name = blake2b(os.fsencode(path.parent.resolve() / path.name), digest_size=16).hexdigest()
    return Path(tempfile.gettempdir(), f"dfbench-locks-{os.getuid()}", name)


def _tell(path: Path) -> None:
    with suppress(OSError):  # its folder is gone: then there is nothing to warn of
        device = path.parent.stat().st_dev
        if device not in _told_devices:
            _told_devices.add(device)
            note(
                f"the file system of '{path.parent}' has no file locks: processes on this machine "
                "are kept apart, those on other machines are not"
            )
