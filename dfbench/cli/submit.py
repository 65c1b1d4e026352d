"""`dfbench submit`: records of others are verified and merged into a results folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from dfbench.cli.options import format_option, plugin_options
from dfbench.cli.parameters import AbsolutePath
from dfbench.cli.request_options import results_option
from dfbench.errors import InvalidInput
from dfbench.system.console import print_json

if TYPE_CHECKING:
    from dfbench.reporting.submission import Submission


@click.command()
@click.argument("records", metavar="RECORD...", nargs=-1, required=True, type=AbsolutePath())
@results_option
@click.option(
    "--runs",
    metavar="DIR",
    type=AbsolutePath(file_okay=False),
    help="Folder with the runs of the records: scores are computed again from their embeddings.",
)
@click.option("--dry-run", is_flag=True, help="Verify, and write nothing.")
@click.option(
    "--replace",
    is_flag=True,
    help="Replace an existing record of the same identity that has other scores.",
)
@plugin_options
@format_option("text", "markdown", "json")
def submit(
    *,
    records: tuple[Path, ...],
    results: Path,
    runs: Path | None,
    dry_run: bool,
    replace: bool,
    plugin_files: tuple[Path, ...],
    plugins_dir: Path | None,
    form: str,
) -> None:
    """Verify records made elsewhere, and add those without problems to a results folder.

    RECORD is a JSON file of a results folder, or such a folder. Checksums, metric definitions,
    identities and official teachers are verified from the record alone, scores with --runs;
    anything that could not be verified is reported. A record with any problem is refused, with
    exit status 2.
    """
    from dfbench.cli.teachers import provided_folders
    from dfbench.records.store import ResultStore
    from dfbench.reporting.submission import Submitter, submitted_files
    from dfbench.reporting.tables.layout import Layout
    from dfbench.reporting.tables.printing import print_layouts
    from dfbench.teachers.facts import entries

    if runs is not None and not runs.is_dir():
        raise InvalidInput(f"--runs {str(runs)!r} does not exist; give the folder of their runs")
    files = submitted_files(records)
    if not files:
        raise InvalidInput(
            f"no records in {', '.join(repr(str(path)) for path in records)}; allowed: JSON files "
            "of a results folder, or a folder of them"
        )
    official = {
        entry.facts.identity: entry.checksum
        for provider, folder in provided_folders(plugin_files, plugins_dir).items()
        for entry in entries(folder, provider)[0]
    }
    submitter = Submitter(ResultStore(results), official, runs)
    found = [submitter.verify(file) for file in files]
    if not dry_run:
        for one in found:
            submitter.merge(one, replace=replace)
    if form == "json":
        print_json([_content(one) for one in found])
    else:
        title = "submitted records, nothing written" if dry_run else f"submitted to {results}"
        cells = tuple(_row(one) for one in found)
        print_layouts([Layout(title, _HEADER, cells, (), {}, len(_HEADER))], form)
    refused = [one for one in found if one.problems]
    if refused:
        raise InvalidInput(
            f"{len(refused)} of {len(found)} records are refused, first "
            f"{str(refused[0].file)!r}: {refused[0].problems[0]}"
        )


_HEADER = ("method", "dataset", "scenario", "seed", "machine", "verified", "not verified", "result")


def _row(found: Submission) -> tuple[str, ...]:
    record = found.record
    result = f"refused: {'; '.join(found.problems)}" if found.problems else found.merged or "valid"
    if record is None:
        return (found.file.name, "", "", "", "", "", "", result)
    return (
        record.method.label,
        record.data.name,
        record.scenario,
        str(record.seed),
        record.environment.device,
        "; ".join(found.verified),
        "; ".join(found.unverified),
        result,
    )


def _content(found: Submission) -> dict[str, Any]:
    record = found.record
    return {
        "file": str(found.file),
        "eval_id": None if record is None else record.eval_id,
        "method": None if record is None else record.method.label,
        "verified": found.verified,
        "not_verified": found.unverified,
        "problems": found.problems,
        "result": "refused" if found.problems else found.merged or "valid",
    }
