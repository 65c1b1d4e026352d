"""The Triton kernels of the engine on a GPU: products to keys, and the count of keys.

Both run over a grid (blocks of photos, queries) and take matrices [queries, photos], row by row.
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
def write_keys(
    products,
    scale,
    slope,
    square,
    magic,
    out,
    n_photos,
    relative: tl.constexpr,
    block: tl.constexpr,
):
    """Write the keys of products: integers in the order of the rounded values.

    The factors are those of `dfbench.evaluation.ranking.similarity`; `out` may be the memory of
    `products`.
    """
    query = tl.program_id(1).to(tl.int64)
    photo = tl.program_id(0) * block + tl.arange(0, block)
    real = photo < n_photos
    values = tl.load(products + query * n_photos + photo, mask=real, other=0.0)
    values *= tl.load(scale + photo, mask=real, other=0.0)
    values += tl.load(slope + query) * tl.load(square + photo, mask=real, other=0.0)
    if relative:
        keys = (_RELATIVE_START - values.to(tl.int32, bitcast=True)) | _RELATIVE_MASK
    else:
        rounding = tl.load(magic + photo, mask=real, other=0.0)
        bits = ((values + rounding) - rounding).to(tl.int32, bitcast=True)
        keys = bits ^ ((bits >> 31) & 0x7FFFFFFF)
    tl.store(out + query * n_photos + photo, keys, mask=real)


@triton.jit
def _count_at_most(trees, first, values, levels: tl.constexpr):
    """Number of entries of a search tree that are at most each value, and the largest of them."""
    node = values.to(tl.int32) * 0 + 1
    largest = values - 1
    for _ in range(levels):
        entry = tl.load(trees + first + node)
        right = entry <= values
        largest = tl.where(right, entry, largest)
        node = 2 * node + right.to(tl.int32)
    return node - (1 << levels), largest


@triton.jit
def _add_counts(counters, counts, high, levels: tl.constexpr):
    """Add the counts of a block to the counters of its query."""
    place = tl.arange(0, 1 << levels)
    tl.atomic_add(counters + place, counts, mask=(place < high) & (counts > 0), sem="relaxed")


@triton.jit
def count_keys(
    keys, trees, pair_trees, relevant, below, equal, before, n_photos, most,
    levels: tl.constexpr, photo_bits: tl.constexpr, ordered: tl.constexpr, on_chip: tl.constexpr,
    block: tl.constexpr, blocks: tl.constexpr,
):  # fmt: skip
    """Count, for each of a query's ascending thresholds, the photos on either side.

    `trees` [queries, 2^levels] are the thresholds as search trees, and `pair_trees` those packed
    with their photos; `relevant` is the number of thresholds of each query. The counters are
    matrices [queries, most]: `below[t]` counts keys whose first larger threshold is t; `equal[t]`
    keys equal to t, at the last of equal thresholds; `before[t]`, if `ordered`, pairs (key, photo)
    whose first larger pair is t. A program counts `blocks * block` photos of a query, if `on_chip`
    in a histogram that it adds to the counters at its end.
    """
    query = tl.program_id(1).to(tl.int64)
    high = tl.load(relevant + query).to(tl.int32)
    row = query * most
    first = query << levels
    if on_chip:
        counts = tl.zeros((1 << levels,), dtype=tl.int32)
        pair_counts = tl.zeros((1 << levels,), dtype=tl.int32)
    for number in range(blocks):
        photo = (tl.program_id(0) * blocks + number) * block + tl.arange(0, block)
        real = photo < n_photos
        key = tl.load(keys + query * n_photos + photo, mask=real, other=0)
        place, largest = _count_at_most(trees, first, key, levels)
        tl.atomic_add(equal + row + place - 1, 1, mask=real & (largest == key), sem="relaxed")
        place = tl.where(real, place, high)
        if on_chip:
            counts += tl.histogram(place, 1 << levels)
        else:
            tl.atomic_add(below + row + place, 1, mask=place < high, sem="relaxed")
        if ordered:
            pair = ((key.to(tl.int64) + (1 << 31)) << photo_bits) + photo
            place, _ = _count_at_most(pair_trees, first, pair, levels)
            place = tl.where(real, place, high)
            if on_chip:
                pair_counts += tl.histogram(place, 1 << levels)
            else:
                tl.atomic_add(before + row + place, 1, mask=place < high, sem="relaxed")
    if on_chip:
        _add_counts(below + row, counts, high, levels)
        if ordered:
            _add_counts(before + row, pair_counts, high, levels)
