"""`dfbench table`: methods compared, from their records."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click

from dfbench.cli.options import format_option, results_option
from dfbench.cli.records import chosen_records, dataset_option, scenario_option
from dfbench.console import note
from dfbench.errors import InvalidInput, unknown_name

if TYPE_CHECKING:
    from dfbench.reporting.layout import Layout
    from dfbench.runs.record import Record

_METRIC = "map@all"


@click.command()
@results_option
@dataset_option
@scenario_option
@click.option(
    "--method",
    "methods",
    multiple=True,
    metavar="M",
    help="Only this row, NAME[VARIANT], or NAME with all its variants; may be repeated.",
)
@click.option(
    "--metric",
    "metrics",
    multiple=True,
    metavar="METRIC",
    help="A column, e.g. acc@1; may be repeated; default: map@all and prec@200.",
)
@click.option(
    "--overlap",
    is_flag=True,
    help="Columns are overlaps instead: how rows fare as the teachers share more of their classes, "
    "over all queries and over those whose class both teachers or one of them knows.",
)
@click.option(
    "--page",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the page of results instead: the folder's preamble.md, all tables, and the "
    "comparisons that `dfbench compare --write` stored.",
)
@format_option("text", "markdown", "latex", "csv", "json")
def table(
    *,
    results: Path,
    dataset: str | None,
    scenario: str | None,
    methods: tuple[str, ...],
    metrics: tuple[str, ...],
    overlap: bool,
    page: Path | None,
    form: str,
) -> None:
    """Compare methods: one table per dataset and scenario, mean and deviation over seeds."""
    from dfbench.reporting.delimited import leaderboard_csv, overlap_csv
    from dfbench.reporting.layout import print_layouts
    from dfbench.reporting.leaderboard import HEADLINE, leaderboards

    records = chosen_records(results, dataset, scenario)
    if page is not None:
        if dataset or scenario or methods or metrics or overlap:
            raise InvalidInput("--page shows all records; leave out filters and metrics")
        _write_page(page, results, records)
        return
    chosen = _of_methods(records, methods)
    _check_metrics(chosen, metrics)
    layouts = _by_overlap(chosen, metrics) if overlap else leaderboards(chosen, metrics or HEADLINE)
    if form == "csv":
        sys.stdout.write((overlap_csv if overlap else leaderboard_csv)(layouts))
    else:
        print_layouts(layouts, form)


def _by_overlap(records: list[Record], metrics: tuple[str, ...]) -> list[Layout]:
    from dfbench.reporting.overlap_tables import overlap_tables

    layouts = [
        table for metric in metrics or (_METRIC,) for table in overlap_tables(records, metric)
    ]
    if not layouts:
        raise InvalidInput(
            "no records of partial class overlap among these; make some, e.g. dfbench run --method "
            "crossx --dataset shapes --scenario overlap=0.5, or the suite benchmarks/overlap.toml"
        )
    return layouts


def _write_page(page: Path, results: Path, records: list[Record]) -> None:
    from dfbench.files import atomic_path
    from dfbench.reporting.comparison_file import keep_current, read_comparisons
    from dfbench.reporting.page import PREAMBLE, results_page, wanted

    asked = wanted(records)
    kept = keep_current(read_comparisons(results), asked, (r.eval_id for r in records))
    for line in kept.stale:
        note(f"left out: {line}")
    without = len(asked) - len(kept.answers)
    if without:
        note(f"{without} of {len(asked)} comparisons have no interval yet: dfbench compare --write")
    preamble = results / PREAMBLE
    text = preamble.read_text(encoding="utf-8") if preamble.is_file() else ""
    with atomic_path(page) as temporary:
        temporary.write_text(results_page(records, kept.answers, text), encoding="utf-8")
    note(f"page: {page}")


def _of_methods(records: list[Record], methods: tuple[str, ...]) -> list[Record]:
    names = {name for record in records for name in (record.row.name, record.row.label)}
    for method in methods:
        if method not in names:
            raise unknown_name("row", method, names, "dfbench table")
    wanted = set(methods)
    return [r for r in records if not wanted or wanted & {r.row.name, r.row.label}]


def _check_metrics(records: list[Record], metrics: tuple[str, ...]) -> None:
    known = {name for record in records for name in record.metrics}
    for metric in metrics:
        if metric not in known:
            raise unknown_name("metric", metric, known, "dfbench table --format json")
