"""Metrics by name: their definitions as data, and the functions that compute them.

A name is `family[@k][:variant]`: `map@all`, `prec@200`, `map@200:hits`, `df-sbir@100:10`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib import import_module

from torch import Tensor

from dfbench.builtin import dfbench_metrics
from dfbench.errors import InvalidInput, unknown_name
from dfbench.evaluation.ranking.groups import PositiveRanks, Ranked, TieGroups
from dfbench.hookspecs import MetricSpec
from dfbench.version import METRIC_VERSION

DEFAULT_METRICS = ("map@all", "prec@200", "map@200", "prec@100", "acc@1")
_LARGEST_K = 2**53

EXPECTED = "expectation over all orders of tied photos"
GALLERY = "tied photos keep the gallery's order"


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
    compute: Callable[[Ranked], Tensor] | None
    """Maps a ranked batch to one value per query, [B], float64; None for a metric of a plugin,
    which is computed in another process."""
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


def view(spec: MetricSpec, ranked: Ranked) -> TieGroups | PositiveRanks:
    """What a metric's function receives of a ranked batch."""
    return ranked.groups if spec.ties == "expected" else ranked.places


@dataclass(frozen=True)
class NamedMetric:
    """A metric as a name selects it: its spec, with the numbers in the name."""

    name: str
    spec: MetricSpec
    parameters: Mapping[str, int]

    def defined(self, compute: Callable[[Ranked], Tensor] | None, version: int) -> Metric:
        """The metric, with its implementation if there is one here."""
        formula, k = self.spec.formula, self.parameters.get("k")
        for name, value in self.parameters.items():
            formula = formula.replace(f"{{{name}}}", str(value))
        expected = self.spec.ties == "expected"
        definition = Definition(
            id=self.name,
            version=version,
            formula=formula,
            used_by=self.spec.used_by,
            ties=EXPECTED if expected else GALLERY,
        )
        return Metric(definition, compute, 0 if expected else k, k if self.spec.bounded else None)


def select_metric(name: str, specs: Iterable[MetricSpec]) -> NamedMetric | None:
    """The first spec whose pattern fits a name; None if none does.

    Raises `InvalidInput` for a number below 1 in the name.
    """
    for spec in sorted(specs, key=lambda spec: spec.name.count("{")):
        match = re.fullmatch(_expression(spec.name), name, re.ASCII)
        if match is not None:
            given = match.groupdict()
            return NamedMetric(name, spec, {p: _at_least_one(name, p, given[p]) for p in given})
    return None


def _expression(pattern: str) -> str:
    return re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>-?\\d+)", re.escape(pattern))


_SPECS = dfbench_metrics()
METRIC_PATTERNS = tuple(sorted(s.name for s in _SPECS if "{cap}" not in s.name))
"""All conventions; `{k}` is an integer from 1. `df-sbir` also takes a cap: `df-sbir:2`."""


def conventions(k: int) -> tuple[str, ...]:
    """The names of all conventions at one k, as printed by `--metric all`."""
    names = (s.name.replace("{k}", str(k)) for s in _SPECS if "{cap}" not in s.name)
    return tuple(dict.fromkeys(names))


def is_built_in(name: str) -> bool:
    """Whether `metric` knows a name. Raises `InvalidInput` for a number below 1 in it."""
    return select_metric(name, _SPECS) is not None


def metric(name: str) -> Metric:
    """The built-in metric with this name.

    Raises `UnknownName` for a name outside `METRIC_PATTERNS` and `InvalidInput` for k or a cap
    below 1.
    """
    if not isinstance(name, str):
        raise InvalidInput(f"metric {name!r:.60} is not a string; allowed: names such as 'map@all'")
    named = select_metric(name, _SPECS)
    if named is None:
        raise unknown_name("metric", name, METRIC_PATTERNS, "dfbench list metrics")
    module, _, attribute = named.spec.target.partition(":")
    function: Callable[..., Tensor] = getattr(import_module(module), attribute)

    def compute(ranked: Ranked) -> Tensor:
        return function(view(named.spec, ranked), **named.parameters)

    return named.defined(compute, METRIC_VERSION)


def _at_least_one(name: str, part: str, given: str) -> int:
    value = int(given) if len(given) <= len(str(_LARGEST_K)) else _LARGEST_K + 1
    if not 1 <= value <= _LARGEST_K:
        raise InvalidInput(
            f"metric {name!r:.60} has {part} = {given:.40}; allowed: integers from 1 to"
            f" {_LARGEST_K};"
            f" write for example {name.replace(given, '200')!r}"
        )
    return value
