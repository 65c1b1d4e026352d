"""`dfbench plot`: figures of finished runs for papers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from dfbench.cli.completers import complete_method
from dfbench.cli.options import dataset_option, scenario_option
from dfbench.cli.parameters import AbsolutePath
from dfbench.cli.request_options import results_option, runs_option
from dfbench.errors import InvalidInput, unknown_name
from dfbench.system.console import note

if TYPE_CHECKING:
    from dfbench.records.record import Record
    from dfbench.reporting.lines import Line

Command = Callable[..., Any]
_METRIC = "map@all"


@click.group("plot")
def plot_group() -> None:
    """Draw figures of finished runs as PNG, PDF or SVG, according to the file name.

    The same records give the same file, byte for byte.
    """


@dataclass(frozen=True)
class Request:
    """The options that all figures share."""

    target: Path
    dataset: str | None
    scenario: str | None
    methods: tuple[str, ...]
    results: Path
    runs: Path

    def records(self) -> list[Record]:
        """The records that the options select; the file format is checked first.

        A note counts the runs that did not finish.
        """
        from dfbench.reporting.plots.style import check_target
        from dfbench.reporting.tables.selection import chosen_records, say_unfinished
        from dfbench.reporting.tables.unfinished import unfinished_runs

        check_target(self.target)
        records = chosen_records(self.results, self.dataset, self.scenario, self.runs)
        say_unfinished(
            [
                one
                for one in unfinished_runs(self.runs, records)
                if one.is_of(self.methods, self.dataset, self.scenario)
            ]
        )
        return records


def _figure_options(command: Command) -> Command:
    """Gather the options of all figures (records, runs, methods, file) into a `Request`."""

    @wraps(command)
    def gathered(
        *,
        target: Path,
        dataset: str | None,
        methods: tuple[str, ...],
        results: Path,
        runs: Path,
        scenario: str | None = None,
        **others: Any,
    ) -> None:
        command(Request(target, dataset, scenario, methods, results, runs), **others)

    row = click.option(
        "--method",
        "methods",
        shell_complete=complete_method,
        multiple=True,
        metavar="METHOD",
        help="Only this method: NAME, NAME[VARIANT] or its name in tables; may be repeated.",
    )
    file = click.option(
        "-o",
        "--output",
        "target",
        type=AbsolutePath(dir_okay=False),
        required=True,
        metavar="FILE",
        help="File to write: FILE.png, .pdf or .svg.",
    )
    return file(dataset_option(row(results_option(runs_option(gathered)))))


_metric_option = click.option(
    "--metric", default=_METRIC, show_default=True, metavar="METRIC", help="Metric to plot."
)
_representation_option = click.option(
    "--representation",
    default="",
    metavar="NAME",
    help="Representation to plot instead of the main one, e.g. posterior.",
)


@plot_group.command("bars")
@_figure_options
@scenario_option
@_metric_option
def bars(request: Request, *, metric: str) -> None:
    """Plot methods as bars with intervals, with their posteriors and published numbers."""
    from dfbench.reporting.cells import metric_title
    from dfbench.reporting.comparisons.intervals import interval_lines
    from dfbench.reporting.plots.bars import bar_chart, bars_of
    from dfbench.reporting.plots.style import draw
    from dfbench.reporting.run_folders import RunFolders
    from dfbench.reporting.tables.leaderboard import table_title
    from dfbench.reporting.tables.selection import chosen_lines, one_condition

    records = request.records()
    _check_metric(records, metric)
    lines = chosen_lines(one_condition(records, request.methods), request.methods, None)
    first = lines[0].first
    found = bars_of(lines, metric, RunFolders(request.runs))
    title = table_title(first)
    draw(
        request.target,
        lambda: bar_chart(
            found, first.chance if metric == _METRIC else None, metric_title(metric), title
        ),
    )
    _say(request.target, interval_lines((bar.name, bar.features) for bar in found))


@plot_group.command("ablation")
@_figure_options
@scenario_option
@_metric_option
def ablation(request: Request, *, metric: str) -> None:
    """Plot what each variant of a method gains or loses, with intervals of the differences.

    The method is that of --method; by default it is the only one with variants or other settings,
    or the one that the paper proposes.
    """
    from dfbench.reporting.cells import metric_title
    from dfbench.reporting.comparisons.file import read_comparisons
    from dfbench.reporting.plots.ablation import ablated_lines, ablation_chart, changes_of
    from dfbench.reporting.plots.style import draw
    from dfbench.reporting.run_folders import RunFolders
    from dfbench.reporting.tables.leaderboard import table_title
    from dfbench.reporting.tables.selection import chosen_lines, one_condition

    records = request.records()
    _check_metric(records, metric)
    condition = one_condition(records, request.methods)
    parent = _only_row(
        chosen_lines(condition, request.methods, None)
        if request.methods
        else ablated_lines(condition)
    )
    answers = {one.key: one for one in read_comparisons(request.results)}
    changes = changes_of(condition, parent, metric, answers, RunFolders(request.runs))
    if not changes:
        raise InvalidInput(
            f"no records of {parent.label!r} with other settings to compare with it; make some: "
            f"dfbench describe {parent.first.method.name} lists variants and settings"
        )
    title = table_title(parent.first)
    draw(request.target, lambda: ablation_chart(changes, parent.name, metric_title(metric), title))
    bare = any(one.low is None for change in changes for one in change.by_representation.values())
    _say(
        request.target,
        ["95 % paired bootstrap; none where run folders are missing (--runs)"] * bare,
    )


@plot_group.command("pr")
@_figure_options
@scenario_option
@_representation_option
def precision_recall(request: Request, *, representation: str) -> None:
    """Plot precision against recall, from the embeddings in the run folders."""
    from dfbench.reporting.comparisons.intervals import FROM_THREE_SEEDS
    from dfbench.reporting.plots.runs import MOST_CURVES, curve_chart, curve_of
    from dfbench.reporting.plots.style import draw
    from dfbench.reporting.tables.leaderboard import table_title
    from dfbench.reporting.tables.selection import chosen_lines, one_condition

    condition = one_condition(request.records(), request.methods)
    lines = _with_representation(
        chosen_lines(condition, request.methods, MOST_CURVES), representation
    )
    curves = [curve_of(line, request.runs, representation) for line in lines]
    first = lines[0].first
    draw(request.target, lambda: curve_chart(curves, first.chance, table_title(first)))
    _say(request.target, [FROM_THREE_SEEDS])


@plot_group.command("confusion")
@_figure_options
@scenario_option
@_representation_option
def confusion(request: Request, *, representation: str) -> None:
    """Plot a confusion matrix: the classes that a method retrieves for queries of each class."""
    from dfbench.reporting.plots.runs import confusion_chart, shares_of
    from dfbench.reporting.plots.style import draw
    from dfbench.reporting.tables.leaderboard import table_title
    from dfbench.reporting.tables.selection import chosen_lines, one_condition

    condition = one_condition(request.records(), request.methods)
    line = _only_row(
        _with_representation(chosen_lines(condition, request.methods, None), representation)
    )
    shares, classes = shares_of(line, request.runs, representation), line.first.data.classes
    title = (
        f"{line.name}{f', {representation}' if representation else ''}: {table_title(line.first)}"
    )
    draw(request.target, lambda: confusion_chart(shares, classes, title))
    _say(request.target, [])


@plot_group.command("overlap")
@_figure_options
@_metric_option
@_representation_option
@click.option(
    "--groups",
    is_flag=True,
    help="Also plot queries of classes that both teachers know, and of those that one knows.",
)
def overlap(request: Request, *, metric: str, representation: str, groups: bool) -> None:
    """Plot scores against the share of classes that both teachers know, with published numbers."""
    from dfbench.reporting.cells import metric_title
    from dfbench.reporting.comparisons.intervals import interval_lines
    from dfbench.reporting.overlap import ALL, GROUPS, sweeps
    from dfbench.reporting.plots.overlap import chosen_series, overlap_chart, panel_of
    from dfbench.reporting.plots.style import draw
    from dfbench.reporting.published import published_overlap
    from dfbench.reporting.run_folders import RunFolders

    records = request.records()
    _check_metric(records, metric)
    found = [sweep for sweep in sweeps(records, metric) if sweep.protocol == "overlap"]
    if len(found) != 1:
        names = ", ".join(sweep.dataset for sweep in found) or "none"
        raise InvalidInput(
            f"the figure shows partial class overlap on one dataset, and there are records on: "
            f"{names}; choose one with --dataset, or make records: dfbench suite run "
            "benchmarks/overlap.toml"
        )
    (sweep,) = found
    series = chosen_series(sweep, request.methods)
    panels = [
        panel_of(sweep, series, group, metric, representation, RunFolders(request.runs))
        for group in (ALL, *GROUPS)[: None if groups else 1]
    ]
    printed = published_overlap().of(sweep.dataset)
    name = f"{metric_title(metric)}{f', {representation}' if representation else ''}"
    draw(request.target, lambda: overlap_chart(panels, printed, name, sweep.dataset))
    shown = [(c.name, p) for panel in panels for c in panel.curves for p in c.points.values()]
    _say(
        request.target,
        [
            *interval_lines(shown),
            f"published: {printed.source}; read off the figure to ± {printed.reading_error}",
        ],
    )


def _check_metric(records: Sequence[Record], metric: str) -> None:
    known = {name for record in records for name in record.metrics}
    if metric not in known:
        raise unknown_name("metric", metric, known, "dfbench table --format json")


def _with_representation(lines: list[Line], representation: str) -> list[Line]:
    """The methods that have a representation. Raises `UnknownName` if none has it."""
    known = {name for line in lines for name in line.first.representations}
    if representation and representation not in known:
        raise unknown_name("representation", representation, known, "dfbench table --format json")
    return [
        line for line in lines if not representation or representation in line.first.representations
    ]


def _only_row(lines: list[Line]) -> Line:
    if len(lines) > 1:
        names = ", ".join(line.name for line in lines)
        raise InvalidInput(
            f"the figure shows one method, not {len(lines)}: {names}; choose one by its name: "
            f"--method '{lines[0].name}'"
        )
    return lines[0]


def _say(target: Path, kinds: Sequence[str]) -> None:
    """Report the path of the figure and the kind of its intervals."""
    for line in dict.fromkeys(kinds):
        note(line)
    note(f"figure: {target}")
