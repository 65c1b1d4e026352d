"""`dfbench suite`: plan, run and inspect a grid of runs from one file."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import rich_click as click

from dfbench.cli.options import format_option, plugin_options, plugin_sources
from dfbench.cli.parameters import AbsolutePath, Choice, FiniteRange, key_values
from dfbench.cli.request_options import data_root_option, request_option, request_options
from dfbench.errors import InvalidInput
from dfbench.request import (
    DataOptions,
    ExternalOptions,
    FitOptions,
    Limits,
    MachineOptions,
    Places,
    RerankOptions,
)
from dfbench.request.option import declared
from dfbench.system.console import note, print_json

if TYPE_CHECKING:
    from dfbench.suites.execution import Use
    from dfbench.suites.executors.cluster import ClusterChoice
    from dfbench.suites.executors.jobs import SlurmChoice
    from dfbench.suites.planning import SuiteItem
    from dfbench.suites.suite import OpenSuite

Command = Callable[..., Any]
FAILED = 1
"""Exit status if a run of the suite failed."""
_WATCH_SECONDS = 2.0


_HELP = """Run a grid of methods, datasets, scenarios and seeds from a TOML file.

\b
methods = ["classifier-only", {{ method = "crossx", config = {{ rounds = 4 }} }}]
datasets = ["shapes", {{ dataset = "folder:../images", image_size = 32 }}]
scenarios = ["closed", "overlap=0.5", "unseen=0.25"]  # see dfbench run --help
seeds = [0, 1, 2]
precision = "fp32"  # or any other run option
plugins = ["mine.py"]  # plugin files, as with --plugin
[budget]      # settings of the shared budget, e.g. steps = 300
[teachers]    # settings of the teachers, e.g. steps = 400
[run]         # {run}, jobs

Run options are {options}: at the top level for all datasets, or in a dataset's entry. An entry
can also override the suite's scenarios, budget and teachers. Paths are relative to the file.
"""


@click.group(
    "suite",
    help=_HELP.format(
        run=", ".join(declared(MachineOptions, Limits)),
        options=", ".join(declared(DataOptions, ExternalOptions, FitOptions, RerankOptions)),
    ),
)
def suite_group() -> None:
    """Group of the verbs that work on a suite file."""


def _suite_options(command: Command) -> Command:
    """Add the file and the options that select and locate its runs, as all three commands need."""
    for option in (
        format_option("text", "json"),
        data_root_option,
        request_options(Places, without={"log_dir"}),
        plugin_options,
        request_options(MachineOptions, default=None),
        click.option(
            "--except",
            "without",
            multiple=True,
            metavar="PATTERN",
            help="Leave out runs that match; may be repeated.",
        ),
        click.option(
            "--only",
            multiple=True,
            metavar="PATTERN",
            help="Only runs that match a method, dataset, scenario or seed=N, with * and ?; may be "
            "repeated: patterns of one kind are alternatives, those of different kinds must all "
            "match.",
        ),
        click.argument("file", type=AbsolutePath()),
    ):
        command = option(command)
    return command


@suite_group.command()
@_suite_options
def plan(form: str, **options: Any) -> None:
    """Print every run with its state and estimated cost; run nothing."""
    _show(_opened(**options), form)


@suite_group.command()
@_suite_options
@click.option("--watch", is_flag=True, help="Refresh every two seconds while anything runs.")
def status(form: str, *, watch: bool, **options: Any) -> None:
    """Print which runs are planned, running, done, failed, timeout or skipped, and why."""
    import time

    suite = _opened(**options)
    while any(item.status == "running" for item in _show(suite, form)) and watch:
        time.sleep(_WATCH_SECONDS)


@suite_group.command()
@_suite_options
@click.option(
    "--retry", type=Choice(["failed", "timeout", "all"]), help="Repeat runs with this status."
)
@click.option(
    "--jobs",
    type=click.IntRange(1),
    help="Concurrent runs; default: 1, or one per GPU; on a cluster as many as fit.",
)
@request_options(Limits, default=None)
@request_option(Places, "log_dir")
@click.option("--fail-fast", is_flag=True, help="Start no further run after the first failure.")
@click.option(
    "--executor",
    type=Choice(["local", "ray", "slurm"]),
    default="local",
    show_default=True,
    help="Execute runs on this machine, on a Ray cluster (extra: ray) or as jobs of a Slurm "
    "cluster with a shared disk (extra: slurm).",
)
@click.option(
    "--address",
    metavar="HOST:PORT",
    help="Address of the Ray cluster; default: start one on this machine while the suite runs.",
)
@click.option(
    "--gpus-per-run",
    type=FiniteRange(0, 1, min_open=True),
    help="Share of a GPU of the Ray cluster that a run on cuda takes, e.g. 0.25; default: 1.",
)
@click.option(
    "--slurm",
    "slurm_parameters",
    multiple=True,
    metavar="KEY=VALUE",
    help="A parameter of all Slurm jobs, as submitit calls it: partition, account, qos, time "
    "(minutes), mem, gres, constraint, setup, ...; may be repeated.",
)
@click.option(
    "--dry-run",
    is_flag=True,
    help="Print each task with the resources it would take, and execute nothing.",
)
def run(
    *,
    form: str,
    retry: Literal["failed", "timeout", "all"] | None,
    jobs: int | None,
    fail_fast: bool,
    executor: Literal["local", "ray", "slurm"],
    address: str | None,
    gpus_per_run: float | None,
    slurm_parameters: tuple[str, ...],
    dry_run: bool,
    **options: Any,
) -> None:
    """Execute the missing runs: those that are planned or were interrupted.

    Runs that failed are not repeated without --retry. Exit status 1 if any run failed.
    """
    from dfbench.reporting.event_log import check_log_folder

    choice = _choice(executor, address, gpus_per_run, slurm_parameters)
    if choice is not None and not (dry_run and address is None):
        choice.require()
    check_log_folder(options["log_dir"])
    suite = _opened(**options, elsewhere=choice is not None)
    for line in suite.notes:
        note(line)
    chosen = [item for item in suite.items() if item.missing or _retried(item, retry)]
    if chosen or dry_run:
        do = _runner(suite, choice, dry_run=dry_run)
        use = _printed(form) if dry_run else _executed(chosen, fail_fast=fail_fast)
        do(suite.plan, chosen, suite.limits, jobs=jobs or suite.file.suite.run.jobs, use=use)
    if dry_run:
        return
    if chosen and options["log_dir"] is not None:
        note(f"TensorBoard events: {options['log_dir']}")
    if any(item.status in ("failed", "timeout") for item in _show(suite, form)):
        raise SystemExit(FAILED)


def _choice(
    executor: str,
    address: str | None,
    gpus_per_run: float | None,
    slurm_parameters: tuple[str, ...],
) -> ClusterChoice | SlurmChoice | None:
    """The cluster that the options choose; None for runs on this machine."""
    given: dict[str, dict[str, object]] = {
        "ray": {"--address": address, "--gpus-per-run": gpus_per_run},
        "slurm": {"--slurm": slurm_parameters[0] if slurm_parameters else None},
    }
    for name, options in given.items():
        for option, value in options.items():
            if value is not None and name != executor:
                raise InvalidInput(
                    f"{option} {value} with --executor {executor}; allowed: --executor {name}"
                )
    if executor == "ray":
        from dfbench.suites.executors.cluster import ClusterChoice

        return ClusterChoice(address, gpus_per_run)
    if executor == "slurm":
        from dfbench.suites.executors.jobs import SlurmChoice

        return SlurmChoice(key_values("--slurm", slurm_parameters, "KEY=VALUE"))
    return None


def _runner(
    suite: OpenSuite, choice: ClusterChoice | SlurmChoice | None, *, dry_run: bool
) -> Callable[..., None]:
    """The function of `dfbench.suites.execution` for the chosen executor."""
    from dfbench.suites.execution import run_locally, run_on_ray, run_on_slurm
    from dfbench.suites.executors.cluster import ClusterChoice, connected, not_started

    if choice is None:
        return run_locally
    if isinstance(choice, ClusterChoice):
        connect = partial(not_started, gpus=suite.plan.gpus) if dry_run else connected
        return partial(run_on_ray, choice=choice, connect=connect)
    return partial(run_on_slurm, choice=choice)


def _executed(chosen: Sequence[SuiteItem], *, fail_fast: bool) -> Use:
    from dfbench.runs.execute import check_places
    from dfbench.suites.execution import execute_all

    check_places(item.run.plan for item in chosen if item.run.plan)
    return partial(execute_all, fail_fast=fail_fast)


def _printed(form: str) -> Use:
    from dfbench.suites.report import print_jobs

    return partial(print_jobs, form=form)


def _opened(
    *,
    file: Path,
    only: tuple[str, ...],
    without: tuple[str, ...],
    plugin_files: tuple[Path, ...],
    plugins_dir: Path | None,
    elsewhere: bool = True,
    **options: Any,
) -> OpenSuite:
    """The suite; with `elsewhere`, this machine executes none of its runs."""
    from dfbench.suites.suite import open_suite

    given = {name: value for name, value in options.items() if value is not None}
    sources = plugin_sources(plugin_files, plugins_dir)
    return open_suite(file, given, sources, only, without, elsewhere=elsewhere)


def _show(suite: OpenSuite, form: str) -> list[SuiteItem]:
    """Print the current state of the suite, and return its runs."""
    from dfbench.reporting.tables.printing import print_layouts
    from dfbench.suites.planning import networks_to_train
    from dfbench.suites.report import suite_layout

    items = suite.items()
    command = shlex.join(["dfbench", "suite", "run", str(suite.file.path)])
    layout = suite_layout(suite.title, items, networks_to_train(items), command)
    if form == "json":
        print_json(layout.content)
    else:
        print_layouts([layout], form)
    return items


def _retried(item: SuiteItem, retry: str | None) -> bool:
    return item.status in ("failed", "timeout") and retry in ("all", item.status)
