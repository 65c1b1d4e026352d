"""Tasks on a Ray cluster; their input files are sent along and their output files sent back."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from dfbench.errors import DfbenchError
from dfbench.need import lineage
from dfbench.planning.plan import Plan
from dfbench.process.folder import LOG_FILE
from dfbench.process.supervision import Supervision
from dfbench.records.state import (
    LOCK_FILE,
    STATE_FILE,
    RunLock,
    RunState,
    kept_state,
    read_state,
)
from dfbench.records.store import ResultStore
from dfbench.reporting.event_log import event_log
from dfbench.runs.execute import attempt
from dfbench.suites.executors.local import run_result
from dfbench.suites.executors.parcel import do, given_files, pack, run_name
from dfbench.suites.executors.task import RemoteExecutor, Resources, Task, TaskResult
from dfbench.system.files import atomic_path, drop_leftovers
from dfbench.system.locks import FileLock, is_locked

LOST_WORKERS = 3
"""Number of lost workers after which a task counts as failed."""
_GLANCE_SECONDS = 0.5
_GRACE_SECONDS = 30.0
_REASON_LENGTH = 300


class WorkersLost(DfbenchError):
    """A task that Ray could not complete."""


class RayExecutor(RemoteExecutor):
    """Threads of this process, each waiting for one task on the connected cluster."""

    def __init__(
        self, plans: Mapping[str, Plan], slots: int, gpus: float, supervision: Supervision
    ) -> None:
        """`gpus` is the share of a GPU that a task takes; its CPUs are its threads."""
        super().__init__(plans, slots, supervision)
        self._gpus = gpus
        self._sent: dict[Path, Any] = {}

    def busy(self, task: Task) -> bool:
        """Whether another process works on this run, or on a network that this one needs."""
        if task.network is None:
            return super().busy(task)
        plan = self._plans[task.eval_id]
        return any(is_locked(_lock(file)) for file in _missing(plan, task.network))

    def takes(self, task: Task) -> Resources:
        """The CPUs, one a thread, and the share of a GPU."""
        return {"cpus": self._plans[task.eval_id].session.threads, "gpus": self._gpus}

    def _executed(self, task: Task, plan: Plan) -> TaskResult:
        if task.network is not None:
            return self._trained(task, plan)
        # Workers share no disk with this machine: it logs what they send back.
        with event_log(plan.session.request.places.log_dir, plan.folder):
            found = self._run(task, plan)
        return self._reranked(plan) if found is None else found

    def _run(self, task: Task, plan: Plan) -> TaskResult | None:
        """The result of a run on the cluster; None if it is finished already."""
        store = ResultStore(plan.session.request.places.results)
        with RunLock(plan.folder, self._supervision.stop):
            found = store.find(plan.eval_id)
            if found and not (task.pairs and not plan.pairs_file.is_file()):
                return None
            begun = _begun(plan)
            with kept_state(plan.folder, plan.subject) as attempting:
                result = self._remote(task, plan, begun)
                attempting.elsewhere = result.state
                if (record := result.record) is not None:
                    result = result.model_copy(update={"files": (store.write(record),)})
                    if not result.done:  # only a re-ranking is missing
                        done = RunState(status="done", attempts=record.attempts)
                        attempting.elsewhere = done
        return result

    def _reranked(self, plan: Plan) -> TaskResult:
        """A finished run, with re-rankings that it lacks: done here, where its embeddings are."""
        supervision = replace(self._supervision, log=plan.folder / LOG_FILE)
        return run_result(attempt(plan, supervision=supervision))

    def _trained(self, task: Task, plan: Plan) -> TaskResult:
        name = task.network or ""
        with ExitStack() as locks:
            for file in _missing(plan, name):
                waiting = f"{file.stem[:12]} is being trained for the cache; waiting for it"
                locks.enter_context(FileLock(_lock(file), waiting, self._supervision.stop))
            identity = plan.networks[name]
            file = plan.session.network_file(identity)
            if plan.session.teachers.stored(identity) is not None:
                return TaskResult(state=RunState(status="done"), files=(file,))
            result = self._remote(task, plan, {})
        return result.model_copy(update={"files": (file,)})

    def _remote(self, task: Task, plan: Plan, begun: Mapping[str, Path]) -> TaskResult:
        """The result of a task; its files are copied home, and those of `begun` are updated."""
        import ray

        shared = {**given_files(task.request), **_networks(task, plan), **_pairs(plan)}
        contents = [self._shared(path) for path in shared.values()]
        contents += [path.read_bytes() for path in begun.values()]
        remote = ray.remote(do).options(
            num_cpus=plan.session.threads, num_gpus=self._gpus, max_retries=LOST_WORKERS
        )
        parcel = pack(task, plan, self._supervision).model_dump_json()
        content, files = self._awaited(remote.remote(parcel, [*shared, *begun], *contents))
        for name, data in files.items():
            with atomic_path(_home(plan, name)) as temporary:
                temporary.write_bytes(data)
        for name, path in begun.items():
            if name not in files and path.name != STATE_FILE:
                path.unlink(missing_ok=True)
        return TaskResult.model_validate_json(content)

    def _shared(self, path: Path) -> Any:
        """A file that several tasks read; it is sent to the cluster once."""
        import ray

        if path not in self._sent:
            self._sent[path] = ray.put(path.read_bytes())
        return self._sent[path]

    def _awaited(self, reference: Any) -> tuple[str, dict[str, bytes]]:
        import ray

        while not ray.wait([reference], timeout=_GLANCE_SECONDS)[0]:
            if self._supervision.stop.is_set():
                ray.cancel(reference)
                if not ray.wait([reference], timeout=_GRACE_SECONDS)[0]:
                    ray.cancel(reference, force=True)
                break
        try:
            answer: tuple[str, dict[str, bytes]] = ray.get(reference)
        except ray.exceptions.TaskCancelledError as fault:
            raise KeyboardInterrupt from fault
        except ray.exceptions.RayError as fault:
            raise WorkersLost(_given_up(fault)) from fault
        return answer


def _given_up(fault: Exception) -> str:
    cause = getattr(fault, "cause", None) or fault
    text = " ".join(str(cause).split())[:_REASON_LENGTH]
    return f"Ray gave up on the task ({type(cause).__name__}: {text})"


def _begun(plan: Plan) -> dict[str, Path]:
    """The files of an interrupted attempt by name: its state and its checkpoints."""
    state = read_state(plan.folder)
    if state is None or state.status == "done":
        return {}
    drop_leftovers(plan.folder)
    files = (file for file in plan.folder.rglob("*") if file.is_file() and file.name != LOCK_FILE)
    return {run_name(plan, file): file for file in files}


def _networks(task: Task, plan: Plan) -> dict[str, Path]:
    """The cached networks that a run needs, or that a network is made from, by name."""
    session = plan.session
    wanted = plan.networks.values()
    identities = wanted if task.network is None else lineage(session.networks, task.network)
    stored = (session.teachers.stored(identity) for identity in identities)
    return {f"cache/teachers/{found.path.name}": found.path for found in stored if found}


def _pairs(plan: Plan) -> dict[str, Path]:
    """The generated pairs that a run needs, by name; the task graph orders their run first."""
    file = plan.source.pairs_file if plan.source else None
    return {run_name(plan, file): file} if file and file.is_file() else {}


def _missing(plan: Plan, network: str) -> list[Path]:
    """Missing files of a network and of those it is made from, nearest first."""
    files = map(plan.session.network_file, lineage(plan.session.networks, network))
    return [file for file in files if not file.is_file()]


def _lock(network: Path) -> Path:
    return network.with_suffix(".lock")


def _home(plan: Plan, name: str) -> Path:
    root, _, rest = name.partition("/")
    folders = plan.session.request.places
    return {"runs": folders.runs, "cache": folders.cache}[root] / rest
