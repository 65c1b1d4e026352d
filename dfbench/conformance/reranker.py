"""Checks of the rules that dfbench relies on in re-rankers."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from dfbench.conformance.check import Check, CheckFailed
from dfbench.errors import InvalidInput, PluginFault
from dfbench.evaluation.given_scores import check_scores
from dfbench.evaluation.reranking.reranker import Reranker
from dfbench.hookspecs import RerankerSpec
from dfbench.plugins.code import plugin_code
from dfbench.worker.rerankers import class_error
from dfbench.worker.scoring import as_array

SIMILARITIES = ("cosine", "inner", "euclidean")
_QUERIES, _PHOTOS, _WIDTH, _CLUSTERS = 6, 40, 8, 4
_SECONDS = 30.0
_TOLERANCE = 1e-4

_CLASS = ("class", "arguments")
_SCORED = ("scores",)
RERANKER_CHECKS = (
    Check("class", "name, title, definition, version and Config are valid", "reranker:declared"),
    Check(
        "arguments",
        "it asks for nothing but embeddings and their similarity",
        "reranker:arguments",
        ("class",),
    ),
    Check("scores", "it returns a finite score for every photo", "reranker:scored", _CLASS),
    Check("small", "galleries of one and two photos, and equal photos", "reranker:small", _SCORED),
    Check("inputs", "the embeddings are not changed", "reranker:inputs", _SCORED),
    Check("repeats", "the same embeddings have the same scores", "reranker:repeats", _SCORED),
    Check("blocks", "scores do not depend on other queries", "reranker:blocks", _SCORED),
    Check("order", "scores do not depend on the order of photos", "reranker:order", _SCORED),
    Check("direction", "larger is better: near photos first", "reranker:direction", _SCORED),
)
"""The rules for re-rankers, in report order."""


@dataclass(frozen=True)
class RerankerStage:
    """A re-ranker under test."""

    spec: RerankerSpec
    target: Any
    """What its spec names: it should be a subclass of `dfbench.Reranker`."""

    def new(self) -> Reranker:
        """The re-ranker with its default settings."""
        found: Reranker = self.target(self.target.Config())
        return found

    def scores(self, queries: Tensor, gallery: Tensor, similarity: str) -> Tensor:
        """Scores `[B, G]` of a new re-ranker.

        Raises `InvalidInput` if it refuses the similarity, and `CheckFailed` unless scores are as
        they should be.
        """
        with plugin_code(_SECONDS):
            reranker = self.new()
            reranker.prepare(gallery, similarity)
            return _checked(reranker.scores(queries), len(queries), len(gallery))

    @property
    def similarities(self) -> list[str]:
        """Those that it does not refuse. Raises `CheckFailed` if it refuses all."""
        queries, gallery = _embeddings()
        known, refusals = [], []
        for one in SIMILARITIES:
            try:
                self.scores(queries, gallery, one)
            except InvalidInput as refusal:
                refusals.append(str(refusal))
            else:
                known.append(one)
        if not known:
            raise CheckFailed(f"it refuses every similarity: {refusals[0]}")
        return known


def check_reranker(spec: RerankerSpec, target: type[Reranker]) -> None:
    """Run all checks on a re-ranker; `target` is that of its spec. Raises `CheckFailed`."""
    stage = RerankerStage(spec, target)
    for check in (
        declared,
        arguments,
        scored,
        small,
        inputs,
        repeats,
        blocks,
        order,
        direction,
    ):
        check(stage)


def declared(stage: RerankerStage) -> None:
    """Its class keeps the contract, and can be built from its default settings."""
    wrong = class_error(stage.target, stage.spec)
    if wrong:
        raise CheckFailed(f"target {stage.spec.target!r} {wrong}")
    stage.new()


def arguments(stage: RerankerStage) -> None:
    """`prepare(gallery, similarity)` and `scores(queries)` can be called as they are."""
    reranker = stage.new()
    for call, given in ((reranker.prepare, ("gallery", "similarity")), (reranker.scores, ("q",))):
        signature = inspect.signature(call)
        try:
            signature.bind(*given)
        except TypeError as fault:
            raise CheckFailed(
                f"{call.__name__}{signature} cannot be called ({fault}); allowed: "
                "prepare(gallery, similarity) and scores(queries): there are no labels, names or "
                "images"
            ) from fault


def scored(stage: RerankerStage) -> str | None:
    """A finite number for every query and photo, under every similarity that it does not refuse."""
    known = stage.similarities
    refused = [one for one in SIMILARITIES if one not in known]
    return f"not defined for {', '.join(refused)}" if refused else None


def small(stage: RerankerStage) -> None:
    """Galleries of one or two photos, of equal photos, and a single query."""
    queries, gallery = _embeddings()
    for similarity in stage.similarities:
        for photos in (gallery[:1], gallery[:2], gallery[:1].expand(5, -1).contiguous()):
            stage.scores(queries, photos, similarity)
            stage.scores(queries[:1], photos, similarity)


def inputs(stage: RerankerStage) -> None:
    """Neither side of the embeddings is changed."""
    for similarity in stage.similarities:
        queries, gallery = _embeddings()
        stage.scores(queries, gallery, similarity)
        for name, one, fresh in zip(
            ("queries", "gallery"), (queries, gallery), _embeddings(), strict=True
        ):
            if not torch.equal(one, fresh):
                raise CheckFailed(
                    f"it changes the embeddings of the {name}; allowed: reading them, or changing "
                    "a copy (.clone())"
                )


def repeats(stage: RerankerStage) -> None:
    """Two re-rankers score the same embeddings alike, and so does one asked twice."""
    queries, gallery = _embeddings()
    for similarity in stage.similarities:
        first = stage.scores(queries, gallery, similarity)
        with plugin_code(_SECONDS):
            reranker = stage.new()
            reranker.prepare(gallery, similarity)
            again = [_checked(reranker.scores(queries), *first.shape) for _ in range(2)]
        if not all(torch.equal(one, first) for one in again):
            raise CheckFailed(
                "scoring the same embeddings twice gives different scores; seed what is random"
            )


def blocks(stage: RerankerStage) -> None:
    """A query alone has the scores that it has among others."""
    queries, gallery = _embeddings()
    for similarity in stage.similarities:
        whole = stage.scores(queries, gallery, similarity)
        for place in range(len(queries)):
            alone = stage.scores(queries[place : place + 1], gallery, similarity)
            _require_equal(alone[0], whole[place], "a query has other scores alone than in a block")


def order(stage: RerankerStage) -> None:
    """A photo has the same score wherever it is in the gallery."""
    queries, gallery = _embeddings()
    places = torch.randperm(len(gallery), generator=torch.Generator().manual_seed(1))
    for similarity in stage.similarities:
        plain = stage.scores(queries, gallery, similarity)
        moved = stage.scores(queries, gallery[places], similarity)
        _require_equal(
            moved, plain[:, places], "photos have other scores in another order of the gallery"
        )


def direction(stage: RerankerStage) -> None:
    """Among clear clusters, photos of the query's cluster score higher than the others."""
    queries, gallery = _embeddings()
    same = _cluster(len(queries))[:, None] == _cluster(len(gallery))
    for similarity in stage.similarities:
        found = stage.scores(queries, gallery, similarity).double()
        inside, outside = found[same].mean(), found[~same].mean()
        if not inside > outside:
            raise CheckFailed(
                f"photos of the query's cluster score {float(inside):g} on average, the others "
                f"{float(outside):g} (similarity {similarity}); allowed: larger is better"
            )


def _embeddings() -> tuple[Tensor, Tensor]:
    """Queries `[B, D]` and gallery `[G, D]` in four clusters, the same at every call."""
    random = torch.Generator().manual_seed(0)
    centres = 4 * torch.eye(_WIDTH)[:_CLUSTERS]
    queries, gallery = (
        centres[_cluster(count)] + 0.5 * torch.randn(count, _WIDTH, generator=random)
        for count in (_QUERIES, _PHOTOS)
    )
    return queries, gallery


def _cluster(count: int) -> Tensor:
    return torch.arange(count) % _CLUSTERS


def _checked(found: object, queries: int, photos: int) -> Tensor:
    try:
        array = as_array(found)
        check_scores(array, (queries, photos))
    except PluginFault as fault:
        raise CheckFailed(f"it {fault}") from fault
    except InvalidInput as fault:
        raise CheckFailed(f"its {fault}") from fault
    return torch.from_numpy(array).float().clone()


def _require_equal(one: Tensor, other: Tensor, told: str) -> None:
    scale = float(other.abs().max())
    if not torch.allclose(one, other, rtol=_TOLERANCE, atol=_TOLERANCE * scale):
        raise CheckFailed(f"{told}: they differ by up to {float((one - other).abs().max()):.2g}")
