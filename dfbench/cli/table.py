"""`dfbench table`: methods compared, from their records."""

from __future__ import annotations

from pathlib import Path

import rich_click as click

from dfbench.cli.options import format_option, results_option
from dfbench.errors import InvalidInput, unknown_name


@click.command()
@results_option
@click.option("--dataset", metavar="D", help="Only this dataset, as the tables name it.")
@format_option("text", "markdown", "json")
def table(*, results: Path, dataset: str | None, form: str) -> None:
    """Compare methods: one table per dataset and scenario, mean and deviation over seeds."""
    from dfbench.reporting.layout import print_layouts
    from dfbench.reporting.leaderboard import leaderboards
    from dfbench.runs.store import ResultStore

    records = list(ResultStore(results))
    if not records:
        raise InvalidInput(
            f"no records in {str(results)!r}; make one (dfbench run --method crossx --dataset "
            "shapes) or name another folder with --results"
        )
    names = {record.data.name for record in records}
    if dataset is not None and dataset not in names:
        raise unknown_name("dataset", dataset, names, "dfbench table")
    chosen = [record for record in records if dataset in (None, record.data.name)]
    print_layouts(leaderboards(chosen), form)
