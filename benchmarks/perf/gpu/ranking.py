"""Ranking at the size of published galleries, compared with the bare matrix product."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from benchmarks.perf.gpu.journal import Journal, Request
from benchmarks.perf.gpu.timing import once, peak_memory_mib, timed
from dfbench.evaluation.definitions import DEFAULT_METRICS, metric
from dfbench.evaluation.ranking.devices import Engine, chosen_device, engine_for
from dfbench.evaluation.ranking.similarity import full_precision
from dfbench.evaluation.ranking.task import prepared
from dfbench.evaluation.ranking.torch_engine import rank_in_plain_torch

_PRODUCT_BYTES = 2**30
_ARGSORT_QUERIES = 20_000
"""Queries for which the argsort is timed; the time for more is extrapolated linearly."""
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


def measure(request: Request, journal: Journal) -> None:
    """Record seconds of each engine and of an argsort, and of the product, by dataset size."""
    device = chosen_device(request.device)
    engines: dict[str, Engine] = {"plain torch": rank_in_plain_torch}
    chosen = engine_for(device)
    if chosen is not rank_in_plain_torch:
        engines = {"chosen engine": chosen, **engines}
    for name, size in (TINY if request.tiny else FULL).items():
        sides = made_up(size, device)
        product = timed(lambda s=sides: bare_product(s), request.device)
        journal.write(f"{name}: bare product", {"seconds": product})
        for engine_name, engine in engines.items():
            ranking = _ranking(sides, engine, device)
            first = once(ranking, request.device)
            again = once(ranking, request.device)
            result = {
                "seconds": again,
                "times the product": again / product,
                "first call seconds": first,
                "goal seconds": size.goal_seconds,
            }
            journal.write(f"{name}: {engine_name}", result)
            memory = peak_memory_mib(ranking, request.device)
            journal.write(f"{name}: {engine_name}", {**result, "peak memory MiB": memory})
        seconds = argsort_seconds(sides, request.device)
        result = {"seconds": seconds, "times the product": seconds / product}
        journal.write(f"{name}: argsort", result)
        del sides


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


def argsort_seconds(sides: Sides, device: str) -> float:
    """Seconds of argsort and cumulative sums for all queries, extrapolated from some of them."""
    count = min(len(sides.queries), _ARGSORT_QUERIES)
    ranks = torch.arange(1, len(sides.gallery) + 1, device=sides.gallery.device)

    def ranked() -> None:
        parts = (sides.queries[:count], sides.query_labels[:count])
        for queries, labels in zip(*(part.split(_ARGSORT_TILE) for part in parts), strict=True):
            order = (queries @ sides.gallery.T).argsort(dim=1, descending=True)
            hits = sides.gallery_labels[order] == labels[:, None]
            precision = hits.cumsum(1) / ranks
            ((precision * hits).sum(1) / hits.sum(1)).cpu()

    with full_precision(torch.device(device)):
        return once(ranked, device) * len(sides.queries) / count
