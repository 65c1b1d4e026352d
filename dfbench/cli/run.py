"""`dfbench run`: one row on one dataset, with the cheap rows that put its score in context."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click

from dfbench.cli.options import (
    alternative_option,
    cache_option,
    class_options,
    data_root_option,
    format_option,
    image_size_option,
    plugin_options,
    plugin_sources,
    results_option,
    runs_option,
    skip_unreadable_option,
)
from dfbench.cli.parameters import Choice, Duration, FiniteRange, key_values
from dfbench.datasets.split import HoldoutName
from dfbench.defaults import data_root_or_configured
from dfbench.errors import LARGEST_SEED, MOST_THREADS, InvalidConfig
from dfbench.hookspecs import NO_IMAGES
from dfbench.modality import Modality
from dfbench.planning.settings import absolute_files
from dfbench.process.supervision import Supervision
from dfbench.request import DataChoice, Places, Precision, RunRequest
from dfbench.scenarios import CLOSED
from dfbench.system.console import note, output, print_json

if TYPE_CHECKING:
    from dfbench.planning.plan import Plan


@click.command()
@click.option("--method", required=True, metavar="M", help="A row: NAME or NAME[VARIANT].")
@click.option(
    "--dataset",
    metavar="D",
    help="NAME, or folder:PATH for your images. With --photo-teacher and --sketch-teacher it is a "
    "test set, and may be left out: encoders are then fitted and not scored.",
)
@click.option(
    "--photo-teacher",
    metavar="T",
    help="A teacher that is there already: a file that `dfbench teachers import` wrote, or the "
    "beginning of an identity (dfbench teachers list).",
)
@click.option("--sketch-teacher", metavar="T", help="Likewise; give both or neither.")
@click.option(
    "--scenario",
    default=CLOSED,
    show_default=True,
    metavar="S",
    help="Which classes the teachers know: closed (all), overlap=0.5 (half of the classes both, "
    "the others one teacher or the other), fixed-overlap=0.5 (the same with as many classes a "
    "teacher at every overlap), unseen=0.25 or unseen=SPLIT (queries of classes that no teacher "
    "knows).",
)
@click.option("--seed", type=click.IntRange(0, LARGEST_SEED), default=0, show_default=True)
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="KEY=VALUE",
    help="A setting of the method, or of the shared budget (budget.steps=300) or the teachers "
    "(teachers.initialisation=random). See: dfbench describe M.",
)
@click.option("--device", type=Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True)
@click.option(
    "--threads", type=click.IntRange(1, MOST_THREADS), help="Processor threads; default: all cores."
)
@click.option(
    "--precision",
    type=Choice(["fp32", "bf16"]),
    default="fp32",
    show_default=True,
    help="Arithmetic of backbones and estimators in a fit; the training of teachers, losses, "
    "embeddings and scores are float32 anyway.",
)
@click.option(
    "--compile",
    "compiled",
    is_flag=True,
    help="Let torch.compile make the code of a fit's networks: minutes to begin with, faster steps "
    "from then on.",
)
@click.option(
    "--devices",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    metavar="N",
    help="GPUs of this machine that share a fit; with --device cpu, processes.",
)
@class_options
@alternative_option
@image_size_option
@data_root_option
@click.option(
    "--holdout",
    type=Choice(["fifth", "literature", "all"]),
    help="Test part: a fifth of photos and sketches (default), the published number of sketches a "
    "class and every photo, or all images (default of folder:PATH with given teachers).",
)
@click.option(
    "--duplicate-photos", is_flag=True, help="Count Sketchy's photos twice, as SAKE's lists do."
)
@skip_unreadable_option
@click.option("--alone", is_flag=True, help="Run only this row, not those that stand beside it.")
@click.option("--force", is_flag=True, help="Repeat a run that is already recorded.")
@click.option("--timeout", type=Duration(), metavar="TIME", help="End a fit after 90, 30m or 2h.")
@click.option(
    "--memory-limit",
    type=FiniteRange(0, min_open=True),
    metavar="GIB",
    help="End a fit whose process holds more memory than this.",
)
@click.option(
    "--checkpoint-seconds",
    type=FiniteRange(0),
    default=Supervision.checkpoint_seconds,
    show_default=True,
    help="Time between two checkpoints: what a killed run loses at most.",
)
@plugin_options
@results_option
@runs_option
@cache_option
@format_option("text", "json")
def run(
    *,
    method: str,
    dataset: str | None,
    photo_teacher: str | None,
    sketch_teacher: str | None,
    scenario: str,
    seed: int,
    settings: tuple[str, ...],
    device: str,
    threads: int | None,
    precision: Precision,
    compiled: bool,
    devices: int,
    classes: tuple[str, ...] | None,
    alternative_classes: tuple[str, ...] | None,
    alternative: str | None,
    image_size: int | None,
    data_root: Path | None,
    holdout: HoldoutName | None,
    duplicate_photos: bool,
    skip_unreadable: bool,
    alone: bool,
    force: bool,
    timeout: float | None,
    memory_limit: float | None,
    checkpoint_seconds: float,
    plugin_files: tuple[Path, ...],
    plugins_dir: Path | None,
    results: Path,
    runs: Path,
    cache: Path,
    form: str,
) -> None:
    """Train one row of the table and score it.

    Takes teachers from the cache or trains them, fits the method in a process of its own, ranks
    the test photos for every test sketch and writes a record. A finished run is not repeated.
    """
    teachers = _teachers(photo_teacher, sketch_teacher)
    if dataset is None and not teachers:
        raise InvalidConfig(
            "no --dataset; allowed without it: --photo-teacher T --sketch-teacher T (see: dfbench "
            "list datasets)"
        )
    data = DataChoice(
        name=dataset or NO_IMAGES,
        image_size=image_size,
        classes=classes,
        alternative_classes=alternative_classes,
        skip_unreadable=skip_unreadable,
        alternative=alternative,
        root=data_root_or_configured(data_root),
        holdout=holdout or _usual_holdout(dataset, teachers),
        duplicate_photos=duplicate_photos,
    )
    request = RunRequest(
        method=method,
        data=data,
        settings=absolute_files(key_values("--set", settings, "KEY=VALUE, e.g. --set rounds=4")),
        scenario=scenario,
        teachers=teachers,
        seed=seed,
        device=device,
        threads=threads,
        precision=precision,
        compile=compiled,
        devices=devices,
        plugins=plugin_sources(plugin_files, plugins_dir),
        places=Places(results=results, runs=runs, cache=cache),
    )
    supervision = Supervision(
        timeout=timeout,
        memory_mib=None if memory_limit is None else round(memory_limit * 1024),
        checkpoint_seconds=checkpoint_seconds,
    )
    _run(request, supervision, alone=alone, force=force, form=form)


def _run(
    request: RunRequest, supervision: Supervision, *, alone: bool, force: bool, form: str
) -> None:
    from dfbench.planning.plan import plan_methods

    unscored = request.data.name == NO_IMAGES
    plans = plan_methods(request, beside=not alone and not unscored)
    # Only here, for they import torch: what is wrong with a request is told before.
    from dfbench.numerics import pin_numerics
    from dfbench.reporting.tables.summary import print_run
    from dfbench.runs.execute import execute

    pin_numerics(plans[-1].session.threads, request.seed)
    for line in plans[-1].notes:
        note(line)
    if unscored:
        _fit(plans[-1], supervision, force=force, form=form)
        return
    finished = [
        execute(plan, force=force and plan is plans[-1], supervision=supervision) for plan in plans
    ]
    if form == "json":
        print_json(finished[-1].record.model_dump(mode="json"))
    else:
        print_run(finished)


def _fit(plan: Plan, supervision: Supervision, *, force: bool, form: str) -> None:
    """Fit without test images, and say where the encoders are."""
    from dfbench.runs.unscored import fit_unscored

    file = fit_unscored(plan, force=force, supervision=supervision)
    if form == "json":
        print_json({"fit_id": plan.fit_id, "encoders": str(file)})
    else:
        output().print(f"encoders (not scored: no test images): {file}", markup=False)


def _teachers(photo: str | None, sketch: str | None) -> dict[Modality, str]:
    """The teachers that were named; files by their whole path, for other processes."""
    named: dict[Modality, str | None] = {"photo": photo, "sketch": sketch}
    return {
        modality: str(Path(name).resolve()) if Path(name).is_file() else name
        for modality, name in named.items()
        if name is not None
    }


def _usual_holdout(dataset: str | None, teachers: Mapping[Modality, str]) -> HoldoutName:
    """One's own folder is all test images if nobody has to learn from it."""
    return "all" if teachers and dataset and dataset.startswith("folder:") else "fifth"
