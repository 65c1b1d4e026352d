"""`dfbench compare`: differences between rows with intervals, from the runs' per-query values."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click

from dfbench.cli.options import (
    dataset_option,
    format_option,
    results_option,
    runs_option,
    scenario_option,
)
from dfbench.errors import DfbenchError, InvalidInput
from dfbench.reporting.tables.selection import chosen_records
from dfbench.system.console import note, progress

if TYPE_CHECKING:
    from dfbench.records.record import Record
    from dfbench.reporting.comparisons.comparison import Comparison, Key
    from dfbench.reporting.comparisons.file import Kept
    from dfbench.reporting.run_folders import RunFolders
    from dfbench.reporting.tables.layout import Layout

_METRIC = "map@all"


@click.command()
@click.argument("rows", metavar="[A B]", nargs=-1)
@dataset_option
@scenario_option
@click.option("--metric", metavar="METRIC", help=f"Of A and B: the metric; default: {_METRIC}.")
@click.option(
    "--representation",
    metavar="NAME",
    help="Of A and B: a second representation, e.g. posterior.",
)
@click.option(
    "--resamples",
    type=click.IntRange(100, 10**6),
    default=10_000,
    show_default=True,
    help="Resamples of the bootstrap.",
)
@click.option(
    "--write",
    is_flag=True,
    help="Keep the answers to all questions in comparisons.json beside the records, for "
    "`dfbench table --page`. What is there and still holds is not made again: remove the file for "
    "other resamples.",
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
    """Compare row A with row B, or without rows answer every question of the page of results.

    The difference of the means, A - B, has a 95 % interval from a paired bootstrap over seeds and
    queries. Rows are compared where data, scenario, budget, teachers and numerics agree, on the
    seeds that both have; from three seeds on the difference gets a verdict.
    """
    from dfbench.reporting.run_folders import RunFolders
    from dfbench.reporting.tables.printing import print_layouts

    if len(rows) not in (0, 2):
        raise InvalidInput(f"rows are {' '.join(rows)!r}; allowed: two, A and B, or none")
    if write and (rows or dataset or scenario):
        raise InvalidInput("--write keeps the answers to all questions; leave out rows and filters")
    if not rows and (metric or representation):
        raise InvalidInput("--metric and --representation belong to two rows; name A and B")
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
    from dfbench.reporting.comparisons.pairs import pair_question
    from dfbench.reporting.comparisons.resampling import compare as compared
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
            "all records are of partial class overlap (see: dfbench table overlap), of which "
            "only two rows are compared: dfbench compare A B --scenario overlap=0.5"
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
    """What is stored and still holds, and what the run folders give for the rest."""
    from dfbench.reporting.comparisons.file import Kept, keep_current
    from dfbench.reporting.comparisons.resampling import compare as compared
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
