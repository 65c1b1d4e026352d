"""`dfbench teachers`: the teachers of a benchmark, trained by dfbench or imported."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from dfbench.cli.import_teacher import import_teacher
from dfbench.cli.options import format_option, plugin_options, plugin_sources
from dfbench.cli.request_options import (
    cache_option,
    data_root_option,
    request_option,
    request_options,
)
from dfbench.errors import InvalidConfig, PluginFault
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
    from dfbench.planning.session import Session
    from dfbench.teachers.facts import CachedNetwork
    from dfbench.teachers.store import StoredNetwork

_HEADER = ("identity", "kind", "network", "classes", "px", "accuracy", "MiB", "age")
_TEXTS = 3
_NONE = "none; train some: dfbench teachers train --dataset shapes"
_OF_A_FIT = {
    "method",
    "settings",
    "devices",
    "rerank",
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
@click.option(
    "--need",
    "needs",
    metavar="NEED",
    multiple=True,
    help="Also train what methods with this need use, e.g. 'modality classifier'; may be repeated.",
)
@click.option("--force", is_flag=True, help="Train even if official or cached teachers exist.")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help="Also copy the networks, with those they start from, into this folder, e.g. of a dataset "
    "plugin that provides them.",
)
@plugin_options
@cache_option
@format_option("text", "json")
def train(
    *,
    needs: tuple[str, ...],
    force: bool,
    out: Path | None,
    plugin_files: tuple[Path, ...],
    plugins_dir: Path | None,
    form: str,
    **options: Any,
) -> None:
    """Train both teachers of a dataset, unless the dataset provides them or they are in the cache.

    A run with the same data, seed and settings uses these teachers. --force trains them again; with
    --train-teachers, runs use the result instead of official teachers.
    """
    from dfbench.planning.plan import open_session
    from dfbench.plugins.code import folder_of
    from dfbench.runs.ingredients import ensure_teachers
    from dfbench.teachers.facts import entry_of

    _check_needs(needs)
    if force and out is not None:
        raise InvalidConfig(
            "--out with --force; allowed: either, because networks trained in place of official "
            f"ones are not official (to replace those in {str(out)!r}, empty it first)"
        )
    request, _ = read_options(options, plugin_sources(plugin_files, plugins_dir))
    request = request.model_copy(update={"train_teachers": force})
    if request.settings.method:
        raise InvalidConfig(
            f"--set {next(iter(request.settings.method))!r} is a setting of a method; allowed: "
            "teachers.KEY=VALUE, e.g. --set teachers.network=resnet18"
        )
    session = open_session(request)
    networks = ensure_teachers(session, needs, again=force)
    if out is not None:
        _copy(session, networks, out)
    owners = {
        folder_of(answer.offer.teachers, answer.offer.file): name
        for name, answer in session.offers.items()
        if answer.offer is not None and answer.offer.teachers is not None
    }
    files = [network.path for network in networks.values()]
    found = [entry_of(file, owners.get(file.parent)) for file in files]
    _print("teachers", [entry for entry in found if entry], form)


def _check_needs(needs: tuple[str, ...]) -> None:
    from dfbench.errors import unknown_name
    from dfbench.need import Need

    known = [need.value for need in Need if need.provision.supplies]
    for name in needs:
        if name not in known:
            raise unknown_name("need", name, known, "dfbench teachers train --need")


def _copy(session: Session, networks: Mapping[str, StoredNetwork], target: Path) -> None:
    """Copy networks, and those that they are made from, into a folder."""
    from dfbench.need import lineage
    from dfbench.system.files import atomic_path
    from dfbench.teachers.identities import network_file

    wanted = {i: None for name in networks for i in lineage(session.networks, name)}
    for identity in wanted:
        file = session.network_file(identity)
        with atomic_path(network_file(target, identity)) as temporary:
            shutil.copyfile(file, temporary)


@teachers_group.command("list")
@plugin_options
@cache_option
@format_option("text", "markdown", "json")
def list_(
    *, plugin_files: tuple[Path, ...], plugins_dir: Path | None, cache: Path, form: str
) -> None:
    """List the networks in the cache, newest first, and those that datasets provide."""
    from dfbench.teachers.facts import entries

    found, strange = entries(_folder(cache))
    for provider, folder in provided_folders(plugin_files, plugins_dir).items():
        theirs, damaged = entries(folder, provider)
        found += sorted(theirs, key=lambda entry: entry.facts.identity)
        strange += damaged
    for path in strange:
        note(f"left out: '{path}' is not a network stored by dfbench, or is damaged")
    _print("networks", found, form)


def provided_folders(plugin_files: tuple[Path, ...], plugins_dir: Path | None) -> dict[str, Path]:
    """The folders of networks that datasets provide, by dataset."""
    from dfbench.plugins.code import folder_of
    from dfbench.plugins.host import PluginHost

    host = PluginHost.of(plugin_sources(plugin_files, plugins_dir))
    found = {}
    for name, offer in host.datasets.items():
        if offer.spec.teachers is not None:
            try:
                found[name] = folder_of(offer.spec.teachers, offer.plugin.file)
            except PluginFault as fault:  # it does not affect other datasets
                note(f"left out: dataset {name!r}: {fault}")
    return found


@teachers_group.command()
@click.argument("teacher")
@plugin_options
@cache_option
@format_option("text", "json")
def show(
    *,
    teacher: str,
    plugin_files: tuple[Path, ...],
    plugins_dir: Path | None,
    cache: Path,
    form: str,
) -> None:
    """Show everything stored about a network: TEACHER is a file or the start of an identity."""
    from dfbench.reporting.tables.layout import Layout
    from dfbench.reporting.tables.printing import print_layouts
    from dfbench.teachers.external import stored_teacher
    from dfbench.teachers.facts import official_files
    from dfbench.teachers.stored import shown

    folders = provided_folders(plugin_files, plugins_dir).values()
    official = {i: file for folder in folders for i, file in official_files(folder).items()}
    path, _ = stored_teacher(teacher, _folder(cache), official)
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
    notes = tuple(_provenances(entries)) if rows else (_NONE,)
    print_layouts([Layout(title, _HEADER, rows, notes, {}, _TEXTS)], form)


def _provenances(entries: list[CachedNetwork]) -> Iterator[str]:
    """What trained the networks that datasets provide, one line for each command."""
    official: dict[tuple[str, ...], list[str]] = {}
    for entry in entries:
        if entry.provider is not None:
            made = entry.facts.provenance
            told = (made.get(name, "unknown") for name in ("command", "commit", "torch"))
            official.setdefault((entry.provider, *told), []).append(entry.facts.identity[:12])
    for (provider, command, commit, torch), identities in official.items():
        yield (
            f"official, provided by {provider} ({', '.join(identities)}): {command}, commit "
            f"{commit[:12]}, torch {torch}"
        )


def _row(entry: CachedNetwork) -> tuple[str, ...]:
    from dfbench.reporting.cells import short

    facts = entry.facts
    shares = (*facts.accuracies.values(), facts.accuracy)
    accuracy = ", ".join(short(share) for share in shares if share is not None)
    kind = facts.kind if facts.modality is None else f"{facts.modality}: {facts.kind}"
    return (
        facts.identity[:12],
        kind,
        facts.network,
        str(len(facts.classes) or "-"),
        str(facts.image_size or "any"),
        accuracy or "-",
        f"{entry.bytes / 2**20:.1f}",
        _age(time.time() - entry.changed) if entry.provider is None else "official",
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
