"""What the cache and the folder of runs hold, what needs it, and its removal."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from dfbench.datasets.cifar_quickdraw.source import home_folder
from dfbench.errors import InvalidInput, unknown_beginning
from dfbench.records.record import Record
from dfbench.records.state import STATE_FILE, held, read_state
from dfbench.records.store import ResultStore, fit_key
from dfbench.system.files import entries, writing
from dfbench.system.machine import DiskUse, disk_use
from dfbench.teachers.facts import IMPORTED, read_header

RUNNING = "running"
"""Use of a run in progress; it is never removed."""
_RUN = re.compile(r".+-s\d+-(?P<key>[0-9a-f]{12})")
_RESULT = "_result.pkl"
"""End of the name of the file that a Slurm job leaves in its folder when it ends."""
_MOST_NAMED = 5


@dataclass(frozen=True)
class StoredItem:
    """A run folder, or a file or folder of the cache."""

    name: str
    """Its path below the cache; for a run, `runs/` and its path below the folder of runs."""
    path: Path
    use: DiskUse
    status: str
    """What it is or what needs it, in words."""
    needed: bool
    """Whether only its name selects it: a record needs it, or nothing can make it again."""


@dataclass(frozen=True)
class StoredItems:
    """Everything in both folders."""

    items: tuple[StoredItem, ...]
    records: int
    unreadable: tuple[str, ...]
    """Files among the records that cannot be read."""

    def named(self, names: Iterable[str]) -> list[StoredItem]:
        """The items whose names these are, or unique beginnings of them.

        Raises `UnknownName`, and `InvalidInput` for the beginning of several names.
        """
        return list({item.name: item for name in names for item in [self._one(name)]}.values())

    def _one(self, name: str) -> StoredItem:
        found = [item for item in self.items if item.name.startswith(name.rstrip("/"))]
        exact = [item for item in found if item.name == name.rstrip("/")]
        if exact or len(found) == 1:
            return (exact or found)[0]
        if not found:
            raise unknown_beginning("item", name, (i.name for i in self.items), "dfbench clean")
        some = ", ".join(item.name for item in found[:_MOST_NAMED])
        raise InvalidInput(
            f"{name!r} is the beginning of {len(found)} names ({some}"
            f"{', ...' if len(found) > _MOST_NAMED else ''}); allowed: the beginning of one; list "
            "them: dfbench clean"
        )

    def unneeded(self, before: float | None = None) -> list[StoredItem]:
        """The items that no record needs, last changed before a time (seconds since the epoch)."""
        return [
            item
            for item in self.items
            if not item.needed and (before is None or item.use.newest < before)
        ]

    def check_removable(self, chosen: Sequence[StoredItem], *, named: bool, results: Path) -> None:
        """Raise `InvalidInput` for a run in progress, or if what records need is not known."""
        running = [item.name for item in self.items if item.status == RUNNING]
        for item in chosen:
            if item.name in running:
                raise InvalidInput(
                    f"{item.name!r} is a run in progress; allowed: runs that have ended; stop it "
                    "first (Ctrl+C where it runs)"
                )
        if named:
            return
        if running:
            raise InvalidInput(
                f"{running[0]!r} is in progress and may use anything in the cache; allowed: items "
                "by name; or wait until it has ended"
            )
        if self.unreadable:
            raise InvalidInput(
                f"cannot tell what records need: {self.unreadable[0]}; allowed: items by name"
            )
        if not self.records:
            raise InvalidInput(
                f"no records in {str(results)!r}, so dfbench cannot tell what records need; "
                "allowed: --results with a folder of records, or items by name"
            )


def stored_items(results: Path, runs: Path, cache: Path) -> StoredItems:
    """Look through both folders; nothing is changed. Raises `FileFault` for an unreadable one."""
    store = ResultStore(results)
    records = list(store)
    items = [*_runs(runs, records), *_cache(cache, records)]
    return StoredItems(tuple(items), len(records), tuple(map(str, store.problems)))


def remove(item: StoredItem) -> None:
    """Delete an item; a link is removed, not what it leads to. Raises `FileFault`."""
    with writing(item.path.parent):
        if item.path.is_dir() and not item.path.is_symlink():
            shutil.rmtree(item.path)
        else:
            item.path.unlink(missing_ok=True)


def _runs(runs: Path, records: Sequence[Record]) -> Iterator[StoredItem]:
    needing: dict[str, int] = {}
    for record in records:
        key = fit_key(record.fit_id)
        needing[key] = needing.get(key, 0) + 1
    for dataset in entries(runs):
        for folder in entries(dataset) if dataset.is_dir() else ():
            match = _RUN.fullmatch(folder.name)
            if match and folder.is_dir():
                count = needing.get(match["key"], 0)
                status = RUNNING if held(folder) else _records(count) or _state(folder)
                name = f"runs/{dataset.name}/{folder.name}"
                needed = bool(count) or status == RUNNING
                yield StoredItem(name, folder, disk_use(folder), status, needed)


def _state(folder: Path) -> str:
    state = read_state(folder) if (folder / STATE_FILE).is_file() else None
    if state is None or state.status == "done":
        return "no record"
    return "interrupted" if state.interrupted else state.status


def _records(count: int) -> str:
    return f"{count} {'record' if count == 1 else 'records'}" if count else ""


def _cache(cache: Path, records: Sequence[Record]) -> Iterator[StoredItem]:
    for entry in entries(cache):
        parts = entries(entry) if entry.is_dir() and not entry.is_symlink() else [entry]
        for part in parts:
            if not part.name.startswith("."):
                status, needed = _status(part, cache, records)
                name = str(part.relative_to(cache))
                yield StoredItem(name, part, disk_use(part), status, needed)


def _status(part: Path, cache: Path, records: Sequence[Record]) -> tuple[str, bool]:
    """What an item of the cache is, and whether only its name selects it."""
    kind = part.parent.name if part.parent != cache else ""
    if kind == "teachers":
        using = sum(part.stem in _networks(record) for record in records)
        header = read_header(part) if not using and part.is_file() else None
        if header is not None and header.facts.kind == IMPORTED:
            return "imported", True
        return _records(using) or "no record", bool(using)
    if kind == "slurm":
        ended = any(file.name.endswith(_RESULT) for file in entries(part))
        return ("job that has ended", False) if ended else ("job that may wait or run", True)
    images = cache / "images"
    download = home_folder(None, images)
    if part == download:
        using = sum(record.data.name == download.name for record in records)
        return _records(using) or "downloaded", bool(using)
    return "made again when needed", False


def _networks(record: Record) -> set[str]:
    """Identities of the networks and activation records that a run used."""
    teachers = {one.identity for one in record.teachers.values()}
    return teachers | {one.identity for one in record.supplies.values()}
