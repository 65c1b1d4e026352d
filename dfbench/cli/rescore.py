"""`dfbench rescore`: further metrics of finished runs, without a fit."""

from __future__ import annotations

from pathlib import Path

import rich_click as click

from dfbench.cli.options import (
    dataset_option,
    format_option,
    methods_option,
    plugin_options,
    plugin_sources,
    scenario_option,
)
from dfbench.cli.request_options import results_option, runs_option
from dfbench.errors import InvalidInput, PluginFault
from dfbench.system.console import note, output, print_json


@click.command()
@click.option(
    "--metric",
    "metrics",
    multiple=True,
    required=True,
    metavar="METRIC",
    help="A metric (dfbench list metrics), e.g. prec@50; may be repeated.",
)
@methods_option
@dataset_option
@scenario_option
@plugin_options
@results_option
@runs_option
@format_option("text", "json")
def rescore(
    *,
    metrics: tuple[str, ...],
    methods: tuple[str, ...],
    dataset: str | None,
    scenario: str | None,
    plugin_files: tuple[Path, ...],
    plugins_dir: Path | None,
    results: Path,
    runs: Path,
    form: str,
) -> None:
    """Add metrics to the records of finished runs, from their stored embeddings.

    Nothing is trained, and no other score changes. Runs whose folder is missing and plugin metrics
    that fail are reported and skipped.
    """
    # Imported here so that `dfbench --help` does not import torch.
    from dfbench.plugins.metrics import ChosenMetrics, choose_metrics
    from dfbench.records.store import ResultStore
    from dfbench.reporting.rescoring import rescored
    from dfbench.reporting.run_folders import MissingRun
    from dfbench.reporting.tables.selection import chosen_records, of_methods

    chosen = choose_metrics(metrics, plugin_sources(plugin_files, plugins_dir))
    records = of_methods(chosen_records(results, dataset, scenario), methods)
    store = ResultStore(results)
    told = []
    faults: dict[str, str] = {}
    missing = 0
    for record in records:
        left = tuple(one for one in chosen.metrics if one.name not in faults)
        if not left:
            break
        try:
            found = rescored(record, runs, ChosenMetrics(left, chosen.offers))
        except (MissingRun, InvalidInput) as fault:
            note(f"left as it is: {fault}")
            missing += 1
            continue
        faults |= found.faults
        if found.added:
            store.write(found.record)
        told.append(
            {
                "method": record.method.label,
                "dataset": record.data.name,
                "scenario": record.scenario,
                "seed": record.seed,
                "eval_id": record.eval_id,
                "added": list(found.added),
            }
        )
    if form == "json":
        print_json(told)
    else:
        changed = sum(bool(one["added"]) for one in told)
        output().print(
            f"{changed} records have new metrics, {len(told) - changed} are unchanged, "
            f"{missing} have no stored embeddings here",
            markup=False,
        )
    if faults:
        raise PluginFault(
            f"{'; '.join(faults.values())}; all other scores are kept (check it: dfbench check "
            f"{next(iter(faults))})"
        )
    if missing and not told:
        raise InvalidInput(f"none of {missing} runs could be rescored; see above, and --runs")
