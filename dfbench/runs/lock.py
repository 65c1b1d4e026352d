"""One process at a time works in the folder of a run."""

from __future__ import annotations

import threading
from pathlib import Path

from dfbench.locks import FileLock, is_locked

LOCK_FILE = ".lock"


class RunLock(FileLock):
    """The lock on a run's folder; the process that fits inherits it from the one that started it.

    So a run counts as going on as long as either of the two lives.
    """

    def __init__(self, folder: Path, stop: threading.Event | None = None) -> None:
        waiting = f"another process is at this run; waiting for it ({folder})"
        super().__init__(folder / LOCK_FILE, waiting, stop)


def held(folder: Path) -> bool:
    """Whether a process works in the folder of a run."""
    return is_locked(folder / LOCK_FILE)
