"""One run from plan to record: teachers, fit in a process of its own, ranking, record."""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from dfbench.console import note
from dfbench.datasets.dataset import MODALITIES
from dfbench.errors import PluginFault
from dfbench.learning.loop import drop_checkpoints
from dfbench.method import Need
from dfbench.reporting.pictures import save_retrievals
from dfbench.runs.child import call
from dfbench.runs.job import TRAINING_FOLDER, FitFacts, Job
from dfbench.runs.plan import Plan
from dfbench.runs.ranking import Ranking, rank, read_embeddings
from dfbench.runs.record import Record
from dfbench.runs.recording import Ingredients, make_record
from dfbench.runs.shared_arrays import shared_arrays
from dfbench.runs.store import ResultStore, file_name
from dfbench.runs.supplies import supplied_arrays
from dfbench.runs.test_images import TestImages
from dfbench.teachers.store import StoredNetwork


@dataclass(frozen=True)
class Run:
    """A finished run."""

    record: Record
    path: Path
    """Its record."""
    folder: Path
    """Its heavy things."""
    earlier: Record | None
    """The record of the same identity that was there before."""
    reused: bool
    """Whether that one answers the request, so that nothing was done."""


def execute(plan: Plan, *, force: bool) -> Run:
    """Do what a plan says unless its record is there already (`force` repeats it)."""
    request = plan.session.request
    store = ResultStore(request.places.results)
    folder = run_folder(plan)
    found = store.find(plan.eval_id)
    if found and not force:
        return Run(found[1], found[0], folder, found[1], reused=True)
    if found:
        shutil.rmtree(folder, ignore_errors=True)
    note(f"{plan.row.label} on {plan.session.dataset.name}, seed {request.seed}")
    try:
        record = _fit_and_rank(plan, folder)
    except PluginFault:
        drop_checkpoints(folder / TRAINING_FOLDER)  # a mended plugin starts anew
        raise
    path = store.write(record)
    drop_checkpoints(folder / TRAINING_FOLDER)
    return Run(record, path, folder, found[1] if found else None, reused=False)


def run_folder(plan: Plan) -> Path:
    """Where the heavy things of a run lie."""
    request = plan.session.request
    name = f"{file_name(plan.row.label)}-s{request.seed}-{plan.fit_id[:12]}"
    return request.places.runs / file_name(plan.session.dataset.name) / name


def _fit_and_rank(plan: Plan, folder: Path) -> Record:
    teachers = plan.session.teachers
    ingredients = Ingredients(
        teachers={modality: teachers.teacher(modality) for modality in MODALITIES},
        modality_classifier=(
            teachers.modality_classifier() if plan.needs(Need.MODALITY_CLASSIFIER) else None
        ),
    )
    images = TestImages(plan.session.dataset, plan.fit_id)
    with shared_arrays(folder, {**images.arrays(), **supplied_arrays(plan)}) as arrays:
        facts = _fit(plan, folder, ingredients, arrays)
    started = time.monotonic()
    rankings: dict[str, Ranking] = {}
    for name, similarity in facts.similarities.items():
        embeddings = read_embeddings(folder, name, images, plan.row.label)
        rankings[name] = rank(plan.session, embeddings, similarity, folder, name, plan.row.label)
    save_retrievals(folder / "pictures" / "retrievals.png", plan.session.dataset, rankings[""].top)
    return make_record(plan, ingredients, facts, rankings, time.monotonic() - started)


def _fit(plan: Plan, folder: Path, ingredients: Ingredients, arrays: dict[str, Path]) -> FitFacts:
    def resolved(network: StoredNetwork) -> Path:
        return network.path.resolve()

    session, classifier = plan.session, ingredients.modality_classifier
    job = Job(
        row=plan.row,
        plugins=session.request.plugins,
        budget=session.budget,
        seed=session.request.seed,
        device=str(session.device),
        threads=session.threads,
        image_size=session.dataset.image_size,
        teachers={
            modality: resolved(network) for modality, network in ingredients.teachers.items()
        },
        modality_classifier=resolved(classifier) if classifier else None,
        arrays=arrays,
    )
    facts = call("fit", job, folder).facts
    if facts is None:
        raise RuntimeError("a fit without fault leaves its facts")
    return facts
