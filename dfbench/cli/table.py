"""`dfbench table`: methods compared, from their records."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click

from dfbench.cli.options import (
    dataset_option,
    format_option,
    methods_option,
    plugin_options,
    plugin_sources,
    scenario_option,
)
from dfbench.cli.parameters import AbsolutePath, Choice
from dfbench.cli.request_options import results_option, runs_option
from dfbench.errors import InvalidInput, unknown_name
from dfbench.system.console import note, write

if TYPE_CHECKING:
    from dfbench.plugins.sources import PluginSources
    from dfbench.records.record import Record
    from dfbench.reporting.tables.layout import Layout

KINDS = ("methods", "datasets", "data", "ablation", "overlap", "reranking", "machines")
HEADLINE = ("map@all", "prec@200")
_METRIC = HEADLINE[0]
_CSV = ("methods", "overlap", "machines")
_COMPARED = ("data", "ablation", "reranking")
_FIXED = (*_COMPARED, "machines")
"""Tables without a choice of metrics."""
_LACKING = {
    "overlap": "no records of partial class overlap among these (dfbench table has those with "
    "external teachers); make some, e.g. dfbench run --method crossx --dataset shapes --scenario "
    "overlap=0.5, or the suite benchmarks/overlap.toml",
    "data": "no records of a method both with and without real images among these; make some, e.g. "
    "with the suite benchmarks/references.toml",
    "ablation": "no records of a method and one of its variants among these; make some, e.g. with "
    "the suite benchmarks/ablations.toml",
    "reranking": "no re-ranked scores among these records; add some to a finished run, e.g. "
    "dfbench run --method classifier-only --dataset shapes --rerank diffusion",
}


@click.command()
@click.argument("kind", type=Choice(KINDS), default="methods")
@results_option
@runs_option
@dataset_option
@scenario_option
@click.option(
    "--suite",
    type=AbsolutePath(dir_okay=False, exists=True),
    metavar="FILE",
    help="Only records of the runs in this suite file.",
)
@methods_option
@click.option(
    "--metric",
    "metrics",
    multiple=True,
    metavar="METRIC",
    help="A column, e.g. acc@1; may be repeated; default: map@all and prec@200.",
)
@click.option(
    "--page",
    type=AbsolutePath(dir_okay=False),
    help="Write the results page instead: the folder's preamble.md, all tables, and the "
    "comparisons stored by `dfbench compare --write`.",
)
@plugin_options
@format_option("text", "markdown", "latex", "html", "csv", "json")
def table(
    *,
    kind: str,
    results: Path,
    runs: Path,
    dataset: str | None,
    scenario: str | None,
    suite: Path | None,
    methods: tuple[str, ...],
    metrics: tuple[str, ...],
    page: Path | None,
    plugin_files: tuple[Path, ...],
    plugins_dir: Path | None,
    form: str,
) -> None:
    """Compare methods by mean and standard deviation over seeds.

    \b
    methods   methods and their needs: one table per dataset and scenario (the default)
    datasets  methods by dataset, as in papers: one table per scenario
    data      objectives trained with and without real images
    ablation  the variants of a method, and the effect of each change
    overlap   methods by the share of classes that both teachers know, over all queries
              and over those whose class is known to both teachers or to one
    reranking what each re-ranker adds to the plain ranking of the same embeddings
    machines  where the scores come from: machine, version of torch, teachers

    Differences have the intervals stored by `dfbench compare --write`. Unfinished runs below
    --runs are listed in a separate table, with their reasons.
    """  # noqa: D301  # click keeps the lines after a backspace as they are
    from dfbench.reporting.tables.printing import print_layouts
    from dfbench.reporting.tables.selection import chosen_records, of_methods, say_unfinished
    from dfbench.reporting.tables.unfinished import unfinished_layouts, unfinished_runs

    records = chosen_records(results, dataset, scenario, runs)
    if page is not None:
        if dataset or scenario or suite or methods or metrics or kind != "methods":
            raise InvalidInput("--page shows all records; leave out kinds, filters and metrics")
        _write_page(page, results, records)
        say_unfinished(unfinished_runs(runs, records))
        return
    unfinished = [
        one for one in unfinished_runs(runs, records) if one.is_of(methods, dataset, scenario)
    ]
    if suite is not None:
        if unfinished:
            note(f"runs of the suite without a record, and why: dfbench suite status {suite}")
        unfinished = []
        records = _of_suite(records, suite, plugin_sources(plugin_files, plugins_dir))
    chosen = of_methods(records, methods)
    _check_metrics(chosen, metrics)
    if metrics and kind in _FIXED:
        raise InvalidInput(
            f"--metric with the table {kind!r}, which has no choice of metrics; allowed with "
            "methods, datasets and overlap (see also: dfbench compare A B --metric METRIC)"
        )
    if form == "csv" and kind not in _CSV:
        raise InvalidInput(
            f"--format csv with the table {kind!r}; allowed with {' and '.join(_CSV)}; use "
            "--format json here"
        )
    layouts = _tables(kind, chosen, metrics, results)
    if form == "csv":
        from dfbench.reporting.tables.columns import csv_text

        write(csv_text(layouts))
        note("metric definitions and evaluation conditions: --format json")
        say_unfinished(unfinished)
    else:
        print_layouts([*layouts, *unfinished_layouts(unfinished)], form)


def _tables(
    kind: str, records: list[Record], metrics: tuple[str, ...], results: Path
) -> list[Layout]:
    if kind == "overlap":
        return _by_overlap(records, metrics)
    if kind == "machines":
        from dfbench.reporting.tables.provenance import provenance_table

        return [provenance_table(records)]
    if kind == "datasets":
        from dfbench.reporting.tables.across_datasets import across_datasets

        return across_datasets(records, metrics or HEADLINE)
    if kind in _COMPARED:
        return _compared(kind, records, results)
    from dfbench.reporting.tables.leaderboard import leaderboards

    return leaderboards(records, metrics or HEADLINE)


def _compared(kind: str, records: list[Record], results: Path) -> list[Layout]:
    from dfbench.reporting.comparisons.file import read_comparisons
    from dfbench.reporting.tables.answers import ablation_tables, data_tables, gallery_tables

    known = {record.eval_id for record in records}
    answers = {
        one.key: one
        for one in read_comparisons(results)
        if known.issuperset(e for side in one.sides for e in side.eval_ids)
    }
    made = {"ablation": ablation_tables, "data": data_tables, "reranking": gallery_tables}
    layouts = made[kind](records, answers)
    if not layouts:
        raise InvalidInput(_LACKING[kind])
    return layouts


def _of_suite(records: list[Record], path: Path, sources: PluginSources) -> list[Record]:
    from dfbench.plugins.host import PluginHost
    from dfbench.suites.file import read_suite
    from dfbench.suites.membership import of_suite

    file = read_suite(path)
    sources = sources.with_files(*file.plugin_files)
    host = PluginHost.of(sources)
    host.require(sources.files)
    chosen = of_suite(records, file, host)
    if not chosen:
        raise InvalidInput(
            f"none of the {len(records)} records belongs to the suite {str(path)!r}; make them: "
            f"dfbench suite run {path}"
        )
    return chosen


def _by_overlap(records: list[Record], metrics: tuple[str, ...]) -> list[Layout]:
    from dfbench.reporting.tables.overlap import overlap_tables

    layouts = [
        table for metric in metrics or (_METRIC,) for table in overlap_tables(records, metric)
    ]
    if not layouts:
        raise InvalidInput(_LACKING["overlap"])
    return layouts


def _write_page(page: Path, results: Path, records: list[Record]) -> None:
    from dfbench.reporting.comparisons.file import keep_current, read_comparisons
    from dfbench.reporting.tables.page import PREAMBLE, results_page, wanted
    from dfbench.system.files import atomic_path, check_writable, read_text

    check_writable(page)
    asked = wanted(records)
    kept = keep_current(read_comparisons(results), asked, (r.eval_id for r in records))
    for line in kept.stale:
        note(f"left out: {line}")
    without = len(asked) - len(kept.answers)
    if without:
        note(f"{without} of {len(asked)} comparisons have no interval yet: dfbench compare --write")
    preamble = results / PREAMBLE
    try:
        text = read_text(preamble) if preamble.is_file() else ""
    except ValueError as fault:
        raise InvalidInput(f"cannot read '{preamble}': {fault}") from fault
    with atomic_path(page) as temporary:
        temporary.write_text(results_page(records, kept.answers, text), encoding="utf-8")
    note(f"page: {page}")


def _check_metrics(records: list[Record], metrics: tuple[str, ...]) -> None:
    known = {name for record in records for name in record.metrics}
    for metric in metrics:
        if metric not in known:
            remedy = f"dfbench list metrics; to add one: dfbench rescore --metric {metric}"
            raise unknown_name("metric", metric, known, remedy)
