"""The results folder: one JSON record a run, named by what it is and by its identity."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from pydantic import ValidationError

from dfbench.errors import InvalidInput
from dfbench.files import atomic_path
from dfbench.runs.record import Record

_UNSAFE = re.compile(r"[^A-Za-z0-9.]+")


class ResultStore:
    """Records below a folder, `<dataset>/<row>-s<seed>-<eval_id>.json`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def find(self, eval_id: str) -> tuple[Path, Record] | None:
        """The finished record of an identity, with its file."""
        for path in self.folder.glob(f"*/*-{eval_id[:12]}.json"):
            record = _read(path)
            if record.eval_id == eval_id:
                return path, record
        return None

    def write(self, record: Record) -> Path:
        """Store a record, replacing that of the same identity; returns its file."""
        name = f"{file_name(record.row.label)}-s{record.seed}-{record.eval_id[:12]}.json"
        path = self.folder / file_name(record.data.name) / name
        with atomic_path(path) as temporary:
            temporary.write_text(record.model_dump_json(indent=1) + "\n", encoding="utf-8")
        return path

    def __iter__(self) -> Iterator[Record]:
        for path in sorted(self.folder.glob("*/*.json")):
            yield _read(path)


def file_name(label: str) -> str:
    """A label as part of a file name: anything but letters, digits and dots becomes a hyphen.

    >>> file_name("crossx[bn]")
    'crossx-bn'
    """
    return _UNSAFE.sub("-", label).strip("-")


def _read(path: Path) -> Record:
    try:
        return Record.model_validate_json(path.read_bytes())
    except ValidationError as fault:
        first = fault.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "the file"
        raise InvalidInput(
            f"not a record that this version of dfbench reads: {str(path)!r} ({place}: "
            f"{first['msg'].lower()}); move it out of the results folder"
        ) from fault
