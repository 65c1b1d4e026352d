"""Similarities as float32 values rounded to steps, and integer keys in their order.

A matrix product gives equal pairs different last bits, so similarities are rounded before they are
compared. The step is derived from the float32 resolution of the pair's own |q| |g|, not from the
gallery's largest norm, and does not depend on tiles, blocks or order:

- `cosine`: <q, g> / (|q| |g|) in steps of 2^-20;
- `inner`: <q, g> in steps of 2^-21 [q] [g], where [x] is the smallest power of two above |x|;
  for embeddings without negative components, such as posteriors, in steps of 2^-20 of the product
  itself, since their sums have no cancellation;
- `euclidean`: <q, g> - |g|^2 / 2, which orders the photos of a query as -|q - g| does, in steps of
  2^-21 max([q], [t] / 2) [g], where t is the gallery's median norm.

Scaling by powers of two keeps exact ties exact. If all photos lie close together relative to their
distance from the origin, `crowd_centre` is subtracted first: <q, g - m> ranks as <q, g> does,
|(q - m) - (g - m)| as |q - g|, and cosine as the distance of the normalised embeddings.

Values are stored negated, so that ascending order is best first.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from dfbench.errors import unknown_name
from dfbench.evaluation.ranking.bins import MAGIC
from dfbench.evaluation.ranking.crowding import EqualRows, crowd_centre, find_twins
from dfbench.evaluation.ranking.inputs import Vectors, check_directions, check_norms

SIMILARITIES = ("cosine", "inner", "euclidean")

RELATIVE_START, RELATIVE_MASK = -5, 0x7 - 2**31
"""(start - bits) | mask rounds the bits of a float32 to multiples of 8 and reverses their order."""
_COSINE_STEPS = 2**20
_STEPS = 2**21


@dataclass(frozen=True)
class Penalty:
    """Added to the product for distances: `slope[q] * square[g]`."""

    slope: Tensor
    """A power of two for each query, [Q], float32."""
    square: Tensor
    """|g|^2 / 2, [G], float32."""


@dataclass(frozen=True)
class Scoring:
    """Conversion of a product of embeddings into a negated value and its key.

    value(q, g) = <query_scale[q] q, g> * photo_scale[g] + penalty(q, g), ascending = best first.
    """

    queries: Vectors
    gallery: Vectors
    query_scale: Tensor
    """[Q], float32."""
    photo_scale: Tensor | None = None
    """[G], float32; None for 1."""
    penalty: Penalty | None = None
    relative: bool = False
    """Steps of 2^-20 of the product; `query_scale` is then positive, and no value is negative."""
    magic: Tensor | None = None
    """`MAGIC` times the step of each photo, [G], float32; None for steps of 1."""
    twins: EqualRows | None = None

    def scaled_queries(self, rows: Tensor) -> Tensor:
        """The left factor of the product, [len(rows), D], for query indices on the CPU."""
        scale = self.query_scale[rows.to(self.query_scale.device)]
        return self.queries.take(rows) * scale[:, None]

    def products(self, rows: Tensor, out: Tensor) -> Tensor:
        """Fill `out` [len(rows), G] with the plain fp32 products, span by span of the gallery."""
        left = self.scaled_queries(rows)
        for start, stop in self.gallery.spans():
            torch.mm(left, self.gallery.rows(start, stop).T, out=out[:, start:stop])
        return out

    def keys(self, rows: Tensor, products: Tensor) -> Tensor:
        """Keys of the products, which are overwritten, [len(rows), G], int32."""
        if self.photo_scale is not None:
            products *= self.photo_scale
        if self.penalty is not None:
            slope = self.penalty.slope[rows.to(products.device)]
            products += slope[:, None] * self.penalty.square
        if self.twins is not None:
            products[:, self.twins.copies] = products[:, self.twins.originals]
        if self.relative:
            return (RELATIVE_START - products.view(torch.int32)).bitwise_or_(RELATIVE_MASK)
        magic = MAGIC if self.magic is None else self.magic
        products += magic
        products -= magic
        return ordered_bits(products)


def ordered_bits(values: Tensor) -> Tensor:
    """Integers in the order of float32 values without NaN and negative zeros, int32."""
    bits = values.view(torch.int32)
    return (bits >> 31).bitwise_and_(0x7FFFFFFF).bitwise_xor_(bits)


def scoring(queries: Vectors, gallery: Vectors, similarity: str) -> Scoring:
    """The scoring of a similarity.

    Raises `UnknownName` for a similarity outside `SIMILARITIES` and `InvalidInput` for a zero row
    under cosine and for norms too far apart for float32 under the others.
    """
    if similarity not in SIMILARITIES:
        raise unknown_name("similarity", str(similarity), SIMILARITIES, "dfbench evaluate --help")
    made = _SCORINGS[similarity](queries, gallery)
    return replace(made, twins=find_twins(made.gallery))


def _cosine(queries: Vectors, gallery: Vectors) -> Scoring:
    check_directions(queries)
    check_directions(gallery)
    directions = queries.scaled(1 / queries.norms), gallery.scaled(1 / gallery.norms)
    centre = crowd_centre(directions[1])
    if centre is not None:
        return _distances(directions[0].centred(centre), directions[1].centred(centre))
    if not (queries.ordinary and gallery.ordinary):
        queries, gallery = directions
    return Scoring(
        queries, gallery, -_COSINE_STEPS / queries.norms.float(), 1 / gallery.norms.float()
    )


def _inner(queries: Vectors, gallery: Vectors) -> Scoring:
    typical = _typical_power(gallery)
    check_norms(gallery, typical)
    if not gallery.ordinary:
        gallery = gallery.scaled(1 / typical.expand(len(gallery)))
    centre = crowd_centre(gallery)
    if centre is not None:
        gallery = gallery.centred(centre)
    scale = 1 / _powers(queries.norms)
    if not queries.ordinary:
        queries, scale = queries.scaled(scale), torch.ones_like(scale)
    if centre is None and queries.non_negative and gallery.non_negative:
        return Scoring(queries, gallery, scale.float(), relative=True)
    return Scoring(queries, gallery, -scale.float(), magic=_magic(gallery))


def _euclidean(queries: Vectors, gallery: Vectors) -> Scoring:
    typical = _typical_power(gallery)
    check_norms(queries, typical)
    check_norms(gallery, typical)
    if not (queries.ordinary and gallery.ordinary):
        queries = queries.scaled(1 / typical.expand(len(queries)))
        gallery = gallery.scaled(1 / typical.expand(len(gallery)))
    centre = crowd_centre(gallery)
    if centre is not None:
        queries, gallery = queries.centred(centre), gallery.centred(centre)
    return _distances(queries, gallery)


def _distances(queries: Vectors, gallery: Vectors) -> Scoring:
    scale = (1 / torch.maximum(_powers(queries.norms), _typical_power(gallery) / 2)).float()
    penalty = Penalty(slope=scale, square=(gallery.squares() / 2).float())
    return Scoring(queries, gallery, -scale, penalty=penalty, magic=_magic(gallery))


_SCORINGS = {"cosine": _cosine, "inner": _inner, "euclidean": _euclidean}


def _magic(gallery: Vectors) -> Tensor:
    return (MAGIC / _STEPS * _powers(gallery.norms)).float()


def _typical_power(gallery: Vectors) -> Tensor:
    """[t] of the median norm of the non-zero rows; 1 without any."""
    norms = gallery.norms[gallery.norms > 0]
    return _powers(norms.median() if len(norms) else norms.new_ones(()))


def _powers(norms: Tensor) -> Tensor:
    """[x]: the smallest power of two above each norm, exactly; 1 for 0."""
    return torch.where(norms > 0, norms / torch.frexp(norms).mantissa, 1.0)


@contextmanager
def full_precision(device: torch.device) -> Iterator[None]:
    """Disable TF32, bf16 passes, autocast and gradients inside, whatever the caller's settings."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        with torch.autocast(device.type, enabled=False), torch.no_grad():
            yield
    finally:
        torch.set_float32_matmul_precision(before)
