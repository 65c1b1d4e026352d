"""The results folder: a JSON file with checksum per record, named by method, seed and identity."""

from __future__ import annotations

import json
import re
from codecs import BOM_UTF8
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import from_json

from dfbench.budget import Budget
from dfbench.errors import DfbenchError, InvalidInput
from dfbench.identity import canonical_json
from dfbench.records.record import SCHEMA_VERSION, Record
from dfbench.system.files import atomic_path, entries, read_file
from dfbench.teachers.recipe import TeacherRecipe


class NotARecord(DfbenchError):
    """A file that is not a record, or was changed; the text says why."""


def _record_text(record: Record) -> str:
    """The stored text of a record."""
    content = json.loads(record.model_dump_json())
    sealed = {**content, "checksum": _checksum(content)}
    return json.dumps(sealed, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def read_record(stored: bytes) -> Record:
    """The record in stored bytes. Raises `NotARecord`."""
    try:
        content = from_json(stored.removeprefix(BOM_UTF8))
    except ValueError as fault:
        raise NotARecord("the file: not JSON") from fault
    if not isinstance(content, dict):
        raise NotARecord("the file: not a JSON object")
    _check_version(content)
    checksum = content.pop("checksum", None)
    try:
        record = Record.model_validate(content)
    except ValidationError as fault:
        first = fault.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "the file"
        raise NotARecord(f"{place}: {first['msg'].lower()}") from fault
    _refuse_gaps(content)
    if not _intact(content, checksum):
        raise NotARecord("checksum: the content was changed after recording")
    return record


def _intact(content: dict[str, Any], checksum: object) -> bool:
    try:
        return checksum == _checksum(content)
    except ValueError:  # a number that is not finite, which dfbench never writes
        return False


def _refuse_gaps(content: dict[str, Any]) -> None:
    """Raise `NotARecord` for a setting of the current models that a record lacks.

    The current default may not be what that run used.
    """
    for part, model in (("budget", Budget), ("recipe", TeacherRecipe)):
        missing = sorted(model.model_fields.keys() - content[part].keys())
        if missing:
            raise NotARecord(f"{part}.{missing[0]}: field required")


def _check_version(content: dict[str, Any]) -> None:
    version = content.get("schema_version")
    if version == SCHEMA_VERSION:
        return
    remedy = "repeat the run"
    if isinstance(version, int) and version > SCHEMA_VERSION:
        remedy = "written by a newer dfbench: update this one"
    raise NotARecord(f"schema_version: {version!r}; allowed: {SCHEMA_VERSION} ({remedy})")


def _checksum(content: dict[str, Any]) -> str:
    return blake2b(canonical_json(content).encode(), digest_size=16).hexdigest()


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

    Each store lists the folder once; records that other processes add later are not seen. With
    `dataset`, iteration is over the records of this dataset alone: of files outside its folder,
    those that name another dataset are not verified. Raises `FileFault` for a folder that cannot be
    read.
    """

    def __init__(self, folder: Path, dataset: str | None = None) -> None:
        self.folder = folder
        self._dataset = dataset
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
            temporary.write_text(_record_text(record), encoding="utf-8")
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
            self._read = [_read(path) for path in self._files() if self._concerned(path)]
        return self._read

    def _concerned(self, path: Path) -> bool:
        """Whether a file may be a record of the dataset; one that cannot be read may."""
        if self._dataset is None or path.parent.name == file_name(self._dataset):
            return True
        try:
            content = from_json(read_file(path))
            return bool(content["data"]["name"] == self._dataset)
        except (OSError, ValueError, LookupError, TypeError):
            return True

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
