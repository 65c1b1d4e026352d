"""Similarities scaled to [-1, 1] and the integer keys that rank: rint(2^20 s).

A matrix product gives equal pairs unequal last bits, so photos are ranked by integer keys. The
scale depends on the data but on no tile, block or order:

- `cosine`: s = <q, g> / (|q| |g|);
- `inner`: s = <q, g> / (|q| M), M the largest norm in the gallery (a query's own norm never
  changes its ranking, so it may differ by query); 0 where |q| M = 0;
- `euclidean`: s = 1 - 2 |q - g|^2 / (|q| + M)^2 after subtracting the gallery's mean row from
  both, which leaves distances alone and keeps digits; the same as cosine on centred unit vectors;
  0 where |q| + M = 0. The key resolves squared distances to (|q| + M)^2 / 2^21.

Keys are stored negated, so that ascending order is best first.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from dfbench.errors import unknown_name
from dfbench.evaluation.inputs import Vectors, check_directions
from dfbench.evaluation.twins import Twins, find_twins

SIMILARITIES = ("cosine", "inner", "euclidean")
KEY_STEPS = 2**20
"""Keys lie in [-2^20 - 2, 2^20 + 2]: the fp32 product may pass 1 by its rounding error."""

_VANISHING = 1e-36
"""Products of norms below this count as zero: their inverse would overflow float32."""


@dataclass(frozen=True)
class Bias:
    """Added to the product for Euclidean distance: `slope[q] * square[g] + constant[q]`."""

    slope: Tensor
    square: Tensor
    constant: Tensor


@dataclass(frozen=True)
class Scoring:
    """How a product of embeddings becomes a negated, unrounded key.

    key(q, g) = <query_scale[q] q, g> * photo_scale[g] + bias(q, g), ascending = best first.
    """

    queries: Vectors
    gallery: Vectors
    query_scale: Tensor
    """[Q], float32."""
    photo_scale: Tensor | None = None
    """[G], float32; None for 1."""
    bias: Bias | None = None
    twins: Twins | None = None

    def scaled_queries(self, rows: Tensor) -> Tensor:
        """The left factor of the product, [len(rows), D], for query indices on the CPU."""
        scale = self.query_scale[rows.to(self.query_scale.device)]
        return self.queries.take(rows) * scale[:, None]

    def products(self, rows: Tensor, out: Tensor) -> Tensor:
        """Fill `out` [len(rows), G] with the bare fp32 products, span of the gallery by span."""
        left = self.scaled_queries(rows)
        for start, stop in self.gallery.spans():
            torch.mm(left, self.gallery.rows(start, stop).T, out=out[:, start:stop])
        return out

    def finish(self, rows: Tensor, products: Tensor) -> Tensor:
        """Unrounded negated keys, in place of the products, [len(rows), G]."""
        if self.photo_scale is not None:
            products *= self.photo_scale
        if self.bias is not None:
            at = rows.to(products.device)
            products += self.bias.slope[at, None] * self.bias.square
            products += self.bias.constant[at, None]
        if self.twins is not None:
            products[:, self.twins.copies] = products[:, self.twins.originals]
        return products


def scoring(queries: Vectors, gallery: Vectors, similarity: str) -> Scoring:
    """The scoring of a similarity.

    Raises `UnknownName` for a similarity outside `SIMILARITIES` and `InvalidInput` for a zero row
    under cosine.
    """
    if similarity not in _SCORINGS:
        raise unknown_name("similarity", similarity, SIMILARITIES, "dfbench evaluate --help")
    made = _SCORINGS[similarity](queries, gallery)
    return replace(made, twins=find_twins(gallery))


def _cosine(queries: Vectors, gallery: Vectors) -> Scoring:
    check_directions(queries)
    check_directions(gallery)
    return Scoring(queries, gallery, -KEY_STEPS / queries.norms, 1 / gallery.norms)


def _inner(queries: Vectors, gallery: Vectors) -> Scoring:
    return Scoring(queries, gallery, -KEY_STEPS * _inverse(queries.norms * gallery.norms.max()))


def _euclidean(queries: Vectors, gallery: Vectors) -> Scoring:
    origin = gallery.mean()
    queries, gallery = queries.centred(origin), gallery.centred(origin)
    unit = KEY_STEPS * 2 * _inverse((queries.norms + gallery.norms.max()) ** 2)
    bias = Bias(
        slope=unit,
        square=gallery.norms**2,
        constant=unit * queries.norms**2 - KEY_STEPS * (unit > 0).float(),
    )
    return Scoring(queries, gallery, -2 * unit, None, bias)


_SCORINGS = {"cosine": _cosine, "inner": _inner, "euclidean": _euclidean}


def _inverse(values: Tensor) -> Tensor:
    return torch.where(values > _VANISHING, 1 / values, 0.0)


@contextmanager
def full_precision(device: torch.device) -> Iterator[None]:
    """No TF32, no bf16 passes, no autocast and no gradients inside, whatever the caller set."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        with torch.autocast(device.type, enabled=False), torch.no_grad():
            yield
    finally:
        torch.set_float32_matmul_precision(before)
