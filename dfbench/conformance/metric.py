"""Checks of the rules that dfbench relies on in metrics."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import torch
from torch import Tensor

from dfbench.conformance.check import Check, CheckFailed
from dfbench.evaluation.definitions import view
from dfbench.evaluation.ranking.groups import PositiveRanks, Ranked, tie_groups
from dfbench.hookspecs import MetricSpec
from dfbench.plugins.code import plugin_code
from dfbench.process.metrics import value_error

_PHOTOS, _RELEVANT = 7, 2
_NUMBERS = (1, 3)
"""Values of the numbers in a metric's name."""
_SECONDS = 30.0
_TOLERANCE = 1e-9

METRIC_CHECKS = (
    Check("values", "it returns one finite value in [0, 1] per query", "metric:values"),
    Check("order", "no ranking beats the perfect one, none is below the worst", "metric:order"),
    Check("ties", "tied photos count as its spec says", "metric:ties", ("values",)),
    Check("batches", "a value does not depend on other queries", "metric:batches", ("values",)),
    Check("purity", "its input is unchanged, and repeats agree", "metric:purity", ("values",)),
    Check("extremes", "it handles one photo, and only relevant photos", "metric:extremes"),
)
"""The rules for metrics, in report order."""


@dataclass(frozen=True)
class MetricStage:
    """A metric under test."""

    spec: MetricSpec
    function: Callable[..., Any]

    @property
    def parameters(self) -> list[dict[str, int]]:
        """Numbers for its name, as keyword arguments of the function."""
        names = [part.partition("}")[0] for part in self.spec.name.split("{")[1:]]
        return [dict.fromkeys(names, number) for number in _NUMBERS] if names else [{}]

    def values(self, ranked: Ranked, parameters: dict[str, int]) -> Tensor:
        """Its values `[B]`. Raises `CheckFailed` unless there is one in [0, 1] per query."""
        with plugin_code(_SECONDS):
            found = self.function(view(self.spec, ranked), **parameters)
        error = value_error(found, len(ranked.rows))
        if error:
            raise CheckFailed(error)
        checked: Tensor = found.double()
        return checked


def check_metric(spec: MetricSpec, function: Callable[..., Any]) -> None:
    """Run all checks on a metric; `function` is the target of its spec. Raises `CheckFailed`."""
    stage = MetricStage(spec, function)
    for check in (values, order, ties, batches, purity, extremes):
        check(stage)


def ranked_at(ranks: Sequence[Sequence[int]], photos: int, *, tied: bool = False) -> Ranked:
    """A batch whose relevant photos have these ranks, from 1; with `tied`, all photos tie."""
    lengths = torch.tensor([len(one) for one in ranks])
    flat = torch.tensor([rank for one in ranks for rank in sorted(one)])
    above, reached = (torch.zeros_like(flat), torch.full_like(flat, photos))
    groups = (
        tie_groups(above, reached, lengths, photos)
        if tied
        else tie_groups(flat - 1, flat, lengths, photos)
    )
    places = PositiveRanks(flat.double(), lengths, lengths)
    return Ranked(torch.arange(len(lengths)), groups, places)


_PLACEMENTS = list(combinations(range(1, _PHOTOS + 1), _RELEVANT))
"""Ranks of the relevant photos in every ranking, the perfect one first, the worst last."""


def values(stage: MetricStage) -> None:
    """One finite value in [0, 1] per query."""
    for parameters in stage.parameters:
        stage.values(ranked_at(_PLACEMENTS, _PHOTOS), parameters)


def order(stage: MetricStage) -> None:
    """The perfect ranking is the best one and the worst one the worst."""
    for parameters in stage.parameters:
        found = stage.values(ranked_at(_PLACEMENTS, _PHOTOS), parameters)
        if float(found.max() - found[0]) > _TOLERANCE:
            best = _PLACEMENTS[int(found.argmax())]
            raise CheckFailed(
                f"relevant photos at ranks {best} score {float(found.max()):g}, more than the "
                f"perfect ranking, {float(found[0]):g}{_told(parameters)}; "
                "allowed: higher is better"
            )
        if float(found[-1] - found.min()) > _TOLERANCE or not found[0] > found[-1]:
            raise CheckFailed(
                f"the worst ranking scores {float(found[-1]):g}, the perfect one "
                f"{float(found[0]):g}, the lowest {float(found.min()):g}{_told(parameters)}"
            )


def ties(stage: MetricStage) -> str | None:
    """With `ties="expected"`, tied photos score the mean over all of their orders."""
    if stage.spec.ties == "gallery":
        return "tied photos keep the gallery's order: nothing to compare"
    for parameters in stage.parameters:
        each = stage.values(ranked_at(_PLACEMENTS, _PHOTOS), parameters)
        tied = stage.values(ranked_at(_PLACEMENTS[:1], _PHOTOS, tied=True), parameters)
        if abs(float(tied[0] - each.mean())) > _TOLERANCE:
            raise CheckFailed(
                f"tied photos score {float(tied[0]):g}, the mean over all their orders is "
                f"{float(each.mean()):g}{_told(parameters)}; use expected_gain or expected_hits of "
                'dfbench.evaluation, or declare ties="gallery"'
            )
    return None


def batches(stage: MetricStage) -> None:
    """A query alone has the value that it has among others."""
    ranks = [(1, 4), (3,), (2, 5, 6), (7,)]
    for parameters in stage.parameters:
        whole = stage.values(ranked_at(ranks, _PHOTOS), parameters)
        for place, one in enumerate(ranks):
            alone = float(stage.values(ranked_at([one], _PHOTOS), parameters)[0])
            if abs(alone - float(whole[place])) > _TOLERANCE:
                raise CheckFailed(
                    f"a query scores {alone:g} alone and {float(whole[place]):g} with others"
                )


def purity(stage: MetricStage) -> None:
    """The ranking is not changed, and the same ranking has the same values."""
    for parameters in stage.parameters:
        ranked, fresh = (ranked_at(_PLACEMENTS, _PHOTOS) for _ in range(2))
        first, second = (stage.values(ranked, parameters) for _ in range(2))
        for one, other in ((ranked.groups, fresh.groups), (ranked.places, fresh.places)):
            for name, tensor in vars(other).items():
                if isinstance(tensor, Tensor) and not torch.equal(tensor, vars(one)[name]):
                    raise CheckFailed(f"it modifies {name!r} of its input ranking")
        if not torch.equal(first, second):
            raise CheckFailed("scoring the same ranking twice gives different values")


def extremes(stage: MetricStage) -> None:
    """Galleries of one photo, of relevant photos only, and a last relevant photo."""
    for parameters in stage.parameters:
        for ranks, photos in (([(1,)], 1), ([(1, 2, 3)], 3), ([(50,)], 50)):
            stage.values(ranked_at(ranks, photos), parameters)


def _told(parameters: dict[str, int]) -> str:
    return "".join(f", {name} = {value}" for name, value in parameters.items())
