"""Ranking at the size of published galleries, compared with the bare matrix product."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from benchmarks.perf.gpu.journal import Journal, Request
from benchmarks.perf.gpu.timing import once, once_with_memory, timed
from dfbench.evaluation.definitions import DEFAULT_METRICS, metric
from dfbench.evaluation.ranking.devices import Engine, chosen_device, engine_for
from dfbench.evaluation.ranking.similarity import full_precision
from dfbench.evaluation.ranking.task import prepared
from dfbench.evaluation.ranking.torch_engine import rank_in_plain_torch

_PRODUCT_BYTES = 2**30
_COMPARED_QUERIES = 20_000
"""Queries for which other ways are timed; the time for more is extrapolated linearly."""
_ARGSORT_TILE = 256


@dataclass(frozen=True)
class Size:
    """Queries, photos and classes of a dataset, and the time limit that its ranking should meet."""

    queries: int
    photos: int
    classes: int
    goal_seconds: float | None = None
    dim: int = 512


FULL = {
    "tuberlin-ext": Size(20_000, 204_489, 250, 0.3),
    "quickdraw-ext": Size(330_000, 204_000, 110, 5.0),
}
TINY = {"tiny": Size(40, 300, 5, dim=16)}


@dataclass(frozen=True)
class Sides:
    """Unit embeddings and labels, all on the device."""

    queries: Tensor
    gallery: Tensor
    query_labels: Tensor
    gallery_labels: Tensor

    def part(self, queries: int) -> tuple[Sides, float]:
        """The first so many queries with the whole gallery, and their share of all queries."""
        some = replace(
            self, queries=self.queries[:queries], query_labels=self.query_labels[:queries]
        )
        return some, len(some.queries) / len(self.queries)


def measure(request: Request, journal: Journal) -> None:
    """Record seconds of each engine and of an argsort, and of the product, by dataset size."""
    device = chosen_device(request.device)
    chosen = engine_for(device)
    for name, size in (TINY if request.tiny else FULL).items():
        sides = made_up(size, device)
        product = timed(lambda s=sides: bare_product(s), request.device)
        journal.write(f"{name}: bare product", {"seconds": product})
        ranking = _ranking(sides, chosen, device)
        first = once(ranking, request.device)
        seconds, memory = once_with_memory(ranking, request.device)
        result = {
            "engine": chosen.__name__,
            "seconds": seconds,
            "times the product": seconds / product,
            "first call seconds": first,
            "goal seconds": size.goal_seconds,
            "peak memory MiB": memory,
        }
        journal.write(f"{name}: dfbench", result)
        part, share = sides.part(_COMPARED_QUERIES)
        others = {"argsort": lambda p=part: rank_by_argsort(p)}
        if chosen is not rank_in_plain_torch:
            others["plain torch"] = _ranking(part, rank_in_plain_torch, device)
        for other, operation in others.items():
            seconds = once(operation, request.device) / share
            result = {"seconds": seconds, "times the product": seconds / product}
            journal.write(f"{name}: {other}", result)
        del sides, part


def made_up(size: Size, device: torch.device) -> Sides:
    """Gaussian classes around random centres, unit length."""
    generator = torch.Generator(device=device).manual_seed(0)
    centres = torch.randn(size.classes, size.dim, generator=generator, device=device) * 0.32

    def side(count: int) -> tuple[Tensor, Tensor]:
        labels = torch.randint(size.classes, (count,), generator=generator, device=device)
        points = torch.randn(count, size.dim, generator=generator, device=device)
        points += centres[labels]
        return torch.nn.functional.normalize(points, dim=1), labels

    queries, query_labels = side(size.queries)
    gallery, gallery_labels = side(size.photos)
    return Sides(queries, gallery, query_labels, gallery_labels)


def bare_product(sides: Sides) -> None:
    """Compute all similarities in fp32, tile by tile, and discard them."""
    rows = max(1, _PRODUCT_BYTES // (4 * len(sides.gallery)))
    with full_precision(sides.queries.device):
        out = sides.queries.new_empty((min(rows, len(sides.queries)), len(sides.gallery)))
        for tile in sides.queries.split(rows):
            torch.mm(tile, sides.gallery.T, out=out[: len(tile)])


def _ranking(sides: Sides, engine: Engine, device: torch.device) -> Callable[[], None]:
    """The computation from embeddings to the default metrics of every query, by one engine."""
    wanted = [metric(name) for name in DEFAULT_METRICS]

    def ranking() -> None:
        with full_precision(device):
            labels = sides.query_labels.cpu().numpy(), sides.gallery_labels.cpu().numpy()
            task = prepared(sides.queries, sides.gallery, *labels, "cosine", device)
            for ranked in engine(task):
                torch.stack([one.compute(ranked) for one in wanted]).cpu()

    return ranking


def rank_by_argsort(sides: Sides) -> None:
    """Compute map@all by an argsort and cumulative sums, tile by tile."""
    ranks = torch.arange(1, len(sides.gallery) + 1, device=sides.gallery.device)
    tiles = (side.split(_ARGSORT_TILE) for side in (sides.queries, sides.query_labels))
    with full_precision(sides.queries.device):
        for queries, labels in zip(*tiles, strict=True):
            order = (queries @ sides.gallery.T).argsort(dim=1, descending=True)
            hits = sides.gallery_labels[order] == labels[:, None]
            precision = hits.cumsum(1) / ranks
            ((precision * hits).sum(1) / hits.sum(1)).cpu()
