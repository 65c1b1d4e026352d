"""`dfbench teachers`: the teachers of a benchmark, trained by dfbench or imported."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from dfbench.cli.import_teacher import import_teacher
from dfbench.cli.options import (
    cache_option,
    data_root_option,
    format_option,
    plugin_options,
    plugin_sources,
)
from dfbench.cli.parameters import request_option, request_options
from dfbench.errors import InvalidConfig
from dfbench.request import (
    DataChoice,
    DataOptions,
    ExternalOptions,
    FitOptions,
    RunRequest,
    read_options,
)
from dfbench.system.console import note, print_json

if TYPE_CHECKING:
    from dfbench.teachers.facts import CachedNetwork

_HEADER = ("identity", "kind", "network", "classes", "px", "accuracy", "MiB", "age")
_TEXTS = 3
_OF_A_FIT = {
    "method",
    "settings",
    "devices",
    *FitOptions.model_fields,
    *ExternalOptions.model_fields,
}
"""Options of a run that no training of teachers depends on."""


@click.group("teachers")
def teachers_group() -> None:
    """Train, inspect and import teachers."""


@teachers_group.command()
@request_option(DataChoice, "dataset", required=True, help="NAME, or folder:PATH for your images.")
@request_options(RunRequest, without=_OF_A_FIT)
@request_option(
    RunRequest,
    "settings",
    help="A setting of the teachers, e.g. teachers.network=resnet18.",
)
@request_options(DataOptions)
@data_root_option
@plugin_options
@cache_option
@format_option("text", "json")
def train(
    *,
    plugin_files: tuple[Path, ...],
    plugins_dir: Path | None,
    form: str,
    **options: Any,
) -> None:
    """Train both teachers of a dataset, unless they are in the cache.

    A run with the same data, seed and settings takes them from the cache.
    """
    from dfbench.planning.plan import open_session
    from dfbench.runs.ingredients import ensure_teachers
    from dfbench.teachers.facts import entry_of

    request, _ = read_options(options, plugin_sources(plugin_files, plugins_dir))
    if request.settings.method:
        raise InvalidConfig(
            f"--set {next(iter(request.settings.method))!r} is a setting of a method; allowed: "
            "teachers.KEY=VALUE, e.g. --set teachers.network=resnet18"
        )
    session = open_session(request)
    trained = [entry_of(network.path) for network in ensure_teachers(session).values()]
    _print("teachers", [entry for entry in trained if entry], form)


@teachers_group.command("list")
@cache_option
@format_option("text", "markdown", "json")
def list_(*, cache: Path, form: str) -> None:
    """List the networks in the cache, newest first."""
    from dfbench.teachers.facts import entries

    found, strange = entries(_folder(cache))
    for path in strange:
        note(f"left out: '{path}' is not a network stored by dfbench, or is damaged")
    _print("networks", found, form)


@teachers_group.command()
@click.argument("teacher")
@cache_option
@format_option("text", "json")
def show(*, teacher: str, cache: Path, form: str) -> None:
    """Show everything stored about a network: TEACHER is a file or the start of an identity."""
    from dfbench.reporting.tables.layout import Layout
    from dfbench.reporting.tables.printing import print_layouts
    from dfbench.teachers.external import stored_teacher
    from dfbench.teachers.stored import shown

    path, _ = stored_teacher(teacher, _folder(cache))
    content = shown(path)
    if form == "json":
        print_json(content)
        return
    rows = tuple((name, _told(value)) for name, value in content.items() if value is not None)
    print_layouts([Layout(path.stem[:12], ("", ""), rows, (), content, 2)], form)


teachers_group.add_command(import_teacher)


def _folder(cache: Path) -> Path:
    return cache / "teachers"


def _print(title: str, entries: list[CachedNetwork], form: str) -> None:
    from dfbench.reporting.tables.layout import Layout
    from dfbench.reporting.tables.printing import print_layouts

    if form == "json":
        print_json([entry.content for entry in entries])
        return
    rows = tuple(_row(entry) for entry in entries)
    notes = () if rows else ("none; train some: dfbench teachers train --dataset shapes",)
    print_layouts([Layout(title, _HEADER, rows, notes, {}, _TEXTS)], form)


def _row(entry: CachedNetwork) -> tuple[str, ...]:
    facts = entry.facts
    shares = (*facts.accuracies.values(), facts.accuracy)
    accuracy = ", ".join(f"{share:.3f}" for share in shares if share is not None)
    kind = facts.kind if facts.modality is None else f"{facts.modality}: {facts.kind}"
    return (
        facts.identity[:12],
        kind,
        facts.network,
        str(len(facts.classes) or "-"),
        str(facts.image_size or "any"),
        accuracy or "-",
        f"{entry.bytes / 2**20:.1f}",
        _age(time.time() - entry.changed),
    )


def _age(seconds: float) -> str:
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds / length:.0f} {unit}"
    return f"{max(seconds, 0):.0f} s"


def _told(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(_told, value))
    return f"{value:.4g}" if isinstance(value, float) else str(value)
