"""All metrics by name, as data: formula, publications that use it, and treatment of ties.

A name is `family[@k][:variant]`: `map@all`, `prec@200`, `map@200:hits`, `df-sbir@100:10`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from dfbench.errors import InvalidInput, unknown_name
from dfbench.evaluation import metrics
from dfbench.evaluation.ranking.groups import Ranked
from dfbench.version import METRIC_VERSION

DEFAULT_METRICS = ("map@all", "prec@200", "map@200", "prec@100", "acc@1")
DF_SBIR_CAP = 10
_LARGEST_K = 2**53

EXPECTED = "expectation over all orders of tied photos"
GALLERY = "tied photos keep the gallery's order"

_Compute = Callable[[Ranked, int | None, int], Tensor]


@dataclass(frozen=True)
class Definition:
    """The meaning of a number; stored with it."""

    id: str
    version: int
    formula: str
    used_by: str
    ties: str


@dataclass(frozen=True)
class Metric:
    """A definition with its implementation."""

    definition: Definition
    compute: Callable[[Ranked], Tensor]
    """Maps a ranked batch to one value per query, [B], float64."""
    depth: int | None
    """Number of ranks that must be resolved in gallery order: 0 for none, None for all."""
    ceiling_at: int | None
    """The k of a precision bounded by min(1, R/k); None for every other metric."""

    @property
    def name(self) -> str:
        """The name, as in `metric`."""
        return self.definition.id

    def reach(self, n_photos: int) -> int:
        """`depth` in a gallery of `n_photos` photos."""
        return n_photos if self.depth is None else min(self.depth, n_photos)


@dataclass(frozen=True)
class _Template:
    pattern: str
    formula: str
    used_by: str
    ties: str
    compute: _Compute


def _k(k: int | None) -> int:
    if k is None:
        raise RuntimeError("a metric template with k needs a value of k")
    return k


_TEMPLATES = (
    _Template(
        "map@all",
        "mean over queries of (1/R) sum_i rel_i P@i over the whole gallery, not interpolated",
        "scikit-learn, SEM-PCYC, Doodle2Search, ZSIH, Sketch_LVM",
        EXPECTED,
        lambda ranked, _, __: metrics.average_precision(ranked.groups),
    ),
    _Template(
        "map@all:voc",
        "mean over queries of (1/R) sum_i rel_i max_{{j>=i}} P@j over the whole gallery",
        "SAKE, DSN, TCN, ACNet, EGFF, ZSE-SBIR, MA-ZS-SBIR",
        GALLERY,
        lambda ranked, _, __: metrics.average_precision_interpolated(ranked.places, None),
    ),
    _Template(
        "map@{k}",
        "mean over queries of sum_{{i<={k}}} rel_i P@i / min(R, {k})",
        "dfbench; the strict interpretation of Tursun et al. 2022",
        EXPECTED,
        lambda ranked, k, _: metrics.average_precision_at(ranked.groups, _k(k)),
    ),
    _Template(
        "map@{k}:voc",
        "mean over queries of sum_{{i<={k}}} rel_i max_{{i<=j<={k}}} P@j / min(R, {k})",
        "SAKE, TCN, ACNet, EGFF, ZSE-SBIR, MA-ZS-SBIR",
        GALLERY,
        lambda ranked, k, _: metrics.average_precision_interpolated(ranked.places, _k(k)),
    ),
    _Template(
        "map@{k}:hits",
        "mean over queries of sum_{{i<={k}}} rel_i P@i / (hits among the first {k}),"
        " 0 without hits",
        "SEM-PCYC, PCMSN, AMLD, torchmetrics with top_k (ClipPrompt, KD-SBIR)",
        GALLERY,
        lambda ranked, k, _: metrics.average_precision_over_hits(ranked.places, _k(k)),
    ),
    _Template(
        "map@{k}:k",
        "mean over queries of sum_{{i<={k}}} rel_i P@i / {k}",
        "Yelamarthi et al. 2018, MLRM",
        EXPECTED,
        lambda ranked, k, _: metrics.average_precision_over_k(ranked.groups, _k(k)),
    ),
    _Template(
        "prec@{k}",
        "mean over queries of (hits among the first {k}) / {k}",
        "SAKE, SEM-PCYC, TCN, ACNet, EGFF, torchmetrics",
        EXPECTED,
        lambda ranked, k, _: metrics.precision(ranked.groups, _k(k)),
    ),
    _Template(
        "prec@{k}:min",
        "mean over queries of (hits among the first min(R, {k})) / min(R, {k})",
        "ZSE-SBIR, MA-ZS-SBIR",
        EXPECTED,
        lambda ranked, k, _: metrics.precision_cut_at_relevant(ranked.groups, _k(k)),
    ),
    _Template(
        "prec@{k}:min-divisor",
        "mean over queries of (hits among the first {k}) / min(R, {k})",
        "Doodle2Search",
        EXPECTED,
        lambda ranked, k, _: metrics.precision_over_relevant(ranked.groups, _k(k)),
    ),
    _Template(
        "prec@{k}:element",
        "mean over queries of rel at rank {k} + 1, the element at index {k}; not a precision",
        "Doodle2Search (commented out), AMLD-2021",
        EXPECTED,
        lambda ranked, k, _: metrics.relevance_after(ranked.groups, _k(k)),
    ),
    _Template(
        "acc@1",
        "share of queries whose first photo is of the query's class",
        "category-level SBIR; instance-level papers mean the same instance",
        EXPECTED,
        lambda ranked, _, __: metrics.precision(ranked.groups, 1),
    ),
    _Template(
        "acc@{k}",
        "share of queries with a photo of the query's class among the first {k}",
        "Recall@K of metric learning; acc@K of instance-level SBIR means the same instance",
        EXPECTED,
        lambda ranked, k, _: metrics.success(ranked.groups, _k(k)),
    ),
    _Template(
        "recall@{k}",
        "mean over queries of (hits among the first {k}) / R",
        "TREC, torchmetrics; not Recall@K of metric learning, which is acc@K",
        EXPECTED,
        lambda ranked, k, _: metrics.recall(ranked.groups, _k(k)),
    ),
    _Template(
        "ndcg@{k}",
        "mean over queries of sum_{{i<={k}}} rel_i / log2(i + 1), over that of a perfect ranking",
        "TREC, scikit-learn, torchmetrics",
        EXPECTED,
        lambda ranked, k, _: metrics.discounted_gain(ranked.groups, _k(k)),
    ),
    _Template(
        "df-sbir",
        "mean over queries of mean P@i over the first min({cap}, hits) hits, 0 without hits",
        "data-free-sbir, printed as mean average precision (cap 10)",
        GALLERY,
        lambda ranked, _, cap: metrics.average_precision_first_hits(ranked.places, None, cap),
    ),
    _Template(
        "df-sbir@{k}",
        "mean over queries of mean P@i over the first min({cap}, h) of the h hits among the"
        " first {k}, 0 without hits",
        "data-free-sbir, printed as precision (k = 100, cap 10)",
        GALLERY,
        lambda ranked, k, cap: metrics.average_precision_first_hits(ranked.places, k, cap),
    ),
)
_BY_PATTERN = {template.pattern: template for template in _TEMPLATES}
_NAME = re.compile(
    r"(?P<family>map|prec|acc|recall|ndcg|df-sbir)(@(?P<k>all|-?\d+))?(:(?P<variant>[\w-]+))?",
    re.ASCII,
)

METRIC_PATTERNS = tuple(sorted(_BY_PATTERN))
"""All conventions; `{k}` is an integer from 1. `df-sbir` also takes a cap: `df-sbir:2`."""


def conventions(k: int) -> tuple[str, ...]:
    """The names of all conventions at one k, as printed by `--metric all`."""
    return tuple(dict.fromkeys(template.pattern.format(k=k) for template in _TEMPLATES))


def metric(name: str) -> Metric:
    """The metric with this name.

    Raises `UnknownName` for a name outside `METRIC_PATTERNS` and `InvalidInput` for k or a cap
    below 1.
    """
    if not isinstance(name, str):
        raise InvalidInput(f"metric {name!r:.60} is not a string; allowed: names such as 'map@all'")
    pattern, k, cap = _parsed(name)
    if pattern not in _BY_PATTERN:
        raise unknown_name("metric", name, METRIC_PATTERNS, "dfbench evaluate --help")
    template = _BY_PATTERN[pattern]
    definition = Definition(
        id=name,
        version=METRIC_VERSION,
        formula=template.formula.format(k=k, cap=cap),
        used_by=template.used_by,
        ties=template.ties,
    )
    return Metric(
        definition=definition,
        compute=lambda ranked: template.compute(ranked, k, cap),
        depth=k if template.ties == GALLERY else 0,
        ceiling_at=k if pattern == "prec@{k}" else None,
    )


def _parsed(name: str) -> tuple[str, int | None, int]:
    match = _NAME.fullmatch(name)
    if match is None:
        return name, None, DF_SBIR_CAP
    family, variant = match["family"], match["variant"]
    cap = DF_SBIR_CAP
    if family == "df-sbir" and variant is not None and variant.isdigit():
        cap, variant = _at_least_one(name, "cap", variant), None
    pattern, k = family, None
    if match["k"] is not None:
        fixed = match["k"] == "all" or f"{family}@{match['k']}" in _BY_PATTERN
        k = None if fixed else _at_least_one(name, "k", match["k"])
        pattern += f"@{match['k']}" if fixed else "@{k}"
    return pattern + (f":{variant}" if variant else ""), k, cap


def _at_least_one(name: str, part: str, given: str) -> int:
    value = int(given) if len(given) <= len(str(_LARGEST_K)) else _LARGEST_K + 1
    if not 1 <= value <= _LARGEST_K:
        raise InvalidInput(
            f"metric {name!r:.60} has {part} = {given:.40}; allowed: integers from 1 to"
            f" {_LARGEST_K};"
            f" write for example {name.replace(given, '200')!r}"
        )
    return value
