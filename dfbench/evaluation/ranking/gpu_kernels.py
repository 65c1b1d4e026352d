"""The Triton kernels of the fused engine: keys of a tile, written out or counted in place.

All take queries [n_q, dim], photos [n_g, dim] and the factors of a scoring (see
`dfbench.evaluation.ranking.similarity`); tile sizes are powers of two.
"""

# Triton compiles these functions and gives annotations its own meaning; it ships no types.
# ruff: noqa: ANN001, ANN201, ANN202
# mypy: disable-error-code="no-untyped-def, untyped-decorator, no-untyped-call"

import triton  # type: ignore[import-untyped]
import triton.language as tl  # type: ignore[import-untyped]

from dfbench.evaluation.ranking.similarity import RELATIVE_MASK, RELATIVE_START

_RELATIVE_START = tl.constexpr(RELATIVE_START)
_RELATIVE_MASK = tl.constexpr(RELATIVE_MASK)


@triton.jit
def _tile_keys(
    queries, photos, scale, slope, square, magic, n_q, n_g, dim,
    first_q, first_g, relative: tl.constexpr, bq: tl.constexpr, bg: tl.constexpr, bd: tl.constexpr,
):  # fmt: skip
    """Keys of a tile, [bq, bg]: integers in the order of the rounded values."""
    at_q = first_q + tl.arange(0, bq)
    at_g = first_g + tl.arange(0, bg)
    products = tl.zeros((bq, bg), dtype=tl.float32)
    for start in range(0, dim, bd):
        at_d = start + tl.arange(0, bd)
        left = tl.load(
            queries + at_q[:, None].to(tl.int64) * dim + at_d[None, :],
            mask=(at_q < n_q)[:, None] & (at_d < dim)[None, :],
            other=0.0,
        )
        right = tl.load(
            photos + at_g[None, :].to(tl.int64) * dim + at_d[:, None],
            mask=(at_g < n_g)[None, :] & (at_d < dim)[:, None],
            other=0.0,
        )
        products = tl.dot(left, right, products, input_precision="ieee")
    of_q = at_q < n_q
    of_g = at_g < n_g
    values = products * tl.load(scale + at_g, mask=of_g, other=0.0)[None, :]
    values += (
        tl.load(slope + at_q, mask=of_q, other=0.0)[:, None]
        * tl.load(square + at_g, mask=of_g, other=0.0)[None, :]
    )
    if relative:
        return (_RELATIVE_START - values.to(tl.int32, bitcast=True)) | _RELATIVE_MASK
    rounding = tl.load(magic + at_g, mask=of_g, other=0.0)[None, :]
    values = (values + rounding) - rounding
    bits = values.to(tl.int32, bitcast=True)
    return bits ^ ((bits >> 31) & 0x7FFFFFFF)


@triton.jit
def write_keys(
    queries, photos, scale, slope, square, magic, n_q, n_g, dim, out,
    relative: tl.constexpr, bq: tl.constexpr, bg: tl.constexpr, bd: tl.constexpr,
):  # fmt: skip
    """Write the keys of all pairs into `out` [n_q, n_g], int32."""
    first_q = tl.program_id(0) * bq
    first_g = tl.program_id(1) * bg
    keys = _tile_keys(
        queries, photos, scale, slope, square, magic, n_q, n_g, dim, first_q, first_g,
        relative, bq, bg, bd,
    )  # fmt: skip
    at_q = (first_q + tl.arange(0, bq))[:, None]
    at_g = (first_g + tl.arange(0, bg))[None, :]
    tl.store(out + at_q.to(tl.int64) * n_g + at_g, keys, mask=(at_q < n_q) & (at_g < n_g))


@triton.jit
def count_keys(
    queries, photos, scale, slope, square, magic, n_q, n_g, dim,
    thresholds, owners, begin, end, first_photo, below, equal, before,
    steps: tl.constexpr, ordered: tl.constexpr, relative: tl.constexpr,
    bq: tl.constexpr, bg: tl.constexpr, bd: tl.constexpr,
):  # fmt: skip
    """Count, for each of a query's ascending thresholds, the photos on either side.

    `thresholds` and their photos, `owners`, are flat over queries; those of a query lie between
    `begin` and `end`. `below[t]` counts keys whose first larger threshold is t; `equal[t]` keys
    equal to t, at the last of equal thresholds; `before[t]`, if `ordered`, pairs (key, photo)
    whose first larger (threshold, owner) is t.
    """
    first_q = tl.program_id(1) * bq
    first_g = tl.program_id(0) * bg
    keys = _tile_keys(
        queries, photos, scale, slope, square, magic, n_q, n_g, dim, first_q, first_g,
        relative, bq, bg, bd,
    )  # fmt: skip
    at_q = first_q + tl.arange(0, bq)
    at_g = first_g + tl.arange(0, bg)
    real = (at_q < n_q)[:, None] & (at_g < n_g)[None, :]
    low = tl.load(begin + at_q, mask=at_q < n_q, other=0)[:, None]
    high = tl.load(end + at_q, mask=at_q < n_q, other=0)[:, None]
    photo = (first_photo + at_g)[None, :]
    # The first threshold beyond each key.
    left = tl.zeros((bq, bg), dtype=tl.int64) + low
    right = tl.zeros((bq, bg), dtype=tl.int64) + high
    for _ in range(steps):
        middle = (left + right) // 2
        open_ = real & (left < right)
        beyond = tl.load(thresholds + middle, mask=open_, other=0) > keys
        right = tl.where(open_ & beyond, middle, right)
        left = tl.where(open_ & (beyond == 0), middle + 1, left)
    tl.atomic_add(below + left, 1, mask=real & (left < high))
    tied = real & (left > low)
    tied = tied & (tl.load(thresholds + left - 1, mask=tied, other=0) == keys)
    tl.atomic_add(equal + left - 1, 1, mask=tied)
    if ordered:
        # The first threshold beyond each (key, photo).
        left = tl.zeros((bq, bg), dtype=tl.int64) + low
        right = tl.zeros((bq, bg), dtype=tl.int64) + high
        for _ in range(steps):
            middle = (left + right) // 2
            open_ = real & (left < right)
            key = tl.load(thresholds + middle, mask=open_, other=0)
            owner = tl.load(owners + middle, mask=open_, other=0)
            beyond = (key > keys) | ((key == keys) & (owner > photo))
            right = tl.where(open_ & beyond, middle, right)
            left = tl.where(open_ & (beyond == 0), middle + 1, left)
        tl.atomic_add(before + left, 1, mask=real & (left < high))
