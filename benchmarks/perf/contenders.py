"""Implementations of mAP@all and P@k compared by the ranking benchmark.

Each takes `Sides` and returns its mAP@all, so that wrong results are noticed. Other libraries are
imported on call: one that is not installed raises ImportError and is reported as absent.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from torch import Tensor

from dfbench.evaluation import conventions, evaluate

TILE = 256
K = (100, 200)


@dataclass(frozen=True)
class Sides:
    """Unit embeddings and classes of queries and gallery, float32 and int64, on the CPU."""

    queries: Tensor
    gallery: Tensor
    query_labels: Tensor
    gallery_labels: Tensor

    def first(self, count: int) -> Sides:
        """The same gallery with fewer queries, for the slow contenders."""
        return Sides(
            self.queries[:count], self.gallery, self.query_labels[:count], self.gallery_labels
        )

    def relevance(self) -> Tensor:
        """[Q, G], bool."""
        return self.query_labels[:, None] == self.gallery_labels


def made_up(queries: int, photos: int, dim: int, classes: int, spread: float) -> Sides:
    """Gaussian classes; a larger spread of their centres gives a higher mAP."""
    generator = torch.Generator().manual_seed(0)
    centres = torch.randn(classes, dim, generator=generator) * spread
    labels = [torch.randint(classes, (size,), generator=generator) for size in (queries, photos)]
    points = [
        torch.nn.functional.normalize(
            torch.randn(len(side), dim, generator=generator) + centres[side], dim=1
        )
        for side in labels
    ]
    return Sides(points[0], points[1], labels[0], labels[1])


def bare_product(sides: Sides) -> None:
    """The fp32 matrix product alone, written to new memory, as in straightforward code."""
    torch.mm(sides.queries, sides.gallery.T)


@cache
def _warm(queries: int, photos: int) -> Tensor:
    return torch.empty(queries, photos).fill_(0)


def warm_product(sides: Sides) -> None:
    """The product alone, written to memory that is already in use: the strictest lower bound."""
    torch.mm(sides.queries, sides.gallery.T, out=_warm(len(sides.queries), len(sides.gallery)))


def dfbench_default(sides: Sides) -> float:
    """The five default metrics with their intervals."""
    return _dfbench(sides, ("map@all", "prec@200", "map@200", "prec@100", "acc@1"))


def dfbench_all(sides: Sides) -> float:
    """All conventions of `dfbench.evaluation`, at k = 200."""
    return _dfbench(sides, conventions(200))


def _dfbench(sides: Sides, metrics: tuple[str, ...]) -> float:
    result = evaluate(
        sides.queries, sides.gallery, sides.query_labels, sides.gallery_labels, metrics=metrics
    )
    return result.scores["map@all"].value


def torch_argsort(sides: Sides) -> float:
    """Vectorised argsort and cumulative sums, in tiles of queries."""
    total, ranks = 0.0, torch.arange(1, len(sides.gallery) + 1)
    for queries, labels in zip(
        sides.queries.split(TILE), sides.query_labels.split(TILE), strict=True
    ):
        order = (queries @ sides.gallery.T).argsort(dim=1, descending=True)
        hits = sides.gallery_labels[order] == labels[:, None]
        precision = hits.cumsum(1) / ranks
        total += float(((precision * hits).sum(1) / hits.sum(1)).sum())
        for k in K:
            precision[:, k - 1].mean()
    return total / len(sides.queries)


def scikit_learn(sides: Sides) -> float:
    """average_precision_score for each query."""
    from sklearn.metrics import average_precision_score

    relevant = sides.relevance()
    scores = sides.queries @ sides.gallery.T
    pairs = zip(relevant.numpy(), scores.numpy(), strict=True)
    return float(np.mean([average_precision_score(*pair) for pair in pairs]))


def torchmetrics_functional(sides: Sides) -> float:
    """The functional metrics per query; scores are shifted above 0, since others are dropped."""
    from torchmetrics.functional import retrieval

    values = []
    for query, relevant in zip(sides.queries, sides.relevance(), strict=True):
        scores = sides.gallery @ query + 2
        values.append(float(retrieval.retrieval_average_precision(scores, relevant)))
        for k in K:
            retrieval.retrieval_precision(scores, relevant, top_k=k)
    return float(np.mean(values))


def torchmetrics_modules(sides: Sides) -> float:
    """RetrievalMAP and RetrievalPrecision over all pairs."""
    from torchmetrics.retrieval import RetrievalMAP, RetrievalPrecision

    modules = [RetrievalMAP(), *(RetrievalPrecision(top_k=k) for k in K)]
    scores = sides.queries @ sides.gallery.T + 2
    index = torch.arange(len(sides.queries))[:, None].expand_as(scores)
    relevant = sides.relevance()
    values = [m(scores.flatten(), relevant.flatten(), index.flatten()) for m in modules]
    return float(values[0])


def pytorch_metric_learning(sides: Sides) -> float:
    """AccuracyCalculator over the whole gallery (faiss)."""
    from pytorch_metric_learning.utils.accuracy_calculator import AccuracyCalculator

    calculator = AccuracyCalculator(
        include=("mean_average_precision", "precision_at_1"),
        k=len(sides.gallery),
        device=torch.device("cpu"),
    )
    found = calculator.get_accuracy(
        sides.queries, sides.query_labels, sides.gallery, sides.gallery_labels
    )
    return float(found["mean_average_precision"])


def open_metric_learning(sides: Sides) -> float:
    """The functional layer of OML: sorted ids, then its metrics."""
    from oml.functional.metrics import calc_map, calc_precision

    order = (sides.queries @ sides.gallery.T).argsort(dim=1, descending=True)
    hits = sides.gallery_labels[order] == sides.query_labels[:, None]
    relevant = list(sides.relevance().sum(1))
    rows = list(hits)
    calc_precision(rows, relevant, K)
    return float(calc_map(rows, relevant, (hits.shape[1],))[0].mean())


def published_style(sides: Sides) -> float:
    """Typical published SBIR code: full distance matrix, argsort and a loop over queries."""
    from scipy.spatial.distance import cdist

    distances = cdist(sides.queries.numpy(), sides.gallery.numpy())
    order = distances.argsort(axis=1)
    labels = sides.gallery_labels.numpy()
    values = []
    for row, label in zip(order, sides.query_labels.numpy(), strict=True):
        hits = labels[row] == label
        precision = np.cumsum(hits) / np.arange(1, len(hits) + 1)
        values.append(precision[hits].mean())
    return float(np.mean(values))


@dataclass(frozen=True)
class Contender:
    """An implementation, and its largest number of queries (None for all)."""

    name: str
    run: Callable[[Sides], float | None]
    most_queries: int | None = None


SLOW = 100
FLOOR = Contender("bare product", bare_product)
WARM = Contender("bare product, warm memory", warm_product)
OURS = Contender("dfbench, default metrics", dfbench_default)
CONTENDERS = (
    FLOOR,
    OURS,
    WARM,
    Contender("dfbench, every convention", dfbench_all),
    Contender("torch argsort, tiled", torch_argsort),
    Contender("scikit-learn per query", scikit_learn, SLOW),
    Contender("torchmetrics functional", torchmetrics_functional, SLOW),
    Contender("torchmetrics modules", torchmetrics_modules, SLOW),
    Contender("pytorch-metric-learning", pytorch_metric_learning, SLOW),
    Contender("open-metric-learning functional", open_metric_learning, 4 * SLOW),
    Contender("published SBIR style", published_style, SLOW),
)
