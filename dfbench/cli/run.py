"""`dfbench run`: one method on one dataset, with cheap baselines for context."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from dfbench.cli.options import format_option, plugin_options, plugin_sources
from dfbench.cli.parameters import AbsolutePath
from dfbench.cli.request_options import request_option, request_options
from dfbench.errors import InvalidInput
from dfbench.hookspecs import NO_IMAGES
from dfbench.reporting.cells import NONE, short
from dfbench.reporting.tables.layout import Layout
from dfbench.request import (
    DataChoice,
    DataOptions,
    ExternalOptions,
    FitOptions,
    Limits,
    MachineOptions,
    Places,
    RunRequest,
    read_options,
)
from dfbench.request.option import declared
from dfbench.system.console import note, output, print_json

if TYPE_CHECKING:
    from dfbench.planning.plan import Plan
    from dfbench.process.supervision import Supervision
    from dfbench.records.record import Record, RecordedScore
    from dfbench.runs.execute import Run
    from dfbench.suites.run_file import RunFile


_ELSEWHERE = declared(ExternalOptions, MachineOptions, FitOptions)
"""Options that the help shows in another place than the rest of a request."""


def _read_config(ctx: click.Context, param: click.Parameter, file: Path | None) -> RunFile | None:
    """Read `--config`; its options take the place of defaults."""
    del param
    if file is None:
        return None
    from dfbench.suites.run_file import read_run_file

    content = read_run_file(file)
    ctx.default_map = {**(ctx.default_map or {}), **content.options}
    return content


@click.command()
@click.option(
    "--config",
    type=AbsolutePath(dir_okay=False),
    callback=_read_config,
    is_eager=True,
    metavar="FILE",
    help="TOML file with options of this run, with the keys of a suite; the command line takes "
    "precedence.",
)
@request_option(RunRequest, "method", required=True, default=None)
@request_option(DataChoice, "dataset")
@request_options(ExternalOptions)
@request_options(RunRequest, without={"method", *_ELSEWHERE})
@request_options(MachineOptions, FitOptions)
@request_options(DataOptions)
@request_option(DataChoice, "data_root")
@click.option(
    "--alone",
    is_flag=True,
    help="Run only this method, without the baselines and controls shown for context.",
)
@click.option("--force", is_flag=True, help="Repeat a run that is already recorded.")
@request_option(Places, "log_dir")
@request_options(Limits)
@plugin_options
@request_options(Places, without={"log_dir"})
@format_option("text", "json")
def run(
    *,
    config: RunFile | None,
    alone: bool,
    force: bool,
    plugin_files: tuple[Path, ...],
    plugins_dir: Path | None,
    form: str,
    **options: Any,
) -> None:
    """Train and evaluate one method.

    Takes teachers from the cache or trains them, fits the method in a separate process, ranks the
    test photos for every test sketch and writes a record. A finished run is not repeated.
    """
    from dfbench.process.supervision import Supervision
    from dfbench.reporting.event_log import check_log_folder

    if config is not None:
        options["settings"] = {**config.settings, **options["settings"]}
        plugin_files = (*config.plugins, *plugin_files)
    request, limits = read_options(options, plugin_sources(plugin_files, plugins_dir))
    check_log_folder(request.places.log_dir)
    _run(request, Supervision(limits), alone=alone, force=force, form=form)


def _run(
    request: RunRequest,
    supervision: Supervision,
    *,
    alone: bool,
    force: bool,
    form: str,
) -> None:
    # Before anything that takes time, so that the user sees at once that it runs.
    note(f"{request.method} on {request.data.name}: loading plugins and data")
    from dfbench.planning.plan import plan_methods

    unscored = request.data.name == NO_IMAGES
    if unscored and request.rerank:
        raise InvalidInput(
            f"--rerank {request.rerank[0]} without --dataset; allowed: with the test images of a "
            "dataset, e.g. --dataset folder:PATH (see: dfbench list datasets)"
        )
    plans = plan_methods(request, beside=not alone and not unscored)
    # Imported here because they load torch: errors in a request are reported before that.
    from dfbench.numerics import pin_numerics
    from dfbench.reporting.event_log import event_log
    from dfbench.runs.execute import execute
    from dfbench.runs.reranking import add_rerankings

    pin_numerics(plans[-1].session.threads, request.seed)
    for line in plans[-1].notes:
        note(line)
    log = event_log(request.places.log_dir, plans[-1].folder)
    if unscored:
        with log:
            _fit(plans[-1], supervision, force=force, form=form)
        _tell_events(plans[-1])
        return
    with log:
        finished = [
            execute(plan, force=force and plan is plans[-1], supervision=supervision)
            for plan in plans
        ]
    _tell_events(plans[-1])
    rerankings = [
        add_rerankings(plan, run.record, run.folder, supervision)
        for plan, run in zip(plans, finished, strict=True)
    ]
    finished = [
        replace(run, record=record) for run, (record, _) in zip(finished, rerankings, strict=True)
    ]
    if form == "json":
        print_json(finished[-1].record.model_dump(mode="json"))
    else:
        print_run(finished)
    for _, fault in rerankings:
        if fault is not None:
            raise fault


def _tell_events(plan: Plan) -> None:
    folder = plan.session.request.places.log_dir
    if folder is not None:
        note(f"TensorBoard events: {folder / plan.folder.name}")


def _fit(plan: Plan, supervision: Supervision, *, force: bool, form: str) -> None:
    """Fit without test images and print the path of the encoders."""
    from dfbench.runs.unscored import fit_unscored

    file = fit_unscored(plan, force=force, supervision=supervision)
    if form == "json":
        print_json({"fit_id": plan.fit_id, "encoders": str(file)})
    else:
        output().print(f"encoders (not scored: no test images): {file}", markup=False)


def print_run(runs: list[Run]) -> None:
    """Print the scores of a command's runs, the requested one last, and the paths of the files."""
    from dfbench.reporting.tables.printing import print_layouts

    for run in runs:
        if run.reused:
            note(f"{run.record.method.label}: already done ({run.path}); --force repeats it")
        elif run.earlier is not None:
            note(_repetition(run))
    requested = runs[-1]
    print_layouts([_layout([run.record for run in runs])], "text")
    note(f"record: {requested.path}")
    note(f"pictures: {requested.folder / 'pictures'}")


def _layout(records: list[Record]) -> Layout:
    from dfbench.reporting.lines import MARK, reranking_notes

    last = records[-1]
    names = [name for name in last.metrics if all(name in one.metrics for one in records)]
    rows = []
    for record in records:
        rows.append((record.method.display_title, *_cells(record.metrics, names)))
        for label, one in record.reranked.items():
            rows.append((f"  + {label} {MARK}", *_cells(one.metrics, names)))
        for representation, scores in record.representations.items():
            rows.append((f"  {representation}", *_cells(scores, names)))
            for label, one in record.reranked.items():
                again = one.representations.get(representation, {})
                rows.append((f"    + {label} {MARK}", *_cells(again, names)))
    accuracies = ", ".join(f"{m} {short(t.accuracy)}" for m, t in sorted(last.teachers.items()))
    origin = " (official)" if all(record.official for record in records) else ""
    title = f"{last.data.name}, {last.scenario_title}, seed {last.seed}"
    notes = [
        f"{last.data.queries} queries, {last.data.gallery} photos, {len(last.data.classes)} "
        f"classes; chance mAP@all {short(last.chance)}; teacher accuracy: {accuracies}{origin}",
        "[95 % bootstrap interval over queries] of map@all",
    ]
    notes += reranking_notes(records)
    if last.skipped_queries:
        notes.append(f"{last.skipped_queries} queries have no relevant photo and are left out")
    return Layout(title, ("method", *names), tuple(rows), tuple(notes), last.model_dump())


def _cells(scores: dict[str, RecordedScore], names: list[str]) -> list[str]:
    """Scores by name, the first with its interval; those added since a re-ranking are missing."""
    first, *others = names
    return [
        _interval(scores[first]) if first in scores else NONE,
        *(short(scores[name].value) if name in scores else NONE for name in others),
    ]


def _interval(score: RecordedScore) -> str:
    return f"{short(score.value)} [{short(score.low)}, {short(score.high)}]"


def _repetition(run: Run) -> str:
    same = run.earlier is not None and run.earlier.digests == run.record.digests
    verdict = "identical digests" if same else "different digests"
    return f"{run.record.method.label}: repeated, with {verdict} ({run.record.digests.embeddings})"
