"""A record as a file: JSON with a checksum, read in every schema so far."""

from __future__ import annotations

import json
from hashlib import blake2b
from typing import Any

from pydantic import ValidationError

from dfbench.errors import DfbenchError
from dfbench.identity import canonical_json
from dfbench.runs.migration import migrated
from dfbench.runs.record import SCHEMA_VERSION, Record

_FIRST_WITH_CHECKSUM = 2


class NotARecord(DfbenchError):
    """A file that is no record, or not as it was written; the text says why."""


def record_text(record: Record) -> str:
    """A record as it is stored."""
    content = json.loads(record.model_dump_json())
    sealed = {**content, "checksum": _checksum(content)}
    return json.dumps(sealed, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def read_record(stored: bytes) -> Record:
    """A stored record. Raises `NotARecord`."""
    try:
        content = json.loads(stored)
    except ValueError as fault:
        raise NotARecord("the file: no JSON") from fault
    if not isinstance(content, dict):
        raise NotARecord("the file: no JSON object")
    version = _version(content)
    checksum = content.pop("checksum", None)
    try:
        record = Record.model_validate(migrated(content))
    except ValidationError as fault:
        first = fault.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "the file"
        raise NotARecord(f"{place}: {first['msg'].lower()}") from fault
    sealed = checksum is not None or version >= _FIRST_WITH_CHECKSUM
    if sealed and checksum != _checksum(content):
        raise NotARecord("checksum: its content is not what was recorded")
    return record


def _version(content: dict[str, Any]) -> int:
    version = content.get("schema_version")
    if not isinstance(version, int) or version < 1:
        raise NotARecord(f"schema_version: {version!r}; allowed: 1 to {SCHEMA_VERSION}")
    if version > SCHEMA_VERSION:
        raise NotARecord(
            f"schema_version: {version}, made by a newer dfbench; this one reads up to "
            f"{SCHEMA_VERSION}"
        )
    return version


def _checksum(content: dict[str, Any]) -> str:
    return blake2b(canonical_json(content).encode(), digest_size=16).hexdigest()
