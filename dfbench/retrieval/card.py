"""`card.json` of an export: the encoders, their scores and the inputs of their method."""

from __future__ import annotations

import tomllib
from importlib.resources import files
from typing import Literal

from pydantic import BaseModel, ConfigDict

from dfbench.records.encoders_file import WrittenEncoders
from dfbench.records.record import MetricDefinition, Record, RecordedScore
from dfbench.version import __version__


def licence_of(dataset: str) -> str | None:
    """The licence of a dataset's images, in one line; None if unknown."""
    text = files("dfbench.datasets").joinpath("licences.toml").read_text(encoding="utf-8")
    licence: str | None = tomllib.loads(text).get(dataset)
    return licence


CARD_FILE = "card.json"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Measured(_Part):
    """The evaluation of a run, from its record."""

    eval_id: str
    title: str
    """The method's name in tables."""
    plugin: str
    """The plugin of the method, with its version."""
    dataset: str
    fingerprint: str
    scenario: str
    classes: tuple[str, ...]
    """Classes of queries and gallery."""
    queries: int
    gallery: int
    metrics: dict[str, RecordedScore]
    """Those of the exported representation."""
    definitions: dict[str, MetricDefinition]
    chance: float
    """`map@all` of a random ranking."""
    teachers: dict[str, float]
    """Accuracy of each teacher, in [0, 1]."""
    needs: tuple[str, ...]
    """Inputs of the method in addition to the two teachers."""
    numerics: str


class Card(_Part):
    """Documentation of exported encoders."""

    schema_version: Literal[1] = 1
    dfbench: str
    """Version of dfbench that wrote the export."""
    encoders: WrittenEncoders
    weights: str
    """BLAKE2 of the weight file."""
    data_licence: str | None
    """Licence of the teachers' training images and the test images, if known."""
    measured: Measured | None
    """None for a run without test images."""


def card_of(
    encoders: WrittenEncoders, record: Record | None, weights: str, licence: str | None
) -> Card:
    """The card of a run's encoders; `licence` is the user's statement about the data."""
    known = licence_of(record.data.name) if record else None
    return Card(
        dfbench=__version__,
        encoders=encoders,
        weights=weights,
        data_licence=licence or known,
        measured=_measured(record, encoders.representation) if record else None,
    )


def _measured(record: Record, representation: str) -> Measured:
    return Measured(
        eval_id=record.eval_id,
        title=record.method.title,
        plugin=f"{record.method.plugin} {record.method.plugin_version}",
        dataset=record.data.name,
        fingerprint=record.data.fingerprint,
        scenario=record.scenario_title,
        classes=record.data.classes,
        queries=record.data.queries,
        gallery=record.data.gallery,
        metrics=record.representations[representation] if representation else record.metrics,
        definitions=record.definitions,
        chance=record.chance,
        teachers={modality: teacher.accuracy for modality, teacher in record.teachers.items()},
        needs=record.method.needs,
        numerics=record.numerics,
    )
