"""`dfbench report`: records and run folders as a static site."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click

from dfbench.cli.options import dataset_option, format_option, scenario_option
from dfbench.cli.parameters import AbsolutePath
from dfbench.cli.request_options import results_option, runs_option
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
    """Make a static site of all results that opens in any browser, without a server.

    Each run has a page with those scores, curves, pictures and queries that its run folder has.
    Further pages show an overview, each dataset and scenario, and two runs query by query.
    Runs that did not finish are listed with their reasons.
    Pages show test images: consider this before you share the site.
    """
    from dfbench.reporting.site.build import build
    from dfbench.reporting.tables.selection import chosen_records, say_unfinished
    from dfbench.reporting.tables.unfinished import unfinished_content, unfinished_runs

    records = chosen_records(results, dataset, scenario, runs)
    unfinished = [one for one in unfinished_runs(runs, records) if one.is_of((), dataset, scenario)]
    answers = _answers(results, records, filtered=bool(dataset or scenario))
    with progress("pages of runs", len(records)) as advance:
        built = build(target, records, unfinished, answers, runs, advance)
    lacking = {record.eval_id for record, _ in built.missing}
    if form == "json":
        print_json(_content(target, built) | {"unfinished": unfinished_content(unfinished)})
        return
    if lacking:
        note(
            f"{len(lacking)} of {len(records)} runs lack data for their pages; each page says what "
            "is missing, and which command creates it"
        )
    say_unfinished(unfinished)
    output().print(f"report: {target / built.pages[0]}", markup=False)


def _answers(results: Path, records: list[Record], *, filtered: bool) -> Answers:
    """The stored comparisons that are still valid; a note counts the others unless filtered."""
    from dfbench.reporting.comparisons.file import keep_current, read_comparisons
    from dfbench.reporting.tables.page import wanted

    kept = keep_current(read_comparisons(results), wanted(records), (r.eval_id for r in records))
    if kept.stale and not filtered:
        note(
            f"left out: {len(kept.stale)} stored comparisons that are out of date; update them: "
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
