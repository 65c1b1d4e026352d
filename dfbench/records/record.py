"""The record of a run: everything a table needs and everything needed to doubt it."""

from __future__ import annotations

from hashlib import blake2b
from typing import Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, model_validator

from dfbench.budget import Budget
from dfbench.identity import canonical_json
from dfbench.plugins.method_info import MethodInfo
from dfbench.records.environment import Environment
from dfbench.teachers.recipe import TeacherRecipe

SCHEMA_VERSION = 4
"""Raised when the fields of a record change."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class RecordedScore(_Part):
    """One metric of one representation."""

    value: float
    low: float
    """Lower end of the 95 % bootstrap interval over queries."""
    high: float
    """Upper end of that interval."""
    macro: float
    """Mean over classes of the mean over their queries."""
    ceiling: float | None = None
    """The best that any ranking could score; None where that is 1."""


class MetricDefinition(_Part):
    """What a metric's number means."""

    formula: str
    version: int


class TeacherRecord(_Part):
    """A teacher of the run."""

    identity: str
    accuracy: float
    """Share of right decisions on the test images, in [0, 1]."""
    classes: int
    external: str | None = None
    """Network and input size of an external teacher; None where the recipe trained it."""


class SupplyRecord(_Part):
    """Something trained or measured for the method beyond the two teachers."""

    identity: str
    accuracy: dict[str, float] = {}
    """Of a unified teacher: its accuracy on the test images by modality, in [0, 1]."""


class Division(_Part):
    """Which classes each teacher knows, and which are queried; see `dfbench.scenarios`."""

    overlap: float
    """|P and S| / |P or S|, P and S the classes of the photo and of the sketch teacher."""
    shared: tuple[str, ...]
    """Known to both teachers."""
    photo_only: tuple[str, ...]
    sketch_only: tuple[str, ...]
    unseen: tuple[str, ...]
    """Known to no teacher; if there are any, queries and gallery are of these alone."""


class QueryGroup(_Part):
    """Queries by who knows their class; the gallery is that of all queries."""

    queries: int
    chance: float
    """`map@all` of a random order."""
    metrics: dict[str, RecordedScore]
    representations: dict[str, dict[str, RecordedScore]]
    """Further representations, as of the record."""


class DataRecord(_Part):
    """The data of the run."""

    name: str
    fingerprint: str
    classes: tuple[str, ...]
    """Of queries and gallery."""
    image_size: int
    queries: int
    gallery: int
    alternative: str | None
    """Where alternative images came from."""
    notes: tuple[str, ...]


class Seconds(_Part):
    """Wall time per phase; a teacher from the cache counts what its training took."""

    teachers: float
    fit: float
    embed: float
    rank: float


class Digests(_Part):
    """Hashes that two runs of one identity on one machine share."""

    embeddings: str
    metrics: str


class Record(_Part):
    """A finished run."""

    schema_version: int = Field(default=SCHEMA_VERSION, ge=SCHEMA_VERSION, le=SCHEMA_VERSION)
    status: Literal["done"] = "done"
    fit_id: str
    eval_id: str
    method: MethodInfo
    data: DataRecord
    scenario: str
    seed: int
    numerics: str
    budget: Budget
    recipe: TeacherRecipe
    teachers: dict[str, TeacherRecord]
    supplies: dict[str, SupplyRecord] = {}
    """By name; of a run that declared a need."""
    metrics: dict[str, RecordedScore]
    """The headline: how the method's embeddings rank."""
    representations: dict[str, dict[str, RecordedScore]]
    """Further representations of the same networks, e.g. `posterior`."""
    definitions: dict[str, MetricDefinition]
    chance: float
    """`map@all` of a random order."""
    division: Division | None = None
    """None where both teachers know all classes, as in `closed`."""
    groups: dict[str, QueryGroup] = {}
    """`shared`, `photo-only` and `sketch-only` queries, where teachers differ in their classes."""
    skipped_queries: int
    """Queries without any relevant photo, left out of every mean."""
    digests: Digests
    seconds: Seconds
    attempts: int = Field(default=1, ge=1)
    """How often the run was begun until it was done."""
    peak_memory_mib: float
    parameters: int
    environment: Environment

    @property
    def scenario_title(self) -> str:
        """The scenario as titles name it.

        External teachers whose classes differ are not `closed`, which their runs are asked for as:
        their class lists decide, and the title says what the overlap came out as.
        """
        external = any(teacher.external for teacher in self.teachers.values())
        division = self.division
        if not external or division is None or not (division.photo_only or division.sketch_only):
            return self.scenario
        return f"external teachers of overlap {division.overlap:.2f}"

    @model_validator(mode="after")
    def _scores_are_those_measured(self) -> Record:
        if self.digests.metrics != metrics_digest(self.metrics):
            raise ValueError("its scores are not those that were recorded")
        return self


def metrics_digest(metrics: dict[str, RecordedScore]) -> str:
    """Hash of the values of a representation's metrics."""
    values = {name: score.value for name, score in metrics.items()}
    return blake2b(canonical_json(values).encode(), digest_size=16).hexdigest()


_COMPILED = "compiled"


class Arithmetic(NamedTuple):
    """Its text, e.g. `cuda-bf16` or `cpu-fp32-compiled`, is part of a fit's identity.

    >>> str(Arithmetic("cuda", "bf16", compiled=True))
    'cuda-bf16-compiled'
    >>> Arithmetic.read("cpu-fp32")
    Arithmetic(device='cpu', precision='fp32', compiled=False)
    """

    device: str
    """`cpu` or `cuda`."""
    precision: str
    """`fp32` or `bf16`: of backbones and estimators."""
    compiled: bool = False
    """Whether torch.compile made the code of networks."""

    @classmethod
    def read(cls, text: str) -> Arithmetic:
        """What a record's `numerics` says."""
        device, precision, *rest = text.split("-")
        return cls(device, precision, _COMPILED in rest)

    def __str__(self) -> str:
        parts = (self.device, self.precision, *((_COMPILED,) if self.compiled else ()))
        return "-".join(parts)
