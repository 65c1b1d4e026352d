"""`python -m dfbench.worker VERB FOLDER PARENT`: the worker.

It ends silently on Ctrl-C during its imports, and ends when PARENT, the process that started it,
is gone.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

_WATCH_SECONDS = 0.1


def _end_with(parent: int) -> None:
    """Wait until `parent` is gone, then kill this process and its descendants."""
    while os.getppid() == parent:
        time.sleep(_WATCH_SECONDS)
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    folder = Path(sys.argv[2]).absolute()  # a plugin may change the current folder
    try:
        # Last, so that no file of the folder hides a module; a plugin may import its neighbours.
        sys.path.append("")
        threading.Thread(target=_end_with, args=(int(sys.argv[3]),), daemon=True).start()
        from dfbench.worker.verbs import main

        status = main(sys.argv[1], folder)
    except KeyboardInterrupt:
        status = 1
    with suppress(OSError):  # the log's disk may be full; the outcome has its own file
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(status)  # does not wait for threads that a plugin left running
