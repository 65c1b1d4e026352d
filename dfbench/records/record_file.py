"""A record as a file: JSON with a checksum, of the current schema."""

from __future__ import annotations

import json
from hashlib import blake2b
from typing import Any

from pydantic import ValidationError

from dfbench.budget import Budget
from dfbench.errors import DfbenchError
from dfbench.identity import canonical_json
from dfbench.records.record import SCHEMA_VERSION, Record
from dfbench.teachers.recipe import TeacherRecipe


class NotARecord(DfbenchError):
    """A file that is not a record, or was changed; the text says why."""


def record_text(record: Record) -> str:
    """The stored text of a record."""
    content = json.loads(record.model_dump_json())
    sealed = {**content, "checksum": _checksum(content)}
    return json.dumps(sealed, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def read_record(stored: bytes) -> Record:
    """The record in stored bytes. Raises `NotARecord`."""
    try:
        content = json.loads(stored)
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
