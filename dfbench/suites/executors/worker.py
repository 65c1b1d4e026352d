"""A task on a worker of a cluster: in a temporary folder, from bytes to bytes."""

from __future__ import annotations

import platform
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import wait
from pathlib import Path

from platformdirs import user_cache_path

from dfbench.numerics import pin_numerics
from dfbench.planning.plan import Plan
from dfbench.process.supervision import Supervision
from dfbench.records.state import LOCK_FILE, STATE_FILE, failure
from dfbench.suites.executors.local import LocalExecutor
from dfbench.suites.executors.parcel import Parcel, places, unpack
from dfbench.suites.executors.task import Task, TaskResult
from dfbench.system.files import atomic_path, drop_leftovers

Files = Mapping[str, bytes]


def do(content: str, names: Sequence[str], *contents: bytes) -> tuple[str, dict[str, bytes]]:
    """Execute the task of a parcel (JSON) with named files; return its result (JSON) and files.

    Only decoded images stay on this machine, in the user's cache folder. An interrupt ends the
    task: its result says so, and its checkpoints are returned like other files.
    """
    files = dict(zip(names, contents, strict=True))
    with tempfile.TemporaryDirectory(prefix="dfbench-") as folder:
        place = Path(folder)
        parcel = Parcel.model_validate_json(content)
        result = _result(parcel, files, place)
        home = result.model_copy(update={"files": ()}).model_dump_json()
        return home, {**_left(place, parcel.folder), **_new_networks(place, files)}


def _result(parcel: Parcel, files: Files, place: Path) -> TaskResult:
    try:
        for name, content in files.items():
            with atomic_path(place / name) as temporary:
                temporary.write_bytes(content)
        _keep_images(place)
        task, plan = unpack(parcel, place)
        pin_numerics(plan.session.threads, seed=0)
    except KeyboardInterrupt as interrupt:
        return TaskResult(state=failure(interrupt))
    except Exception as fault:  # noqa: BLE001  # any error becomes the task's result
        state = failure(fault)
        where = f"on node {platform.node()!r}: {state.reason}"
        return TaskResult(state=state.model_copy(update={"reason": where}))
    return _done(task, plan, Supervision(parcel.limits))


def _keep_images(place: Path) -> None:
    """Keep the cache of decoded images beyond this task."""
    images = user_cache_path("dfbench", appauthor=False) / "images"
    images.mkdir(parents=True, exist_ok=True)
    link = places(place).cache / "images"
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(images, target_is_directory=True)


def _done(task: Task, plan: Plan, supervision: Supervision) -> TaskResult:
    executor = LocalExecutor({task.eval_id: plan}, [{}], supervision, logged=True)
    future = executor.submit(task)
    try:
        return future.result()
    except KeyboardInterrupt as interrupt:
        executor.stop()
        wait([future])
        return TaskResult(state=failure(interrupt))
    finally:
        executor.close()


def _left(place: Path, folder: str) -> dict[str, bytes]:
    """The files of the run: encoders, embeddings, pictures, curves, pairs, log, checkpoints."""
    drop_leftovers(place / folder)
    return {
        file.relative_to(place).as_posix(): file.read_bytes()
        for file in (place / folder).rglob("*")
        if file.is_file() and file.name not in (LOCK_FILE, STATE_FILE)
    }


def _new_networks(place: Path, brought: Files) -> dict[str, bytes]:
    teachers = places(place).cache / "teachers"
    found = {file.relative_to(place).as_posix(): file for file in teachers.glob("*.safetensors")}
    return {name: file.read_bytes() for name, file in found.items() if name not in brought}
