"""A parcel, sent to a worker of a cluster, and its execution there: a task, its plan, and files.

Files have the same names at home and on a worker: `runs/...` and `cache/...` are below the folders
of these names, `given/...` are files that the user named: plugins and weights of teachers.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from platformdirs import user_cache_path
from pydantic import BaseModel, ConfigDict

from dfbench.errors import DfbenchError, InvalidInput
from dfbench.numerics import pin_numerics
from dfbench.planning.plan import Plan
from dfbench.planning.session import Sessions
from dfbench.plugins.info import MethodInfo, RerankerInfo
from dfbench.plugins.networks import NetworkOffer
from dfbench.plugins.sources import PluginSources
from dfbench.process.messages import DatasetAnswer
from dfbench.process.supervision import Supervision
from dfbench.records.state import LOCK_FILE, STATE_FILE, failure
from dfbench.request import Limits, Places, RunRequest
from dfbench.suites.executors.local import execute_here, refused_here
from dfbench.suites.executors.task import Task, TaskResult, check_version
from dfbench.system.files import atomic_path, drop_leftovers
from dfbench.version import __version__


class Parcel(BaseModel):
    """A task as sent to a worker: only the paths of data depend on the home machine."""

    model_config = ConfigDict(frozen=True)

    version: str
    """Version of dfbench at home."""
    task: Task
    method: MethodInfo
    source: MethodInfo | None
    """The method whose generated pairs this one needs."""
    datasets: dict[str, DatasetAnswer]
    """Registration of the datasets of the request."""
    networks: tuple[NetworkOffer, ...] = ()
    """Networks of plugins among those of the teachers."""
    rerankers: tuple[RerankerInfo, ...] = ()
    """Re-rankers of the run."""
    device: str
    """`cpu` or `cuda`."""
    folder: str
    """Name of the run's folder: `runs/...`."""
    limits: Limits
    """Memory limit of the run's process, as `timeout` is its time limit."""


def pack(task: Task, plan: Plan, supervision: Supervision) -> Parcel:
    """A task with its plan; data folders become absolute, and the user's files get names."""
    names = {path: Path(name) for name, path in given_files(task.request).items()}
    request = _with_files(task.request, names.__getitem__)
    data, session = request.data, plan.session
    request = request.model_copy(
        update={
            "data": data.model_copy(
                update={"base": data.base.resolve(), "root": data.root and data.root.resolve()}
            ),
            "threads": session.threads,
            **{f"{modality}_teacher": one.identity for modality, one in session.external.items()},
        }
    )
    return Parcel(
        version=__version__,
        task=task.model_copy(update={"request": request}),
        method=plan.method,
        source=plan.source.method if plan.source else None,
        datasets={n: _with_file(answer, names.__getitem__) for n, answer in session.offers.items()},
        networks=_moved(session.plugin_networks, names.__getitem__),
        rerankers=plan.rerankers,
        device=session.device,
        folder=run_name(plan, plan.folder),
        limits=supervision.limits,
    )


def unpack(parcel: Parcel, place: Path) -> tuple[Task, Plan]:
    """A task and its plan on this machine, where all folders are below `place`.

    Raises `InvalidInput` if the run would differ here: another version of dfbench, or data that
    are missing or differ.
    """
    check_version(parcel.version)

    def here(file: Path) -> Path:
        return place / file

    request = _with_files(parcel.task.request, here).model_copy(update={"places": places(place)})
    offers = {name: _with_file(answer, here) for name, answer in parcel.datasets.items()}
    name = request.data.name
    try:
        session = Sessions(offers, parcel.device, _moved(parcel.networks, here)).open(request)
    except DfbenchError as fault:
        raise InvalidInput(
            f"dataset {name!r} cannot be opened: {fault}; a dataset that dfbench does not draw "
            "itself must be under the same path on every node"
        ) from fault
    source = Plan(session, parcel.source) if parcel.source else None
    plan = Plan(session, parcel.method, source, parcel.rerankers)
    if plan.eval_id != parcel.task.eval_id:
        raise InvalidInput(
            f"dataset {name!r} differs from the one that the run was planned for; copy the same "
            "files to every node"
        )
    return parcel.task.model_copy(update={"request": request}), plan


def places(place: Path) -> Places:
    """A worker's folders."""
    return Places(results=place / "results", runs=place / "runs", cache=place / "cache")


def run_name(plan: Plan, path: Path) -> str:
    """The name in a parcel of a file or folder of runs at home."""
    return f"runs/{path.relative_to(plan.session.request.places.runs).as_posix()}"


def given_files(request: RunRequest) -> dict[str, Path]:
    """The files that the user named for a run, by name in the parcel."""
    files = _plugin_files(request)
    if request.settings.weights is not None:
        files.append(request.settings.weights)
    return {f"given/{number}/{file.name}": file for number, file in enumerate(files)}


def _plugin_files(request: RunRequest) -> list[Path]:
    """Plugin files in the order of registration."""
    folder = request.plugins.folder
    return [*(sorted(folder.glob("*.py")) if folder else ()), *request.plugins.files]


def _with_files(request: RunRequest, moved: Callable[[Path], Path]) -> RunRequest:
    """The request with other paths for the user's files; a folder is replaced by its files."""
    settings = request.settings
    plugins = PluginSources(files=tuple(moved(file) for file in _plugin_files(request)))
    if settings.weights is not None:
        settings = settings.with_weights(moved(settings.weights))
    return request.model_copy(update={"plugins": plugins, "settings": settings})


def _moved(
    networks: tuple[NetworkOffer, ...], moved: Callable[[Path], Path]
) -> tuple[NetworkOffer, ...]:
    return tuple(one.model_copy(update={"file": one.file and moved(one.file)}) for one in networks)


def _with_file(answer: DatasetAnswer, moved: Callable[[Path], Path]) -> DatasetAnswer:
    offer = answer.offer
    if offer is None or offer.file is None:
        return answer
    # Networks beside a plugin file stay at home; a task is sent those that it needs.
    update = {"file": moved(offer.file), "teachers": None}
    return answer.model_copy(update={"offer": offer.model_copy(update=update)})


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
        return refused_here(fault)
    return execute_here(task, plan, Supervision(parcel.limits))


def _keep_images(place: Path) -> None:
    """Keep the cache of decoded images beyond this task."""
    images = user_cache_path("dfbench", appauthor=False) / "images"
    images.mkdir(parents=True, exist_ok=True)
    link = places(place).cache / "images"
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(images, target_is_directory=True)


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
