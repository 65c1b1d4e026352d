"""File locks, for processes that must not do the same work at the same time.

`filelock` takes and frees them; the system frees the lock of a process that was killed. Ours are
four things that it does not offer: the file is removed afterwards (one that another user left in
a shared folder could not be opened), a child may inherit the lock, looking at a lock needs no
permission to write, and on a file system without locks (some of Lustre and NFS) a file in this
machine's temporary folder is locked instead, which keeps apart the processes of one user here.
"""

from __future__ import annotations

import os
import sys
import tempfile
import threading
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from dfbench.system.console import note
from dfbench.system.file_errors import NO_LOCKS
from dfbench.system.files import writing

if TYPE_CHECKING:
    import filelock

_RETRY_SECONDS = 0.1
_told_devices: set[int] = set()
"""File systems without locks that have been reported."""


class FileLock:
    """A lock held inside a `with` block by one process, or thread, at a time.

    If another holds it, `waiting` is printed once as a note. Raises `KeyboardInterrupt` if `stop`
    is set while waiting, and `FileFault` if the file cannot be written.
    """

    def __init__(self, path: Path, waiting: str, stop: threading.Event | None = None) -> None:
        self._path = path
        self._waiting = waiting
        self._stop = stop or threading.Event()
        self._lock: filelock.BaseFileLock | None = None
        self._descriptor: int | None = None

    @property
    def descriptor(self) -> int:
        """What another process has to inherit to hold the lock too, should this one be killed."""
        if self._descriptor is None:
            raise RuntimeError("only a lock that is held has a descriptor")
        return self._descriptor

    def __enter__(self) -> Self:
        with writing(self._path.parent):
            self._path.parent.mkdir(parents=True, exist_ok=True)
        attempts = 0
        while not self._taken():
            attempts += 1
            if attempts == 2:  # a process that only looks at the lock frees it at once
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
        # Removed before it is freed: a process that waits then sees that it has to make a new one.
        with suppress(OSError):  # a name that stays is no lock
            self._path.unlink(missing_ok=True)
        if self._lock is not None:
            self._lock.release()
        self._lock = self._descriptor = None

    def _taken(self) -> bool:
        import filelock  # not needed by the many commands that only look at locks

        lock = filelock.FileLock(self._path, blocking=False, on_acquired=self._own)
        with writing(self._path.parent):
            try:
                lock.acquire()
            except filelock.Timeout:
                return False
            except OSError as fault:
                self._substitute(fault)
                return False
        if self._descriptor is None:
            lock.release()
            return False
        self._lock = lock
        return True

    def _own(self, descriptor: int) -> None:
        """Keep the descriptor of the lock, unless its file was removed meanwhile.

        Network file systems keep a removed file under another name until it is closed.
        """
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(descriptor), self._path.stat()):
                self._descriptor = descriptor

    def _substitute(self, fault: OSError) -> None:
        """Lock another file from now on, if the error says that the file system has no locks."""
        substitute = _substitute(self._path)
        if fault.errno not in NO_LOCKS or substitute.parent == self._path.parent:
            raise fault
        _tell(self._path)
        self._path.unlink(missing_ok=True)
        substitute.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._path = substitute


def is_locked(path: Path) -> bool:
    """Whether any process holds the lock on a file, which is only read."""
    if sys.platform == "win32":
        return False  # only runs are looked at, and they need a POSIX system
    return any(map(_held, (path, _substitute(path))))


def _held(path: Path) -> bool:
    import fcntl

    try:
        descriptor = os.open(path, os.O_RDONLY)
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
    """The file locked on this machine in place of one whose file system has no locks."""
    name = blake2b(os.fsencode(path.parent.resolve() / path.name), digest_size=16).hexdigest()
    return Path(tempfile.gettempdir(), f"dfbench-locks-{os.getuid()}", name)


def _tell(path: Path) -> None:
    with suppress(OSError):  # the folder is gone: nothing to warn about
        device = path.parent.stat().st_dev
        if device not in _told_devices:
            _told_devices.add(device)
            note(
                f"the file system of '{path.parent}' has no file locks: processes on this machine "
                "exclude each other, those on other machines do not"
            )
