"""Curves and pictures of a run in progress as TensorBoard events."""

from __future__ import annotations

import threading
import time
from contextlib import AbstractContextManager, nullcontext
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from dfbench.errors import DfbenchError, InvalidInput
from dfbench.reporting.live_curves import CurveTail
from dfbench.system.console import note
from dfbench.system.files import check_writable
from dfbench.version import install_command

_SECONDS = 2.0
_PICTURES = "pictures"
_OF_TEST_IMAGES = "retrievals"


def check_log_folder(folder: Path | None) -> None:
    """Raise `InvalidInput` without tensorboard, `FileFault` for a folder that is not writable."""
    if folder is None:
        return
    if find_spec("tensorboard") is None:
        raise InvalidInput(
            "--log-dir needs the package tensorboard, which is not installed; install it: "
            f"{install_command('tensorboard')}; or without it: dfbench watch RUN"
        )
    check_writable(folder / "events")


def event_log(folder: Path | None, run: Path) -> AbstractContextManager[object]:
    """The log of a run's folder in a folder, or nothing without one."""
    return nullcontext() if folder is None else EventLog(folder, run)


class EventLog:
    """Inside a `with` block, follows a run's folder and writes events to a folder of its name.

    What an earlier attempt left in the run's folder is written only if the run was not repeated.
    An error stops the log with a note, and not the run.
    """

    def __init__(self, target: Path, run: Path) -> None:
        self._target = target / run.name
        self._pictures = run / _PICTURES
        self._began = time.time()
        self._tail = CurveTail(run, self._began)
        self._shown: dict[Path, float] = {}
        self._step = 0
        self._written = False
        self._failed = False
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._writer: Any = None

    def __enter__(self) -> Self:
        try:
            # It takes a second, and no other command needs it.
            from torch.utils.tensorboard import SummaryWriter

            self._writer = SummaryWriter(str(self._target))
        except (ImportError, OSError) as fault:  # on another machine than the one that asked
            self._refuse(fault)
        else:
            self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._writer is None:
            return
        self._stop.set()
        self._thread.join()
        self._update()
        if not self._written and kind is None:  # the run was finished before
            self._tail.since = 0.0
            self._update()
        self._writer.close()

    def _follow(self) -> None:
        while not self._stop.wait(_SECONDS):
            self._update()

    def _update(self) -> None:
        if self._failed:
            return
        try:
            self._write_curves()
            self._write_pictures()
            self._writer.flush()
        except (OSError, ValueError, DfbenchError) as fault:
            self._refuse(fault)

    def _refuse(self, fault: Exception) -> None:
        self._failed = True
        note(f"--log-dir {str(self._target.parent)!r} is no longer written: {fault}")

    def _write_curves(self) -> None:
        for point in self._tail.new():
            self._written = True
            self._step = max(self._step, point.step)
            for name, value in point.values.items():
                number = float("nan") if value is None else value
                self._writer.add_scalar(f"{point.loop}/{name}", number, point.step)

    def _write_pictures(self) -> None:
        import numpy as np
        from PIL import Image

        for file in sorted(self._pictures.glob("*.png")):
            changed = file.stat().st_mtime
            if file.stem == _OF_TEST_IMAGES or changed < self._tail.since:
                continue
            if self._shown.get(file) != changed:
                self._shown[file] = changed
                with Image.open(file) as picture:
                    pixels = np.asarray(picture.convert("RGB"))
                self._writer.add_image(file.stem, pixels, self._step, dataformats="HWC")
