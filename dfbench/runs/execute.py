"""One run from plan to record: teachers, fit in a separate process, ranking, record."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from dfbench.errors import PluginFault
from dfbench.learning.checkpoint import drop_checkpoints
from dfbench.need import Need
from dfbench.planning.plan import Plan
from dfbench.process.folder import TRAINING_FOLDER
from dfbench.process.handover import LABELS_FILE, TestImages, handed_over, shared_arrays
from dfbench.process.launch import call_fit
from dfbench.process.supervision import Supervision
from dfbench.records.record import Record
from dfbench.records.showcase import SHOWCASE_FOLDER, lacks_showcase
from dfbench.records.state import (
    LOCK_FILE,
    STATE_FILE,
    RunLock,
    RunState,
    failure,
    kept_state,
    read_state,
)
from dfbench.records.store import ResultStore, record_file, run_folder
from dfbench.runs.exhibit import RETRIEVALS_FILE, exhibit, exhibit_later
from dfbench.runs.ingredients import ensure_networks, ingredients_of, job_of, supplied_arrays
from dfbench.runs.ranking import (
    Embeddings,
    Ranking,
    keep_by_knowledge,
    rank,
    read_embeddings,
)
from dfbench.runs.recording import make_record
from dfbench.runs.reranking import add_rerankings
from dfbench.system.console import note
from dfbench.system.file_errors import FileFault
from dfbench.system.files import check_writable, drop_leftovers
from dfbench.teachers.store import StoredNetwork


def check_places(plans: Iterable[Plan]) -> None:
    """Raise `FileFault` unless records, run folders and missing networks can be written."""
    targets: dict[Path, Path] = {}
    for plan in plans:
        for target in _targets(plan):
            targets.setdefault(target.parent, target)
    for target in targets.values():
        check_writable(target)


def _targets(plan: Plan) -> list[Path]:
    session = plan.session
    request = session.request
    label, name, seed = plan.method.label, session.dataset.name, request.seed
    networks = map(session.network_file, plan.networks.values())
    return [
        record_file(request.places.results, name, label, seed, plan.eval_id),
        plan.folder / STATE_FILE,
        *(file for file in networks if not file.is_file()),
    ]


@dataclass(frozen=True)
class Run:
    """A finished run."""

    record: Record
    path: Path
    """File of the record."""
    folder: Path
    """Folder of large files."""
    earlier: Record | None
    """An earlier record of the same identity."""
    reused: bool
    """Whether the earlier record was reused and nothing was executed."""


@dataclass(frozen=True)
class Attempt:
    """The result of an attempt at a plan."""

    plan: Plan
    state: RunState
    run: Run | None
    """The finished run, also if a re-ranking of it failed; None if it did not finish."""


def attempt(
    plan: Plan,
    *,
    force: bool = False,
    pairs: bool = False,
    supervision: Supervision | None = None,
) -> Attempt:
    """Like `execute`, but errors in the run are returned as its state.

    Raises only `KeyboardInterrupt`.
    """
    supervision = supervision or Supervision()
    run = None
    try:
        run = execute(plan, force=force, pairs=pairs, supervision=supervision)
        record, fault = add_rerankings(plan, run.record, run.folder, supervision)
        run = replace(run, record=record)
        if fault is not None:
            return Attempt(plan, failure(fault), run)
    except Exception as fault:  # noqa: BLE001  # no error of one run stops the others
        failed, stored = failure(fault), read_state(plan.folder)
        same = stored is not None and stored.reason == failed.reason
        return Attempt(plan, stored if stored and same else failed, run)
    stored = read_state(plan.folder)
    done = stored is not None and stored.status == "done"
    state = stored if stored and done else RunState(status="done", attempts=run.record.attempts)
    return Attempt(plan, state, run)


def execute(
    plan: Plan,
    *,
    force: bool = False,
    pairs: bool = False,
    supervision: Supervision | None = None,
) -> Run:
    """Execute a plan unless it has a record already (`force` repeats it).

    With `pairs`, a run whose generated pairs are gone is also repeated. A finished run that lacks
    only its showcase gets one. Only one process at a time executes a run: the others wait and reuse
    its record. The state of the run is always kept in its folder. Threads may execute different
    plans. Raises `FileFault` before anything is computed if its folders cannot be written.
    """
    supervision = supervision or Supervision()
    found = _finished(plan)
    if found and not _again(plan, force=force, pairs=pairs):
        _complete(plan, found.record, supervision)
        return found
    check_places((plan,))
    with RunLock(plan.folder, supervision.stop) as lock:
        found = _finished(plan)
        if found and not _again(plan, force=force, pairs=pairs):  # it was waited for
            return found
        if found and not _begun(plan.folder):
            _clear(plan.folder)
        drop_leftovers(plan.folder)
        return _done(plan, found.record if found else None, supervision, lock)


def with_rerankings(plan: Plan, run: Run, supervision: Supervision) -> Run:
    """The run with the re-rankings that its plan asks for. Raises the first error of one."""
    record, fault = add_rerankings(plan, run.record, run.folder, supervision)
    if fault is not None:
        raise fault
    return replace(run, record=record)


def _complete(plan: Plan, record: Record, supervision: Supervision) -> None:
    """Add the showcase to a finished run that lacks it."""
    if not lacks_showcase(plan.folder):
        return
    try:
        with RunLock(plan.folder, supervision.stop):
            if lacks_showcase(plan.folder):
                exhibit_later(plan, record)
    except FileFault as fault:
        note(f"{plan.method.label}: best and worst queries cannot be kept ({fault})")


def _finished(plan: Plan) -> Run | None:
    places = plan.session.request.places
    found = ResultStore(places.results).find(plan.eval_id)
    if found is None:
        return None
    path, record = found
    # The folder of the same images may have had another name at the time of the run.
    name, label = record.data.name, record.method.label
    folder = run_folder(places.runs, name, label, record.seed, record.fit_id)
    return Run(record, path, folder, record, reused=True)


def _again(plan: Plan, *, force: bool, pairs: bool) -> bool:
    return force or (pairs and not plan.pairs_file.is_file())


def _begun(folder: Path) -> bool:
    """Whether an interrupted attempt left checkpoints here to resume from."""
    state = read_state(folder)
    return state is not None and state.status != "done"


def _clear(folder: Path) -> None:
    for entry in folder.iterdir():
        if entry.name == LOCK_FILE:
            continue
        if entry.is_dir():
            shutil.rmtree(entry)
        else:
            entry.unlink()


def _done(plan: Plan, earlier: Record | None, supervision: Supervision, lock: RunLock) -> Run:
    request, folder = plan.session.request, plan.folder
    note(plan.subject.title)
    with kept_state(folder, plan.subject) as attempting:
        try:
            networks = ensure_networks(plan, supervision)
            record = _fit_and_rank(plan, networks, attempting.number, supervision, lock)
        except PluginFault:
            drop_checkpoints(folder / TRAINING_FOLDER)  # a fixed plugin starts afresh
            raise
        if earlier is not None and earlier.digests.embeddings == record.digests.embeddings:
            record = record.model_copy(update={"reranked": earlier.reranked})
        path = ResultStore(request.places.results).write(record)
        attempting.peak_memory_mib = record.peak_memory_mib
    drop_checkpoints(folder / TRAINING_FOLDER)
    return Run(record, path, folder, earlier, reused=False)


def _fit_and_rank(
    plan: Plan,
    networks: Mapping[str, StoredNetwork],
    attempts: int,
    supervision: Supervision,
    lock: RunLock,
) -> Record:
    folder = plan.folder
    ingredients = ingredients_of(plan, networks)
    images = TestImages.shuffled(plan.session.test_images())
    _forget_ranking(folder)
    with (
        shared_arrays(folder, supplied_arrays(plan)) as arrays,
        handed_over(folder, images.arrays()) as attend,
    ):
        run_source = partial(execute, pairs=True, supervision=supervision)
        job = job_of(plan, ingredients, arrays, supervision, run_source)
        outcome = call_fit(job, folder, supervision, attend=attend, inherit=(lock.descriptor,))
    facts = outcome.facts
    if facts is None:
        raise RuntimeError("a fit without an error has facts")
    images.save_labels(folder)
    started = time.monotonic()
    embeddings: dict[str, Embeddings] = {}
    rankings: dict[str, Ranking] = {}
    for name, similarity in facts.similarities.items():
        if plan.needs(Need.KNOWN_CLASS_ORACLE):
            keep_by_knowledge(folder, name, images, plan.session.division, plan.method.label)
        embeddings[name] = read_embeddings(folder, name, images, plan.method.label)
        rankings[name] = rank(plan, images, embeddings[name], similarity, name)
    seconds = time.monotonic() - started
    values = rankings[""].evaluation.per_query["map@all"]
    exhibit(plan, images, embeddings[""], facts.similarities[""], values)
    return make_record(plan, ingredients, images.sets, facts, rankings, seconds, attempts)


def _forget_ranking(folder: Path) -> None:
    """Remove files with labels that an unrecorded attempt left: the next fit works there."""
    (folder / LABELS_FILE).unlink(missing_ok=True)
    shutil.rmtree(folder / SHOWCASE_FOLDER, ignore_errors=True)
    for file in (*folder.glob("per_query*.npz"), folder / RETRIEVALS_FILE):
        file.unlink(missing_ok=True)
