"""`dfbench check`: the conformance checks of methods, networks, metrics and re-rankers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from dfbench.cli.options import format_option, plugin_options, plugin_sources
from dfbench.cli.parameters import Choice, key_values
from dfbench.cli.request_options import cache_option
from dfbench.conformance.check import CHECKS, chosen_checks, parts_of
from dfbench.errors import InvalidInput
from dfbench.request.settings import Settings
from dfbench.system.console import messages, output, print_json, progress

if TYPE_CHECKING:
    from dfbench.conformance.kit import Verdict
    from dfbench.plugins.host import PluginHost

_HELP = """Check that a plugin follows the benchmark's rules: the conformance kit.

TARGET is a method (NAME or NAME[VARIANT]), module:Class, a network, a metric, a re-ranker, or a
plugin file (all that it offers). A network is checked for shapes at several image sizes,
determinism, its state dict and gradients; a metric for range, perfect and worst rankings, ties and
batches; a re-ranker for its arguments, shapes, unchanged inputs, blocks and order. Each method is
fitted several times on a few synthetic images of 16 px, which takes seconds to minutes. Only
teachers are kept, in the cache. Exit status 1 if a check fails.

\b
"""
_RULES = "\n".join(f"{check.name}: {check.rule}" for check in CHECKS)
_STYLES = {"passed": "green", "failed": "bold red", "expected": "yellow", "not run": "dim"}


@click.command(help=_HELP + _RULES)
@click.argument("target")
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="KEY=VALUE",
    help="A setting of the method (rounds=4) or of the budget (budget.steps=10).",
)
@click.option("--only", multiple=True, metavar="CHECK", help="Only this check; may be repeated.")
@click.option(
    "--expect-failure",
    "expected",
    multiple=True,
    metavar="CHECK=REASON",
    help="A check that is expected to fail, and why; passing it counts as a failure.",
)
@click.option("--device", type=Choice(["cpu", "cuda"]), default="cpu", show_default=True)
@click.option("-v", "--verbose", is_flag=True, help="Show the traceback of a plugin's error.")
@plugin_options
@cache_option
@format_option("text", "json")
def check(
    *,
    target: str,
    settings: tuple[str, ...],
    only: tuple[str, ...],
    expected: tuple[str, ...],
    device: str,
    verbose: bool,
    plugin_files: tuple[Path, ...],
    plugins_dir: Path | None,
    cache: Path,
    form: str,
) -> int:
    """Run the checks and return the exit status: 0 if none fails, else 1."""
    host, parts = parts_of(target, plugin_sources(plugin_files, plugins_dir))
    if parts and (settings or only or expected):
        raise InvalidInput(
            f"{target!r} offers networks, metrics or re-rankers; allowed with methods only: "
            "--set, --only, --expect-failure"
        )
    of_parts = _of_parts(host, parts)
    if parts and not _has_methods(host, target):
        return _reported(of_parts, form, verbose=verbose)
    checks = chosen_checks(only)
    # Imported here so that `dfbench --help` does not import torch.
    from dfbench.conformance.check import rows_of
    from dfbench.conformance.kit import examined
    from dfbench.evaluation.ranking.devices import chosen_device

    chosen_device(device)
    given = Settings(key_values("--set", settings, "KEY=VALUE, e.g. --set rounds=4"))
    expectations = key_values("--expect-failure", expected, "CHECK=REASON")
    host, labels = rows_of(target, plugin_sources(plugin_files, plugins_dir))
    verdicts: dict[tuple[str, str], list[Verdict]] = dict(of_parts)
    for label in labels:
        examination = examined(
            host,
            label,
            settings=given.from_folder(),
            expected_failures=expectations,
            cache=cache,
            device=device,
        )
        with examination as row, progress(f"checking {label}", len(checks)) as advance:
            found = verdicts["methods", label] = []
            for one in checks:
                found.append(row.verdict(one))
                advance(1)
    return _reported(verdicts, form, verbose=verbose)


def _reported(verdicts: dict[tuple[str, str], list[Verdict]], form: str, *, verbose: bool) -> int:
    """Print the verdicts by kind and name; the exit status."""
    if form == "json":
        print_json([_content(kind, name, found) for (kind, name), found in verdicts.items()])
    else:
        for (_, name), found in verdicts.items():
            _print(name, found, verbose=verbose)
    return int(any(v.status == "failed" for found in verdicts.values() for v in found))


def _has_methods(host: PluginHost, target: str) -> bool:
    return any(p.offers["methods"] for p in host.plugins if p.file == Path(target).resolve())


def _of_parts(
    host: PluginHost, parts: list[tuple[str, str]]
) -> dict[tuple[str, str], list[Verdict]]:
    """The verdicts on networks, metrics and re-rankers, by kind and name."""
    from dfbench.conformance.kit import part_checks, part_verdicts

    return {
        (kind, name): list(part_verdicts(host, kind, name, part_checks(kind)))
        for kind, name in parts
    }


def _print(label: str, verdicts: list[Verdict], *, verbose: bool) -> None:
    from rich.table import Table
    from rich.text import Text

    names = max(len(verdict.check.name) for verdict in verdicts)
    table = Table.grid(padding=(0, 2))
    table.add_column(min_width=max(map(len, _STYLES)))
    table.add_column(min_width=names)
    table.add_column(overflow="fold")
    for verdict in verdicts:
        table.add_row(
            Text(verdict.status, style=_STYLES[verdict.status]),
            Text(verdict.check.name),
            Text(verdict.remark or verdict.check.rule),
        )
    output().print(Text(label, style="bold"))
    output().print(table)
    counts = {status: sum(v.status == status for v in verdicts) for status in _STYLES}
    counted = ", ".join(f"{count} {status}" for status, count in counts.items() if count)
    output().print(f"{counted} in {sum(v.seconds for v in verdicts):.0f} s", markup=False)
    for verdict in verdicts:
        if verbose and verdict.traceback:
            messages().print(verdict.traceback, markup=False)


def _content(kind: str, label: str, verdicts: list[Verdict]) -> dict[str, Any]:
    return {
        kind.removesuffix("s"): label,
        "checks": [
            {
                "name": verdict.check.name,
                "rule": verdict.check.rule,
                "status": verdict.status,
                "remark": verdict.remark,
                "seconds": round(verdict.seconds, 1),
                "traceback": verdict.traceback,
            }
            for verdict in verdicts
        ],
    }
