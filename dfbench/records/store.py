"""The results folder: one JSON record per run, named by dataset, method, seed and identity."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dfbench.errors import InvalidInput
from dfbench.records.record import Record
from dfbench.records.record_file import NotARecord, read_record, record_text
from dfbench.system.files import atomic_path, entries, read_file

_UNSAFE = re.compile(r"[^A-Za-z0-9.]+")
_SUFFIX = ".json"
_KEY_LENGTH = 12


@dataclass(frozen=True)
class BadRecord:
    """A file among the records that is not a record, or was changed."""

    file: Path
    reason: str

    def __str__(self) -> str:
        return (
            f"not a record that this version of dfbench can read: {str(self.file)!r} "
            f"({self.reason}); "
            "move it out of the results folder"
        )


class ResultStore:
    """Records below a folder, `<dataset>/<method>-s<seed>-<eval_id>.json`.

    Each store lists the folder once; records that other processes add later are not seen. Raises
    `FileFault` for a folder that cannot be read.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._index: dict[str, list[Path]] | None = None
        self._read: list[Record | BadRecord] | None = None

    def find(self, eval_id: str) -> tuple[Path, Record] | None:
        """The record of an identity, with its file; None if there is none.

        Raises `InvalidInput` if the file of that name is not a record or was edited.
        """
        for path in self._named().get(eval_id[:_KEY_LENGTH], ()):
            record = _read(path)
            if isinstance(record, BadRecord):
                raise InvalidInput(str(record))
            if record.eval_id == eval_id:
                return path, record
        return None

    def write(self, record: Record) -> Path:
        """Store a record, replacing one of the same identity; returns its file."""
        key = record.eval_id[:_KEY_LENGTH]
        label, seed = record.method.label, record.seed
        path = record_file(self.folder, record.data.name, label, seed, record.eval_id)
        with atomic_path(path) as temporary:
            temporary.write_text(record_text(record), encoding="utf-8")
        named = self._named().setdefault(key, [])
        if path not in named:
            named.append(path)
        self._read = None
        return path

    def __iter__(self) -> Iterator[Record]:
        """The valid records, in the order of their files."""
        return (found for found in self._contents() if isinstance(found, Record))

    @property
    def problems(self) -> tuple[BadRecord, ...]:
        """Files that iteration leaves out: not records, edited, or unreadable."""
        return tuple(found for found in self._contents() if isinstance(found, BadRecord))

    def _contents(self) -> list[Record | BadRecord]:
        if self._read is None:
            self._read = [_read(path) for path in self._files()]
        return self._read

    def _named(self) -> dict[str, list[Path]]:
        if self._index is None:
            self._index = {}
            for path in self._files():
                self._index.setdefault(_key(path), []).append(path)
        return self._index

    def _files(self) -> list[Path]:
        folders = [entry for entry in entries(self.folder) if entry.is_dir()]
        return [f for folder in folders for f in entries(folder) if f.suffix == _SUFFIX]


def file_name(label: str) -> str:
    """A label as part of a file name: other characters than letters, digits and dots are hyphens.

    >>> file_name("crossx[bn]")
    'crossx-bn'
    """
    return _UNSAFE.sub("-", label).strip("-")


def record_name(record: Record) -> str:
    """Name of a record's file, without its extension."""
    return _stem(record.method.label, record.seed, record.eval_id)


def record_file(results: Path, dataset: str, label: str, seed: int, eval_id: str) -> Path:
    """The file of a run's record, below the results folder."""
    return results / file_name(dataset) / f"{_stem(label, seed, eval_id)}{_SUFFIX}"


def run_folder(runs: Path, dataset: str, label: str, seed: int, fit_id: str) -> Path:
    """The folder of a run's large files, below the folder of all runs."""
    return runs / file_name(dataset) / _stem(label, seed, fit_id)


def _stem(label: str, seed: int, identity: str) -> str:
    return f"{file_name(label)}-s{seed}-{fit_key(identity)}"


def fit_key(fit_id: str) -> str:
    """The identity at the end of the name of a run's folder."""
    return fit_id[:_KEY_LENGTH]


def _key(path: Path) -> str:
    return path.stem.rpartition("-")[2]


def _read(path: Path) -> Record | BadRecord:
    try:
        record = read_record(read_file(path))
    except NotARecord as fault:
        return BadRecord(path, str(fault))
    except OSError as fault:
        return BadRecord(path, f"the file: {fault.strerror}")
    if record.eval_id[:_KEY_LENGTH] != _key(path):
        return BadRecord(path, f"eval_id: its file name says {_key(path)!r}")
    return record
