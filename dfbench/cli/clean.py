"""`dfbench clean`: what the cache and the runs hold, and its removal."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from dfbench.cli.options import format_option
from dfbench.cli.parameters import Choice, FiniteRange
from dfbench.cli.request_options import cache_option, results_option, runs_option
from dfbench.errors import InvalidConfig
from dfbench.system.console import note, print_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dfbench.reporting.storage import StoredItem, StoredItems

_DAY = 86400
_HEADER = ("name", "needed by", "size", "files", "changed")


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--unused", is_flag=True, help="Only what no record in --results needs.")
@click.option(
    "--older-than",
    "days",
    type=FiniteRange(min=0),
    metavar="DAYS",
    help="Only what no record needs and what has not changed for this many days.",
)
@click.option("--delete", is_flag=True, help="Delete what is listed.")
@click.option(
    "--sort",
    type=Choice(["size", "age"]),
    default="size",
    show_default=True,
    help="Largest or oldest first.",
)
@results_option
@runs_option
@cache_option
@format_option("text", "markdown", "json")
def clean(
    *,
    names: tuple[str, ...],
    unused: bool,
    days: float | None,
    delete: bool,
    sort: str,
    results: Path,
    runs: Path,
    cache: Path,
    form: str,
) -> None:
    """List what is in the cache and the runs folder; with --delete, delete some of it.

    Without --delete nothing is changed. --unused and --older-than never select what a record needs:
    run folders and networks of recorded runs, imported teachers. NAME, or its beginning, selects
    any item. Runs in progress are never deleted.
    """
    from dfbench.reporting.storage import remove, stored_items

    if names and (unused or days is not None):
        other = "--unused" if unused else "--older-than"
        raise InvalidConfig(f"{names[0]!r} with {other}; allowed: either names or {other}")
    if delete and not (names or unused or days is not None):
        raise InvalidConfig(
            "--delete without a selection; allowed: NAME, --unused or --older-than DAYS; list the "
            "names: dfbench clean"
        )
    found = stored_items(results, runs, cache)
    chosen = _chosen(found, names, unused=unused, days=days)
    chosen.sort(key=lambda item: item.use.newest if sort == "age" else -item.use.size)
    if delete:
        found.check_removable(chosen, named=bool(names), results=results)
        for item in chosen:
            remove(item)
            note(f"deleted: {item.name}")
    if form == "json":
        print_json({"deleted": delete, "items": [_content(item) for item in chosen]})
    else:
        _print(chosen, form, delete=delete, selected=bool(names or unused or days is not None))


def _chosen(
    found: StoredItems, names: tuple[str, ...], *, unused: bool, days: float | None
) -> list[StoredItem]:
    if names:
        return found.named(names)
    if unused or days is not None:
        return found.unneeded(None if days is None else time.time() - days * _DAY)
    return list(found.items)


def _content(item: StoredItem) -> dict[str, Any]:
    changed = datetime.fromtimestamp(item.use.newest, UTC).isoformat(timespec="seconds")
    return {
        "name": item.name,
        "path": str(item.path),
        "status": item.status,
        "needed": item.needed,
        "bytes": item.use.size,
        "files": item.use.files,
        "changed": changed if item.use.files else None,
    }


def _print(items: Sequence[StoredItem], form: str, *, delete: bool, selected: bool) -> None:
    from dfbench.reporting.tables.layout import Layout
    from dfbench.reporting.tables.printing import print_layouts
    from dfbench.system.machine import size_text

    rows = tuple(
        (item.name, item.status, size_text(item.use.size), str(item.use.files), _age(item))
        for item in items
    )
    count = f"{len(items)} {'item' if len(items) == 1 else 'items'}"
    total = f"{count}, {size_text(sum(item.use.size for item in items))}"
    if delete:
        notes = [f"deleted {total}"]
    elif selected:
        notes = [f"{total}; nothing was deleted: delete with --delete"]
    else:
        free = sum(item.use.size for item in items if not item.needed)
        notes = [
            f"{total}, of which no record needs {size_text(free)}; delete these with "
            "dfbench clean --unused --delete, others by name"
        ]
    print_layouts([Layout("cache and runs", _HEADER, rows, tuple(notes), {}, 2)], form)


def _age(item: StoredItem) -> str:
    if not item.use.files:
        return "-"
    return f"{max(0.0, time.time() - item.use.newest) / _DAY:.1f} days ago"
