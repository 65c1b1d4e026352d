"""`dfbench run`: one row on one dataset, with the cheap rows that put its score in context."""

from __future__ import annotations

from pathlib import Path

import rich_click as click

from dfbench.cli.options import (
    format_option,
    plugin_options,
    plugin_sources,
    results_option,
)
from dfbench.console import note, print_json
from dfbench.errors import InvalidConfig
from dfbench.runs.request import DataChoice, Places, RunRequest


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
@click.option("--classes", help="Benchmark classes, separated by commas, or all.")
@click.option("--alternative-classes", help="Spare classes of the dataset, separated by commas.")
@click.option("--alternative", metavar="D", help="Dataset that provides alternative classes.")
@click.option("--image-size", type=click.IntRange(16), metavar="PX", help="Height and width.")
@click.option("--skip-unreadable", is_flag=True, help="Leave out images that cannot be decoded.")
@click.option("--alone", is_flag=True, help="Run only this row, not those that stand beside it.")
@click.option("--force", is_flag=True, help="Repeat a run that is already recorded.")
@plugin_options
@results_option
@click.option(
    "--runs",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("runs"),
    show_default=True,
    help="Folder of encoders, embeddings and pictures.",
)
@click.option(
    "--cache",
    type=click.Path(path_type=Path, file_okay=False),
    envvar="DFBENCH_CACHE",
    show_envvar=True,
    help="Folder of decoded images and trained teachers; default: the user's cache folder.",
)
@format_option("text", "json")
def run(
    *,
    method: str,
    dataset: str,
    seed: int,
    settings: tuple[str, ...],
    device: str,
    threads: int | None,
    classes: str | None,
    alternative_classes: str | None,
    alternative: str | None,
    image_size: int | None,
    skip_unreadable: bool,
    alone: bool,
    force: bool,
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
    )
    request = RunRequest(
        method=method,
        data=data,
        settings=_settings(settings),
        seed=seed,
        device=device,
        threads=threads,
        plugins=plugin_sources(plugin_files, plugins_dir),
        places=Places(results=results, runs=runs, cache=cache or _user_cache()),
    )
    _run(request, alone=alone, force=force, form=form)


def _run(request: RunRequest, *, alone: bool, force: bool, form: str) -> None:
    from dfbench.reporting.summary import print_run
    from dfbench.runs.execute import execute
    from dfbench.runs.numerics import pin_numerics
    from dfbench.runs.plan import plan_rows

    plans = plan_rows(request, beside=not alone)
    pin_numerics(plans[-1].session.threads, request.seed)
    for line in plans[-1].session.dataset.notes:
        note(line)
    finished = [execute(plan, force=force and plan is plans[-1]) for plan in plans]
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


def _user_cache() -> Path:
    from platformdirs import user_cache_path

    return user_cache_path("dfbench", appauthor=False)
