"""Networks, metrics and re-rankers under test: sound ones pass, each broken one fails its rule."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor, nn

from dfbench import Reranker
from dfbench.builtin import dfbench_metrics, dfbench_rerankers
from dfbench.conformance.check import CheckFailed
from dfbench.conformance.metric import MetricStage, check_metric, ranked_at
from dfbench.conformance.network import check_network
from dfbench.conformance.reranker import check_reranker
from dfbench.errors import InvalidInput, PluginFault
from dfbench.evaluation import expected_gain, expected_hits
from dfbench.evaluation.definitions import metric, select_metric
from dfbench.hookspecs import MetricSpec, NetworkSpec, RerankerSpec
from dfbench.networks import Backbone, new_backbone
from dfbench.plugins.code import load_target

BUILT_IN = [
    spec
    for spec in dfbench_metrics()
    if spec.name.split("@")[0] == "map" or spec.name == "prec@{k}"
]


@pytest.mark.parametrize("spec", BUILT_IN, ids=lambda spec: spec.name)
def test_built_in_metric_keeps_the_rules(spec: MetricSpec) -> None:
    check_metric(spec, load_target(spec.target))


def _dcg(groups: Any) -> Tensor:
    gains = 1 / torch.arange(2, groups.n_photos + 2).double().log2()
    return expected_gain(groups, gains) / gains.cumsum(0)[groups.relevant - 1]


def test_expected_gain_is_the_mean_over_orders() -> None:
    check_metric(MetricSpec("dcg", "a sum of gains", "a:b"), _dcg)


def test_expected_gain_of_hits_is_the_expected_number_of_hits() -> None:
    groups = ranked_at([(1, 4), (2,), (3, 5, 6)], 7).groups
    gains = (torch.arange(1, 8) <= 3).double()
    assert torch.allclose(expected_gain(groups, gains), expected_hits(groups, 3))


def _first_of_batch(groups: Any) -> Tensor:
    value: Tensor = _dcg(groups)
    return value / len(value) ** 0.5 if len(value) == 4 else value


def _altering(groups: Any) -> Tensor:
    value = _dcg(groups)
    groups.positives_above.add_(1)
    return value


WRONG: dict[str, tuple[Callable[[Any], Any], str]] = {
    "not a tensor": (lambda _: 0.5, "returned float"),
    "NaN": (lambda groups: groups.relevant * float("nan"), "NaN"),
    "whole numbers": (lambda groups: groups.relevant, "floating point"),
    "one value": (lambda _: torch.tensor(0.5), r"shape \[\]"),
    "above one": (lambda groups: groups.relevant.double(), "from 0 to 1"),
    "lower is better": (lambda groups: 1 - _dcg(groups), "more than the perfect ranking"),
    "constant": (lambda groups: torch.full_like(_dcg(groups), 0.5), "the worst ranking scores"),
    "ties by their first place": (
        lambda groups: 1 / (1 + groups.reaching(1).lengths.double() * 0 + _first(groups)),
        "tied photos score",
    ),
    "of the batch": (_first_of_batch, "alone"),
    "altering its input": (_altering, "modifies 'positives_above'"),
}


def _first(groups: Any) -> Tensor:
    starts = groups.lengths.cumsum(0) - groups.lengths
    found: Tensor = groups.above[starts]
    return found


@pytest.mark.parametrize("case", WRONG)
def test_metric_that_breaks_a_rule_fails(case: str) -> None:
    function, told = WRONG[case]
    with pytest.raises(CheckFailed, match=told):
        check_metric(MetricSpec("mine", "wrong", "a:b"), function)


def test_endless_metric_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    def endless(groups: Any) -> Tensor:
        del groups
        while True:
            pass

    monkeypatch.setattr("dfbench.conformance.metric._SECONDS", 0.2)
    stage = MetricStage(MetricSpec("mine", "wrong", "a:b"), endless)
    with pytest.raises(TimeoutError, match="not finished"):
        stage.values(ranked_at([(1,)], 2), {})


def test_built_in_network_keeps_the_rules() -> None:
    check_network(lambda size: new_backbone("resnet-tiny", size))


class _Small(Backbone):
    feature_dim = 4

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind
        self.layer = nn.Conv2d(3, 3 if kind == "width" else 4, 3, 2)
        self.unused = nn.Linear(2, 2) if kind == "unused" else nn.Identity()
        self.lost = torch.rand(1)

    def stage_maps(self, x: Tensor) -> tuple[Tensor, ...]:
        if self.kind == "images":
            x = x.detach()
        if self.kind == "batch":
            x = x - x.mean(0, keepdim=True)
        if self.kind == "random":
            x = x + torch.rand_like(x)
        x = self.layer(x)
        if self.kind == "state":
            x = x * self.lost
        return (x,)


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("width", r"features at 32 px have shape \[1, 3\]"),
        ("random", "its last stage is not its features"),
        ("batch", "depend on the other images"),
        ("state", "same state dict gives other features"),
        ("images", "no finite gradient reaches the images|does not require grad"),
        ("unused", "parameter 'unused.weight'"),
    ],
)
def test_network_that_breaks_a_rule_fails(kind: str, told: str) -> None:
    with pytest.raises(CheckFailed, match=told):
        check_network(lambda _: _Small(kind))


def test_network_that_is_no_backbone_fails() -> None:
    with pytest.raises(CheckFailed, match=r"allowed: a dfbench\.networks\.Backbone"):
        check_network(lambda _: nn.Flatten())  # type: ignore[arg-type,return-value]  # the mistake under test


@pytest.mark.parametrize(
    "name", ["Mrr", "m r", "mrr@", "mrr@0", "mrr@{k", "mrr@{k}@2", ":x", "mrr@-1", 3]
)
def test_metric_names_follow_the_pattern(name: Any) -> None:
    with pytest.raises(PluginFault, match="MetricSpec has name"):
        MetricSpec(name, "a formula", "a:b")


@pytest.mark.parametrize(
    ("field", "value"),
    [("version", 0), ("version", True), ("enlarged_to", -1), ("title", ""), ("name", "a b")],
)
def test_network_specs_are_checked(field: str, value: Any) -> None:
    fields = {"name": "net", "title": "a net", "target": "a:b", field: value}
    with pytest.raises(PluginFault, match=f"NetworkSpec has {field}="):
        NetworkSpec(**fields)


def test_numbers_in_a_name_are_parameters() -> None:
    specs = [MetricSpec("gain@{k}", "gain at {k}", "a:b"), MetricSpec("gain@5", "five", "a:c")]
    exact, general = select_metric("gain@5", specs), select_metric("gain@20", specs)
    assert exact is not None
    assert exact.spec.formula == "five"
    assert general is not None
    assert general.parameters == {"k": 20}
    assert general.defined(None, 1).definition.formula == "gain at 20"
    assert select_metric("gain@all", specs) is None


def test_cap_of_the_released_code_is_in_the_formula() -> None:
    assert "min(10, hits)" in metric("df-sbir").definition.formula
    assert "min(2, h)" in metric("df-sbir@100:2").definition.formula


RERANKER = RerankerSpec("mine", "Mine", "mine:Mine")


RETURNS: dict[str, Callable[[Tensor], Any]] = {
    "list": Tensor.tolist,
    "fewer photos": lambda scores: scores[:, 1:],
    "top photos": lambda scores: scores.topk(1, dim=1).indices,
    "NaN": lambda scores: scores.fill_diagonal_(float("nan")),
    "infinity": lambda scores: scores / 0,
    "whole numbers": lambda scores: scores.round().long(),
    "random": lambda scores: scores + torch.rand_like(scores),
    "block": lambda scores: scores - scores.mean(0),
    "place": lambda scores: scores * torch.linspace(1, 2, scores.shape[1]),
    "distance": lambda scores: -scores,
}
"""What a broken re-ranker makes of sound scores."""


class _Similar(Reranker):
    """Breaks the rule that its `kind` names; keeps all without one."""

    name, title, definition = "mine", "Mine", "inner product"
    kind: ClassVar[str] = ""

    def prepare(self, gallery: Tensor, similarity: str) -> None:
        if self.kind == "every similarity":
            raise InvalidInput(f"no {similarity}")
        if self.kind == "gallery":
            gallery.mul_(2)
        if self.kind == "labels of tensor":
            gallery = gallery.labels  # type: ignore[attr-defined]  # what is under test
        self.gallery = gallery
        self.asked = 0

    def scores(self, queries: Tensor) -> Any:
        found = queries @ self.gallery.T
        if self.kind == "second time":
            found += self.asked
            self.asked += 1
        if self.kind == "queries":
            queries.zero_()
        return RETURNS[self.kind](found) if self.kind in RETURNS else found


class _WithLabels(_Similar):
    def prepare(self, gallery: Tensor, similarity: str, labels: Tensor) -> None:  # type: ignore[override]  # the mistake under test
        del labels
        super().prepare(gallery, similarity)


class _Plain:
    name, title, definition = "mine", "Mine", "inner product"


def _breaking(kind: str) -> type[Reranker]:
    return type("Breaking", (_Similar,), {"kind": kind})


def test_sound_reranker_keeps_the_rules() -> None:
    check_reranker(RERANKER, _Similar)


@pytest.mark.parametrize("spec", dfbench_rerankers(), ids=lambda spec: spec.name)
def test_built_in_reranker_keeps_the_rules(spec: RerankerSpec) -> None:
    check_reranker(spec, load_target(spec.target))


@pytest.mark.parametrize(
    ("target", "told"),
    [
        (_Plain, "is not a subclass of dfbench.Reranker"),
        (type("Other", (_Similar,), {"name": "other"}), "has the name 'other'; allowed: 'mine'"),
        (type("Old", (_Similar,), {"version": 0}), "has version=0"),
        (_WithLabels, "missing a required argument: 'labels'.*there are no labels"),
        (_breaking("every similarity"), "refuses every similarity: no cosine"),
        (_breaking("list"), "returned a list; allowed: a tensor"),
        (_breaking("fewer photos"), r"scores have shape \[6, 39\]; allowed: \[6, 40\]"),
        (_breaking("top photos"), r"scores have shape \[6, 1\]"),
        (_breaking("NaN"), "not finite"),
        (_breaking("infinity"), "not finite .* for 6 of 6"),
        (_breaking("whole numbers"), "scores are int64; allowed: floating point"),
        (_breaking("queries"), "changes the embeddings of the queries"),
        (_breaking("gallery"), "changes the embeddings of the gallery"),
        (_breaking("random"), "different scores; seed what is random"),
        (_breaking("second time"), "different scores"),
        (_breaking("block"), "other scores alone than in a block"),
        (_breaking("place"), "another order of the gallery"),
        (_breaking("distance"), "larger is better"),
    ],
    ids=lambda value: getattr(value, "kind", "") or getattr(value, "__name__", ""),
)
def test_reranker_that_breaks_a_rule_fails(target: Any, told: str) -> None:
    with pytest.raises(CheckFailed, match=told):
        check_reranker(RERANKER, target)


def test_reranker_that_looks_for_labels_in_a_tensor_fails() -> None:
    with pytest.raises(AttributeError, match="labels"):
        check_reranker(RERANKER, _breaking("labels of tensor"))


def test_endless_reranker_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    class Endless(_Similar):
        def scores(self, queries: Tensor) -> Any:
            del queries
            while True:
                pass

    monkeypatch.setattr("dfbench.conformance.reranker._SECONDS", 0.2)
    with pytest.raises(TimeoutError, match="not finished"):
        check_reranker(RERANKER, Endless)
