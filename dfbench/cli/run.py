"""`dfbench run`: one row on one dataset, with the cheap rows that put its score in context."""

from __future__ import annotations

from pathlib import Path

import rich_click as click

from dfbench.cli.configuration import data_root_option, data_root_or_configured
from dfbench.cli.duration import Duration
from dfbench.cli.options import (
    cache_option,
    format_option,
    plugin_options,
    plugin_sources,
    results_option,
    runs_option,
    user_cache,
)
from dfbench.console import note, print_json
from dfbench.datasets.split import HoldoutName
from dfbench.errors import InvalidConfig
from dfbench.runs.request import DataChoice, Places, Precision, RunRequest
from dfbench.runs.supervision import Supervision


@click.command()
@click.option("--method", required=True, metavar="M", help="A row: NAME or NAME[VARIANT].")
@click.option("--dataset", required=True, metavar="D", help="NAME, or folder:PATH for your images.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="KEY=VALUE",
    help="A setting of the method, or of the shared budget (budget.steps=300) or the teachers "
    "(teachers.initialisation=random). See: dfbench describe M.",
)
@click.option(
    "--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True
)
@click.option("--threads", type=click.IntRange(1), help="Processor threads; default: all cores.")
@click.option(
    "--precision",
    type=click.Choice(["fp32", "bf16"]),
    default="fp32",
    show_default=True,
    help="Arithmetic of backbones and estimators in a fit; the training of teachers, losses, "
    "embeddings and scores are float32 anyway.",
)
@click.option("--classes", help="Benchmark classes, separated by commas, or all.")
@click.option("--alternative-classes", help="Spare classes of the dataset, separated by commas.")
@click.option("--alternative", metavar="D", help="Dataset that provides alternative classes.")
@click.option("--image-size", type=click.IntRange(16), metavar="PX", help="Height and width.")
@data_root_option
@click.option(
    "--holdout",
    type=click.Choice(["fifth", "literature"]),
    default="fifth",
    show_default=True,
    help="Test part: a fifth of photos and sketches, or the published number of sketches a class "
    "and every photo.",
)
@click.option(
    "--duplicate-photos", is_flag=True, help="Count Sketchy's photos twice, as SAKE's lists do."
)
@click.option("--skip-unreadable", is_flag=True, help="Leave out images that cannot be decoded.")
@click.option("--alone", is_flag=True, help="Run only this row, not those that stand beside it.")
@click.option("--force", is_flag=True, help="Repeat a run that is already recorded.")
@click.option("--timeout", type=Duration(), metavar="TIME", help="End a fit after 90, 30m or 2h.")
@click.option(
    "--memory-limit",
    type=click.FloatRange(0, min_open=True),
    metavar="GIB",
    help="End a fit whose process holds more memory than this.",
)
@click.option(
    "--checkpoint-seconds",
    type=click.FloatRange(0),
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
    dataset: str,
    seed: int,
    settings: tuple[str, ...],
    device: str,
    threads: int | None,
    precision: Precision,
    classes: str | None,
    alternative_classes: str | None,
    alternative: str | None,
    image_size: int | None,
    data_root: Path | None,
    holdout: HoldoutName,
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
    cache: Path | None,
    form: str,
) -> None:
    """Train one row of the table and score it.

    Takes teachers from the cache or trains them, fits the method in a process of its own, ranks
    the test photos for every test sketch and writes a record. A finished run is not repeated.
    """
    data = DataChoice(
        name=dataset,
        image_size=image_size,
        classes=_names(classes),
        alternative_classes=_names(alternative_classes),
        skip_unreadable=skip_unreadable,
        alternative=alternative,
        root=data_root_or_configured(data_root),
        holdout=holdout,
        duplicate_photos=duplicate_photos,
    )
    request = RunRequest(
        method=method,
        data=data,
        settings=_settings(settings),
        seed=seed,
        device=device,
        threads=threads,
        precision=precision,
        plugins=plugin_sources(plugin_files, plugins_dir),
        places=Places(results=results, runs=runs, cache=cache or user_cache()),
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
    from dfbench.reporting.summary import print_run
    from dfbench.runs.execute import execute
    from dfbench.runs.numerics import pin_numerics
    from dfbench.runs.plan import plan_rows

    plans = plan_rows(request, beside=not alone)
    pin_numerics(plans[-1].session.threads, request.seed)
    for line in plans[-1].session.dataset.notes:
        note(line)
    finished = [
        execute(plan, force=force and plan is plans[-1], supervision=supervision) for plan in plans
    ]
    if form == "json":
        print_json(finished[-1].record.model_dump(mode="json"))
    else:
        print_run(finished)


def _settings(pairs: tuple[str, ...]) -> dict[str, str]:
    settings = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise InvalidConfig(f"--set {pair!r}; allowed: --set KEY=VALUE, e.g. --set rounds=4")
        settings[key.strip()] = value.strip()
    return settings


def _names(text: str | None) -> tuple[str, ...] | None:
    if text is None:
        return None
    return tuple(name.strip() for name in text.split(",") if name.strip())
