"""A record as a file: JSON with a checksum, read in every schema so far."""

from __future__ import annotations

import json
from collections.abc import Callable
from hashlib import blake2b
from typing import Any

from pydantic import ValidationError

from dfbench.budget import Budget
from dfbench.errors import DfbenchError
from dfbench.identity import canonical_json
from dfbench.records.record import SCHEMA_VERSION, Record
from dfbench.teachers.recipe import TeacherRecipe

Content = dict[str, Any]


def migrated(content: Content) -> Content:
    """The content of a record of any schema so far, in today's."""
    for version in range(content["schema_version"], SCHEMA_VERSION):
        content = {**_STEPS[version](content), "schema_version": version + 1}
    return content


def _from_1(content: Content) -> Content:
    """Version 2 counts attempts and has a checksum over everything.

    Backbones learned at the full rate then, and ImageNet weights were torchvision's.
    """
    added: dict[str, Content] = {"budget": {"backbone_rate": 1.0}, "recipe": {"weights": None}}
    settings = {
        part: {**values, **content[part]}
        for part, values in added.items()
        if isinstance(content.get(part), dict)
    }
    return {**content, **settings, "attempts": 1}


def _from_2(content: Content) -> Content:
    """Version 3 tells which classes teachers know; until then both knew all."""
    return {**content, "division": None, "groups": {}}


_STEPS: dict[int, Callable[[Content], Content]] = {1: _from_1, 2: _from_2}
"""By the version they start from."""


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
        current = migrated(content)
        record = Record.model_validate(current)
    except ValidationError as fault:
        first = fault.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "the file"
        raise NotARecord(f"{place}: {first['msg'].lower()}") from fault
    _refuse_gaps(current)
    sealed = checksum is not None or version >= _FIRST_WITH_CHECKSUM
    if sealed and not _intact(content, checksum):
        raise NotARecord("checksum: its content is not what was recorded")
    return record


def _intact(content: dict[str, Any], checksum: object) -> bool:
    try:
        return checksum == _checksum(content)
    except ValueError:  # a number that is not finite, which nothing here writes
        return False


def _refuse_gaps(content: dict[str, Any]) -> None:
    """Raise `NotARecord` for a setting that today's models have and a record does not tell.

    Its default is today's choice and may not be what that run was made with.
    """
    for part, model in (("budget", Budget), ("recipe", TeacherRecipe)):
        missing = sorted(model.model_fields.keys() - content[part].keys())
        if missing:
            raise NotARecord(f"{part}.{missing[0]}: field required")


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
