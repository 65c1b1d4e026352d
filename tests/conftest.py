"""A whole little benchmark in temporary folders: data, cache, settings that train for a moment."""

from __future__ import annotations

import errno
import gc
import io
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from bench import ALTERNATIVE, BENCHMARK, Bench
from filelock import FileLock
from PIL import Image, ImageDraw
from preloaded import Popen, Source

from dfbench.system.machine import available_cores

REAL = subprocess.Popen

MOST_WORKERS = 8
"""Workers of pytest-xdist by `-n auto`: each holds about half a gigabyte."""


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Three workers for two cores that this process may use, within memory.

    For a fifth of their time, tests wait for other processes.
    """
    gibibytes = psutil.virtual_memory().available / 2**30
    return max(1, min(MOST_WORKERS, available_cores() * 3 // 2, int(gibibytes)))


@pytest.hookimpl(wrapper=True)
def pytest_collection(session: pytest.Session) -> Generator[None, object, object]:
    """Import modules and make tests without looking for garbage among them, then or later."""
    if not session.config.getoption("numprocesses", 0):  # the controller of pytest-xdist makes none
        import torch

        if not torch.cuda.is_available():
            # Triton's interpreter stands in for a GPU; it is chosen when Triton is first imported.
            os.environ.setdefault("TRITON_INTERPRET", "1")
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.fixture(scope="session", autouse=True)
def interruptible() -> None:
    """Ctrl-C interrupts, here and in children, even if a shell started this in its background."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def wide_terminal() -> Iterator[None]:
    """Tables are not folded, whatever terminal the tests run in."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", "250")
        patch.setenv("NO_COLOR", "1")
        patch.delenv("DFBENCH_PLUGINS_DIR", raising=False)
        patch.delenv("DFBENCH_CACHE", raising=False)
        yield


@pytest.fixture(scope="session", autouse=True)
def one_thread(wide_terminal: None) -> Iterator[None]:
    """Sums have one order, here and in child processes, whatever machine the tests run on."""
    import torch

    del wide_terminal
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", "1")
        # Plugin files of tests change within a second, which bytecode does not notice.
        patch.setenv("PYTHONDONTWRITEBYTECODE", "1")
        patch.setattr(sys, "dont_write_bytecode", True)
        yield


@pytest.fixture(scope="session")
def session_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of this session that the workers of pytest-xdist share."""
    own = tmp_path_factory.getbasetemp()
    folder = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "shared"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def pictures(session_folder: Path) -> Path:
    """A folder of five drawn classes, twelve photos and twelve sketches each, 32 px."""
    root = session_folder / "data" / "pictures"
    with FileLock(session_folder / "pictures.lock"):
        if not root.exists():
            made = session_folder / "half done"
            _draw(made)
            root.parent.mkdir()
            made.rename(root)
    return root


def _draw(root: Path) -> None:
    rng = np.random.RandomState(0)
    for modality in ("photo", "sketch"):
        for number, name in enumerate(sorted((*BENCHMARK, *ALTERNATIVE))):
            folder = root / modality / name
            folder.mkdir(parents=True)
            for i in range(12):
                _drawn(modality, number, rng).save(folder / f"{i}.png")


def _drawn(modality: str, number: int, rng: np.random.RandomState) -> Image.Image:
    paper = tuple(rng.randint(60, 200, 3)) if modality == "photo" else (255, 255, 255)
    ink = tuple(rng.randint(0, 50, 3)) if modality == "photo" else (0, 0, 0)
    fill = ink if modality == "photo" else None
    image = Image.new("RGB", (32, 32), paper)
    draw = ImageDraw.Draw(image)
    x, y = (int(v) for v in rng.randint(3, 12, 2))
    box = (x, y, x + 16, y + 16)
    if number % 2:
        draw.ellipse(box, fill=fill, outline=ink)
    else:
        draw.rectangle(box, fill=fill, outline=ink)
    for line in range(number):
        draw.line((x, y + 4 * line, x + 16, y + 3 * line), fill=(250, 20, 20), width=1)
    return image


@pytest.fixture(scope="session")
def cache(session_folder: Path) -> Path:
    """Decoded images and trained teachers that all tests share."""
    return session_folder / "cache"


@pytest.fixture
def bench(
    pictures: Path,
    cache: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Iterator[Bench]:
    """The command line with folders of its own; children are real processes."""
    yield Bench(tmp_path, monkeypatch, capsys, pictures, cache)
    _forget_modules(tmp_path, set(sys.modules))


def _forget_modules(folder: Path, names: set[str]) -> None:
    """Drop those of these modules whose files are below a folder, as the end of a process would."""
    for name in names:
        if (getattr(sys.modules[name], "__file__", None) or "").startswith(str(folder)):
            del sys.modules[name]


@pytest.fixture(scope="session", autouse=True)
def copied(one_thread: None, interruptible: None) -> Iterator[None]:
    """The process that `preloaded` copies, started when it is first needed."""
    del one_thread, interruptible
    Popen.source = Source()
    yield
    subprocess.Popen = REAL  # type: ignore[misc]
    Popen.source.close()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Fork the child processes of a test from the preloaded process, on Linux.

    Not those of a test marked `new_process`, nor any with DFBENCH_TEST_NEW_PROCESSES=1.
    """
    new = (
        sys.platform != "linux"
        or os.environ.get("DFBENCH_TEST_NEW_PROCESSES") == "1"
        or item.get_closest_marker("new_process") is not None
    )
    subprocess.Popen = REAL if new else Popen  # type: ignore[misc]


@pytest.fixture
def quick_bench(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """Like `bench`, but plugin code runs in this process: seconds less for each run.

    Modules of plugin files are forgotten after each verb.
    """
    from dfbench.process import handover
    from dfbench.process import launch as child
    from dfbench.process.supervision import Ending, Supervision
    from dfbench.worker import verbs as worker

    def here(command: list[str], _: Supervision, attend: Callable[[], None], *__: object) -> Ending:
        *_, verb, folder, _ = command
        monkeypatch.setattr(handover, "_pause", attend)
        before = set(sys.modules)
        try:
            return Ending(worker.main(verb, Path(folder)), 0.0)
        finally:
            _forget_modules(bench.place, set(sys.modules) - before)

    monkeypatch.setattr(child, "supervise", here)
    return bench


@pytest.fixture(autouse=True)
def own_numerics() -> Iterator[None]:
    """Leave torch's global switches to the next test as they were to this one."""
    import torch

    yield
    torch.set_num_threads(1)
    torch.set_flush_denormal(False)
    if torch.are_deterministic_algorithms_enabled():
        torch.use_deterministic_algorithms(False)


@pytest.fixture(scope="session")
def shell() -> dict[str, str]:
    """Environment of real processes."""
    return dict(os.environ)


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """After `full_disk(room)` no file can take more than `room` bytes: ENOSPC."""
    real = io.open

    class Full(io.FileIO):
        def write(self, data: Any) -> int:
            if self.tell() + len(memoryview(data).cast("B")) > self.room:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return super().write(data)

        room = 0

    def limited(
        file: Any,
        mode: str = "r",
        buffering: int = -1,
        encoding: str | None = None,
        *rest: Any,
        **more: Any,
    ) -> Any:
        if not set(mode) & set("wax") or "opener" in more:  # a temporary file without a name
            return real(file, mode, buffering, encoding, *rest, **more)
        binary = io.BufferedWriter(Full(file, mode.replace("b", "").replace("t", "")))
        return binary if "b" in mode else io.TextIOWrapper(binary, encoding=encoding)

    def fill(room: int) -> None:
        Full.room = room
        monkeypatch.setattr(io, "open", limited)

    return fill
