"""Facts of a record other than scores, as titled lists of names and values."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from dfbench.records.record import Record
from dfbench.reporting.cells import duration, short
from dfbench.reporting.comparisons.comparison import count


@dataclass(frozen=True)
class Facts:
    """A titled list of names and values."""

    title: str
    rows: tuple[tuple[str, str], ...]


def configuration(record: Record) -> list[Facts]:
    """The method's settings, and the settings shared by all methods."""
    return [
        facts
        for facts in (
            Facts("Method", _texts(record.method.config)),
            Facts("Budget", _texts(record.budget.model_dump(mode="json"))),
            Facts("Teachers' recipe", _texts(record.recipe.model_dump(mode="json"))),
        )
        if facts.rows
    ]


def data_facts(record: Record) -> Facts:
    """Facts of the data."""
    data = record.data
    rows = (
        ("queries (sketches)", f"{data.queries:,}"),
        ("gallery (photos)", f"{data.gallery:,}"),
        ("classes", str(len(data.classes))),
        ("image size", f"{data.image_size} px"),
        ("alternative images", data.alternative or "none"),
        ("chance mAP@all", short(record.chance)),
        ("queries without any relevant photo", str(record.skipped_queries)),
        ("fingerprint", data.fingerprint),
        *(("note", note) for note in data.notes),
    )
    return Facts("Data", rows)


def cost(record: Record) -> Facts:
    """Time, memory and model size."""
    seconds = record.seconds
    parts = (
        ("training of the teachers", seconds.teachers),
        ("fit", seconds.fit),
        ("embedding", seconds.embed),
        ("ranking", seconds.rank),
    )
    total = sum(value for _, value in parts)
    rows = (
        *((name, duration(value)) for name, value in parts),
        ("together", duration(total)),
        ("peak memory", f"{record.peak_memory_mib:,.0f} MiB"),
        ("parameters of both encoders", f"{record.parameters:,}"),
        ("attempts", str(record.attempts)),
    )
    return Facts("Cost", rows)


def provenance(record: Record) -> Facts:
    """Identities, versions and hardware."""
    made = record.environment
    commit = "not from a source tree" if made.commit is None else made.commit
    changes = ", with uncommitted changes" if made.dirty else ""
    rows = (
        ("identity of the fit", record.fit_id),
        ("identity of the record", record.eval_id),
        ("digest of the embeddings", record.digests.embeddings),
        ("method", f"{record.method.label}, version {record.method.version}"),
        ("plugin", f"{record.method.plugin} {record.method.plugin_version}"),
        ("numerics", record.numerics),
        ("device", f"{made.device}, {count(made.threads, 'thread')}"),
        ("processes of the fit", str(made.devices)),
        *(
            (("images per micro-batch (short of memory)", str(made.micro_batch)),)
            if made.micro_batch
            else ()
        ),
        ("dfbench", f"{made.dfbench}, {commit}{changes}"),
        ("Python", made.python),
        *made.packages.items(),
    )
    return Facts("Provenance", rows)


def _texts(values: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    return tuple((key, _text(value)) for key, value in values.items())


def _text(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Iterable) and not isinstance(value, str | dict):
        return ", ".join(map(_text, value)) or "none"
    return str(value)
