"""`dfbench compare`: differences between methods, with intervals from per-query values."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click

from dfbench.cli.completers import complete_method
from dfbench.cli.options import dataset_option, format_option, scenario_option
from dfbench.cli.request_options import results_option, runs_option
from dfbench.errors import DfbenchError, InvalidInput
from dfbench.system.console import note, progress

if TYPE_CHECKING:
    from dfbench.records.record import Record
    from dfbench.reporting.comparisons.comparison import Comparison, Key
    from dfbench.reporting.comparisons.file import Kept
    from dfbench.reporting.run_folders import RunFolders
    from dfbench.reporting.tables.layout import Layout

_METRIC = "map@all"


@click.command()
@click.argument("rows", metavar="[A B]", nargs=-1, shell_complete=complete_method)
@dataset_option
@scenario_option
@click.option("--metric", metavar="METRIC", help=f"Metric for A and B; default: {_METRIC}.")
@click.option(
    "--representation",
    metavar="NAME",
    help="Another representation of A and B, e.g. posterior.",
)
@click.option(
    "--resamples",
    type=click.IntRange(100, 10**6),
    default=10_000,
    show_default=True,
    help="Bootstrap resamples.",
)
@click.option(
    "--write",
    is_flag=True,
    help="Store all comparisons in comparisons.json in the results folder, for "
    "`dfbench table --page`. Stored comparisons that are still valid are kept: delete the file to "
    "change the number of resamples.",
)
@results_option
@runs_option
@format_option("text", "markdown", "json")
def compare(
    *,
    rows: tuple[str, ...],
    dataset: str | None,
    scenario: str | None,
    metric: str | None,
    representation: str | None,
    resamples: int,
    write: bool,
    results: Path,
    runs: Path,
    form: str,
) -> None:
    """Compare methods A and B; without arguments, make all comparisons of the results page.

    The difference of the means, A - B, has a 95 % interval from a paired bootstrap over seeds and
    queries. Methods are compared where data, scenario, budget, teachers and numerics agree, on the
    seeds that both have. With three or more seeds the difference gets a verdict. A and B are NAME,
    NAME[VARIANT], or names as in tables, which also tell settings.
    """
    from dfbench.reporting.run_folders import RunFolders
    from dfbench.reporting.tables.printing import print_layouts
    from dfbench.reporting.tables.selection import chosen_records

    if len(rows) not in (0, 2):
        raise InvalidInput(f"methods {' '.join(rows)!r}; allowed: two, A and B, or none")
    if write and (rows or dataset or scenario):
        raise InvalidInput("--write stores all comparisons; allowed: no methods and no filters")
    if not rows and (metric or representation):
        raise InvalidInput("--metric and --representation need two methods; name A and B")
    records = chosen_records(results, dataset, scenario)
    folders = RunFolders(runs)
    if rows:
        labels = (rows[0], rows[1])
        layouts = [
            _pair(records, labels, metric or _METRIC, representation or "", folders, resamples)
        ]
    else:
        layouts = _questions(records, results, folders, resamples, write=write)
    print_layouts(layouts, form)


def _pair(
    records: list[Record],
    labels: tuple[str, str],
    metric: str,
    representation: str,
    folders: RunFolders,
    resamples: int,
) -> Layout:
    from dfbench.reporting.comparisons.intervals import compare as compared
    from dfbench.reporting.comparisons.pairs import pair_question
    from dfbench.reporting.tables.answers import answered, how_to_read

    question = pair_question(records, labels, metric, representation)
    answers = {one.key: compared(one, folders, resamples) for one in question.wanted}
    layout = answered(question, answers)
    return replace(layout, notes=(*layout.notes, how_to_read(metric)))


def _questions(
    records: list[Record], results: Path, folders: RunFolders, resamples: int, *, write: bool
) -> list[Layout]:
    from dfbench.reporting.comparisons.file import FILE, read_comparisons, write_comparisons
    from dfbench.reporting.tables.answers import how_to_read
    from dfbench.reporting.tables.page import answer_table, answered_tables
    from dfbench.system.files import check_writable

    if write:
        check_writable(results / FILE)
    asked = answered_tables(records)
    if not asked:
        raise InvalidInput(
            "all records have partial class overlap (see: dfbench table overlap), where only two "
            "methods can be compared: dfbench compare A B --scenario overlap=0.5"
        )
    stored = [c for c in read_comparisons(results) if write or c.resamples == resamples]
    kept = _answers(records, stored, folders, resamples)
    if write:
        for line in kept.stale:
            note(f"dropped: {line}")
        note(f"comparisons: {write_comparisons(results, kept.answers.values())}")
    layouts = [
        layout for table in answered_tables(records) for layout in answer_table(table, kept.answers)
    ]
    return [replace(layouts[0], notes=(*layouts[0].notes, how_to_read())), *layouts[1:]]


def _answers(
    records: list[Record], stored: list[Comparison], folders: RunFolders, resamples: int
) -> Kept:
    """The stored comparisons that are still valid; the others computed from the run folders."""
    from dfbench.reporting.comparisons.file import Kept, keep_current
    from dfbench.reporting.comparisons.intervals import compare as compared
    from dfbench.reporting.tables.page import wanted

    asked = wanted(records)
    kept = keep_current(stored, asked, (record.eval_id for record in records))
    answers: dict[Key, Comparison] = dict(kept.answers)
    lacking: dict[str, None] = {}
    open_ones = [one for one in asked if one.key not in answers]
    with progress("comparing", len(open_ones)) as advance:
        for one in open_ones:
            try:
                answers[one.key] = compared(one, folders, resamples)
            except DfbenchError as fault:
                lacking[str(fault)] = None
            advance(1)
    for line in lacking:
        note(line)
    if len(answers) < len(asked):
        note(f"{len(asked) - len(answers)} of {len(asked)} comparisons could not be made")
    return Kept(answers, kept.stale)
