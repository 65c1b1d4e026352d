"""Fitting without test images, for users who have only teachers."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from dfbench.errors import PluginFault
from dfbench.learning.checkpoint import drop_checkpoints
from dfbench.planning.plan import Plan
from dfbench.process.folder import ENCODERS_FILE, TRAINING_FOLDER
from dfbench.process.handover import shared_arrays
from dfbench.process.launch import call_fit
from dfbench.process.supervision import Supervision
from dfbench.records.state import RunLock, kept_state, read_state
from dfbench.runs.ingredients import ensure_networks, ingredients_of, job_of, supplied_arrays
from dfbench.system.console import note
from dfbench.system.files import check_writable, drop_leftovers


def fit_unscored(
    plan: Plan, *, force: bool = False, supervision: Supervision | None = None
) -> Path:
    """Fit a plan without test images; returns the file of its encoders.

    A finished fit is not repeated without `force`. No record is written. The state of the run is
    kept in its folder and its lock is held, as in `dfbench.runs.execute`.
    """
    supervision, folder = supervision or Supervision(), plan.folder
    if force or not _fitted(folder):
        check_writable(folder / ENCODERS_FILE)
    with RunLock(folder, supervision.stop) as lock:
        if force or not _fitted(folder):
            drop_leftovers(folder)
            note(f"{plan.method.label} without test images, seed {plan.session.request.seed}")
            _fit(plan, supervision, lock)
    return folder / ENCODERS_FILE


def _fitted(folder: Path) -> bool:
    state = read_state(folder)
    return state is not None and state.status == "done" and (folder / ENCODERS_FILE).is_file()


def _fit(plan: Plan, supervision: Supervision, lock: RunLock) -> None:
    folder = plan.folder
    with kept_state(folder) as attempting:
        try:
            ingredients = ingredients_of(plan, ensure_networks(plan, supervision))
            run_source = partial(fit_unscored, supervision=supervision)
            with shared_arrays(folder, supplied_arrays(plan)) as arrays:
                job = job_of(plan, ingredients, arrays, supervision, run_source)
                outcome = call_fit(job, folder, supervision, inherit=(lock.descriptor,))
        except PluginFault:
            drop_checkpoints(folder / TRAINING_FOLDER)  # a fixed plugin starts afresh
            raise
        if outcome.facts is not None:
            attempting.peak_memory_mib = outcome.facts.peak_memory_mib
    drop_checkpoints(folder / TRAINING_FOLDER)
