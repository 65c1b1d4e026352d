"""The parcel sent to a worker of a cluster: a task with its plan, and files by name.

Files have the same names at home and on a worker: `runs/...` and `cache/...` are below the folders
of these names, `given/...` are files that the user named: plugins and weights of teachers.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from dfbench.errors import DfbenchError, InvalidInput
from dfbench.planning.plan import Plan
from dfbench.planning.session import Sessions
from dfbench.plugins.method_info import MethodInfo
from dfbench.plugins.sources import PluginSources
from dfbench.process.messages import DatasetAnswer
from dfbench.process.supervision import Supervision
from dfbench.request import Limits, Places, RunRequest
from dfbench.suites.executors.task import Task
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
        device=session.device,
        folder=run_name(plan, plan.folder),
        limits=supervision.limits,
    )


def unpack(parcel: Parcel, place: Path) -> tuple[Task, Plan]:
    """A task and its plan on this machine, where all folders are below `place`.

    Raises `InvalidInput` if the run would differ here: another version of dfbench, or data that
    are missing or differ.
    """
    if parcel.version != __version__:
        raise InvalidInput(
            f"dfbench {__version__}, but {parcel.version} where the suite was started; "
            "install the same version on every node"
        )

    def here(file: Path) -> Path:
        return place / file

    request = _with_files(parcel.task.request, here).model_copy(update={"places": places(place)})
    offers = {name: _with_file(answer, here) for name, answer in parcel.datasets.items()}
    name = request.data.name
    try:
        session = Sessions(offers, parcel.device).open(request)
    except DfbenchError as fault:
        raise InvalidInput(
            f"dataset {name!r} cannot be opened: {fault}; a dataset that dfbench does not draw "
            "itself must be under the same path on every node"
        ) from fault
    plan = Plan(session, parcel.method, Plan(session, parcel.source) if parcel.source else None)
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


def _with_file(answer: DatasetAnswer, moved: Callable[[Path], Path]) -> DatasetAnswer:
    offer = answer.offer
    if offer is None or offer.file is None:
        return answer
    return answer.model_copy(update={"offer": offer.model_copy(update={"file": moved(offer.file)})})
