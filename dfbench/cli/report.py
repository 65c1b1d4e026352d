"""`dfbench report`: records and run folders as a static site."""

from __future__ import annotations

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
from dfbench.cli.parameters import AbsolutePath
from dfbench.reporting.tables.selection import chosen_records, say_unfinished
from dfbench.system.console import note, output, print_json, progress

if TYPE_CHECKING:
    from dfbench.records.record import Record
    from dfbench.reporting.comparisons.comparison import Answers
    from dfbench.reporting.site.build import Built


@click.command()
@click.option(
    "-o",
    "--output",
    "target",
    type=AbsolutePath(file_okay=False),
    default=Path("report"),
    show_default=True,
    metavar="DIR",
    help="Folder of the site: new, empty, or that of an earlier report, which is replaced.",
)
@dataset_option
@scenario_option
@results_option
@runs_option
@format_option("text", "json")
def report(
    *,
    target: Path,
    dataset: str | None,
    scenario: str | None,
    results: Path,
    runs: Path,
    form: str,
) -> None:
    """Make a site of all results that opens in any browser, from files alone.

    A page for each run shows scores, curves, pictures and queries, as far as the folder of runs
    holds them; pages for each dataset and scenario, an overview, and two runs query by query.
    Runs that did not finish are listed with their reasons.
    Pages show test images: think of that before you hand them on.
    """
    from dfbench.reporting.site.build import build
    from dfbench.reporting.tables.unfinished import unfinished_runs

    records = chosen_records(results, dataset, scenario, runs)
    unfinished = [one for one in unfinished_runs(runs, records) if one.is_of((), dataset, scenario)]
    answers = _answers(results, records, filtered=bool(dataset or scenario))
    with progress("pages of runs", len(records)) as advance:
        built = build(target, records, unfinished, answers, runs, advance)
    lacking = {record.eval_id for record, _ in built.missing}
    if form == "json":
        print_json(_content(target, built) | {"unfinished": [one.content for one in unfinished]})
        return
    if lacking:
        note(
            f"{len(lacking)} of {len(records)} runs lack something that their pages would show; "
            "each page says what, and which command makes it"
        )
    say_unfinished(unfinished)
    output().print(f"report: {target / built.pages[0]}", markup=False)


def _answers(results: Path, records: list[Record], *, filtered: bool) -> Answers:
    """The stored comparisons that still hold; of all records it is said that others do not."""
    from dfbench.reporting.comparisons.file import keep_current, read_comparisons
    from dfbench.reporting.tables.page import wanted

    kept = keep_current(read_comparisons(results), wanted(records), (r.eval_id for r in records))
    if kept.stale and not filtered:
        note(
            f"left out: {len(kept.stale)} stored comparisons that no longer hold; make them again: "
            "dfbench compare --write"
        )
    return kept.answers


def _content(target: Path, built: Built) -> dict[str, object]:
    return {
        "report": str(target),
        "pages": [str(target / page) for page in built.pages],
        "missing": [
            {
                "record": record.eval_id,
                "what": lack.what,
                "reason": lack.reason,
                "command": lack.command,
            }
            for record, lack in built.missing
        ],
    }
