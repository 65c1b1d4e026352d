"""The record of a run: its scores, and all facts needed to table and verify them."""

from __future__ import annotations

from hashlib import blake2b
from typing import Any, Literal, NamedTuple

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from dfbench.budget import Budget
from dfbench.identity import canonical_json
from dfbench.plugins.info import MethodInfo, RerankerInfo
from dfbench.teachers.recipe import TeacherRecipe

SCHEMA_VERSION = 4
"""Increased when the fields of a record change."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


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
    """The best score that any ranking can reach; None if that is 1."""


class MetricDefinition(_Part):
    """The definition of a metric."""

    formula: str
    version: int
    added: bool = False
    """Whether it was computed in addition to the metrics of every run."""
    plugin: str | None = None
    """The plugin that offers it; None for a metric of dfbench."""
    plugin_version: str | None = None

    @model_serializer(mode="wrap")
    def _without_defaults(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Formula and version, and what else is set."""
        return {
            name: value
            for name, value in dump(self).items()
            if value != type(self).model_fields[name].default
        }


class OfficialNetwork(_Part):
    """What a record says of a network that the dataset provides."""

    checksum: str
    """Of its file: facts and weights."""
    provenance: dict[str, str]
    """What trained it: `command`, `commit`, `torch` and `processor`."""


class TeacherRecord(_Part):
    """A teacher of the run."""

    identity: str
    accuracy: float
    """Accuracy on the test images, in [0, 1]."""
    classes: int
    external: str | None = None
    """Network and input size of an external teacher; None if the recipe trained it."""
    official: OfficialNetwork | None = None
    """None if the dataset does not provide it."""
    weights: str | None = None
    """Hash of its tensors; None in records made before it was stored."""


class PluginNetwork(_Part):
    """The plugin of a network that is not built in."""

    plugin: str
    plugin_version: str
    version: int
    """The network's version."""


class SupplyRecord(_Part):
    """Something trained or measured for the method beyond the two teachers."""

    identity: str
    accuracy: dict[str, float] = {}
    """Accuracy of a unified teacher on the test images by modality, in [0, 1]."""
    official: OfficialNetwork | None = None
    """None if the dataset does not provide it."""


class Division(_Part):
    """Which classes each teacher knows, and which are queried; see `dfbench.scenarios`."""

    overlap: float
    """|P and S| / |P or S|, P and S the classes of the photo and of the sketch teacher."""
    shared: tuple[str, ...]
    """Known to both teachers."""
    photo_only: tuple[str, ...]
    sketch_only: tuple[str, ...]
    unseen: tuple[str, ...]
    """Known to no teacher; if there are any, queries and gallery are of these classes only."""


class QueryGroup(_Part):
    """Queries grouped by which teachers know their class; the gallery is that of all queries."""

    queries: int
    chance: float
    """`map@all` of a random order."""
    metrics: dict[str, RecordedScore]
    representations: dict[str, dict[str, RecordedScore]]
    """Further representations, as in the record."""


class Reranking(_Part):
    """Scores of the same embeddings after a re-ranker, which uses the whole gallery at once."""

    identity: str
    reranker: RerankerInfo
    metrics: dict[str, RecordedScore]
    representations: dict[str, dict[str, RecordedScore]]
    """Further representations, as in the record."""
    groups: dict[str, dict[str, RecordedScore]] = {}
    """By query group, of the headline representation."""
    seconds: float
    """Wall time over all representations."""
    peak_memory_mib: float


class DataRecord(_Part):
    """The data of the run."""

    name: str
    fingerprint: str
    classes: tuple[str, ...]
    """Classes of queries and gallery."""
    image_size: int
    queries: int
    gallery: int
    alternative: str | None
    """Source of the alternative images."""
    notes: tuple[str, ...]


class Seconds(_Part):
    """Wall time per phase; a cached teacher counts with its training time."""

    teachers: float
    fit: float
    embed: float
    rank: float


class Digests(_Part):
    """Hashes that are equal for runs of the same identity on the same machine."""

    embeddings: str
    metrics: str
    """Of the metrics of every run."""
    added: str | None = None
    """Of the metrics that were added."""


class Environment(BaseModel):
    """Hardware, versions and commit of a run."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    dfbench: str
    python: str
    packages: dict[str, str]
    device: str
    """Model of the GPU or of the processor."""
    threads: int
    micro_batch: int | None = None
    """Micro-batch size, if GPU memory was too small for a full batch."""
    devices: int = 1
    """Number of processes that shared the fit."""
    commit: str | None
    """Git commit of dfbench's source tree; None for an installed package."""
    dirty: bool | None
    """Whether that tree had uncommitted code changes; None if unknown."""


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
    plugin_networks: dict[str, PluginNetwork] = {}
    """By name, those of the teachers and encoders that plugins offer."""
    supplies: dict[str, SupplyRecord] = {}
    """By name, for methods that declared a need."""
    train_teachers: bool = False
    """Whether the user had teachers trained in place of official ones."""
    metrics: dict[str, RecordedScore]
    """Scores of the headline representation, the method's embeddings."""
    representations: dict[str, dict[str, RecordedScore]]
    """Further representations of the same networks, e.g. `posterior`."""
    definitions: dict[str, MetricDefinition]
    chance: float
    """`map@all` of a random order."""
    division: Division | None = None
    """None if both teachers know all classes, as in `closed`."""
    groups: dict[str, QueryGroup] = {}
    """`shared`, `photo-only` and `sketch-only` queries, if the teachers' classes differ."""
    reranked: dict[str, Reranking] = {}
    """By label of the re-ranker; transductive, and never in place of the scores above."""
    skipped_queries: int
    """Queries without a relevant photo, left out of every mean."""
    digests: Digests
    seconds: Seconds
    attempts: int = Field(default=1, ge=1)
    """Number of attempts until the run was done."""
    peak_memory_mib: float
    parameters: int
    environment: Environment

    @property
    def official(self) -> bool:
        """Whether all teachers are those that the dataset provides."""
        return all(teacher.official for teacher in self.teachers.values())

    @property
    def scenario_title(self) -> str:
        """The scenario as shown in titles.

        Runs with external teachers are requested as `closed`, but if the teachers' class lists
        differ, the title states the resulting overlap instead.
        """
        external = any(teacher.external for teacher in self.teachers.values())
        division = self.division
        if not external or division is None or not (division.photo_only or division.sketch_only):
            return self.scenario
        return f"external teachers of overlap {division.overlap:.2f}"

    @model_validator(mode="after")
    def _scores_are_those_measured(self) -> Record:
        added = {name for name, definition in self.definitions.items() if definition.added}
        own = {name: score for name, score in self.metrics.items() if name not in added}
        other = {name: score for name, score in self.metrics.items() if name in added}
        if self.digests.metrics != metrics_digest(own) or self.digests.added != (
            metrics_digest(other) if other else None
        ):
            raise ValueError("its scores are not those recorded")
        return self


def metrics_digest(metrics: dict[str, RecordedScore]) -> str:
    """Hash of the values of a representation's metrics."""
    values = {name: score.value for name, score in metrics.items()}
    return blake2b(canonical_json(values).encode(), digest_size=16).hexdigest()


_COMPILED = "compiled"


class Arithmetic(NamedTuple):
    """The numerics of a fit; its text, e.g. `cuda-bf16` or `cpu-fp32-compiled`, is in the identity.

    >>> str(Arithmetic("cuda", "bf16", compiled=True))
    'cuda-bf16-compiled'
    >>> Arithmetic.read("cpu-fp32")
    Arithmetic(device='cpu', precision='fp32', compiled=False)
    """

    device: str
    """`cpu` or `cuda`."""
    precision: str
    """`fp32` or `bf16`, for backbones and estimators."""
    compiled: bool = False
    """Whether networks were compiled with torch.compile."""

    @classmethod
    def read(cls, text: str) -> Arithmetic:
        """Parse the `numerics` of a record."""
        device, precision, *rest = text.split("-")
        return cls(device, precision, _COMPILED in rest)

    def __str__(self) -> str:
        parts = (self.device, self.precision, *((_COMPILED,) if self.compiled else ()))
        return "-".join(parts)
