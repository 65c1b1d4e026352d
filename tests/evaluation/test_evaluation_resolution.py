"""Rankings follow the embeddings down to what float32 decides, and say where it decides no more."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from naive_metrics import keys_of

from dfbench.evaluation import Evaluation, evaluate, top_k
from dfbench.evaluation.report import as_document, tie_lines

Side = npt.NDArray[Any]
Pair = tuple[Side, Side]
SIMILARITIES = ("cosine", "inner", "euclidean")
QL, GL = np.arange(20) % 5, np.arange(200) % 5


def classes(rng: np.random.Generator, dim: int = 8) -> Pair:
    """Gaussian classes of 20 queries and 200 photos, labelled `QL` and `GL`."""
    centres = rng.normal(size=(5, dim))
    return centres[QL] + rng.normal(size=(20, dim)), centres[GL] + rng.normal(size=(200, dim))


def scored(sides: Pair, similarity: str, **options: Any) -> Evaluation:
    return evaluate(
        *sides, QL, GL, similarity=similarity, metrics=["map@all"], bootstrap=0, **options
    )


def expected_map(sides: Pair, similarity: str, digits: int | None = None) -> float:
    """map@all in float64, ties of similarities (to so many digits) at their expectation."""
    q, g = (side.astype(np.float64) for side in sides)
    if similarity == "cosine":
        q, g = (side / np.linalg.norm(side, axis=1, keepdims=True) for side in (q, g))
    if similarity == "euclidean":
        scores = -((q[:, None] - g[None]) ** 2).sum(2)
    else:
        scores = (q[:, None] * g[None]).sum(2)
    if digits is not None:
        scores = scores.round(digits)
    rows = zip(scores, QL, strict=True)
    return float(np.mean([expected_precision(row, label == GL) for row, label in rows]))


def expected_precision(scores: Side, relevant: npt.NDArray[np.bool_]) -> float:
    """Average precision over all orders of the tied, position by position."""
    _, group, sizes = np.unique(-scores, return_inverse=True, return_counts=True)
    hits = np.bincount(group, weights=relevant)
    total, n, p = 0.0, 0, 0
    for g, r in zip(sizes.tolist(), hits.tolist(), strict=True):
        for j in range(1, g + 1) if r else ():
            others = (j - 1) * (r - 1) / (g - 1) if g > 1 else 0.0
            total += r / g * (p + 1 + others) / (n + j)
        n, p = n + g, p + r
    return total / int(relevant.sum())


def plain(rng: np.random.Generator, _: float) -> Pair:
    return classes(rng)


def outlier(rng: np.random.Generator, size: float) -> Pair:
    q, g = classes(rng)
    g[rng.integers(200)] *= 10 ** (14 * size)
    return q, g


def outlying_query(rng: np.random.Generator, size: float) -> Pair:
    q, g = classes(rng)
    q[3] *= 10 ** (7 * size)
    return q, g


def log_normal(rng: np.random.Generator, size: float) -> Pair:
    q, g = classes(rng)
    return q, g * np.exp(4 * size * rng.normal(size=(200, 1)))


def crowded(rng: np.random.Generator, size: float) -> Pair:
    q, g = classes(rng)
    shift = 10 ** (3 * size) * rng.normal(size=8)
    return q + shift, g + shift


def crowded_with_an_outlier(rng: np.random.Generator, size: float) -> Pair:
    q, g = crowded(rng, size)
    g[7] = 1e5
    return q, g


def crowd_apart_from_queries(rng: np.random.Generator, size: float) -> Pair:
    q, g = classes(rng)
    return q, g + 10 ** (2 * size) * rng.normal(size=8)


def tiny(rng: np.random.Generator, size: float) -> Pair:
    q, g = classes(rng)
    return q * 10 ** (-30 * size), g * 10 ** (-30 * size)


def huge(rng: np.random.Generator, size: float) -> Pair:
    q, g = classes(rng)
    return q * 10 ** (30 * size), g * 10 ** (30 * size)


def posterior(rng: np.random.Generator, size: float) -> Pair:
    """Of confident classifiers: most products are tiny, and at size 1 many photos nearly equal."""
    q, g = (np.exp(side * 10 * size) for side in classes(rng))
    return q / q.sum(1, keepdims=True), g / g.sum(1, keepdims=True)


REGIMES = (
    plain,
    outlier,
    outlying_query,
    log_normal,
    crowded,
    crowded_with_an_outlier,
    crowd_apart_from_queries,
    tiny,
    huge,
    posterior,
)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), size=st.floats(0, 1))
@pytest.mark.parametrize("similarity", SIMILARITIES)
@pytest.mark.parametrize("made", REGIMES)
def test_float32_embeddings_score_as_in_float64(
    made: Callable[[np.random.Generator, float], Pair], similarity: str, seed: int, size: float
) -> None:
    q, g = (side.astype(np.float32) for side in made(np.random.default_rng(seed), size))
    result = scored((q, g), similarity)
    expected = expected_map((q, g), similarity)
    # At rank k a tied photo moves the precision by 1/k, so a tied pair near the top weighs several
    # times its share: 4.5 times in the worst of 500 random examples.
    allowed = 2e-3 + 8 * result.tied_share
    assert result.scores["map@all"].value == pytest.approx(expected, abs=allowed)
    if made is not posterior:
        assert result.tied_share < 0.02


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), size=st.floats(0, 1))
@pytest.mark.parametrize("similarity", SIMILARITIES)
@pytest.mark.parametrize("dtype", [np.float16, "bfloat16", np.float64])
def test_other_precisions_score_as_their_values_in_float64(
    dtype: Any, similarity: str, seed: int, size: float
) -> None:
    sides: Any = crowded(np.random.default_rng(seed), size / 3)
    if dtype == "bfloat16":
        sides = tuple(torch.tensor(side).bfloat16() for side in sides)
        values = tuple(side.double().numpy() for side in sides)
    else:
        sides = values = tuple(side.astype(dtype) for side in sides)
    result = scored(sides, similarity)
    allowed = 2e-3 + result.tied_share
    # Half precision makes exact ties, which float64 may break by its last bits.
    expected = expected_map(values, similarity, digits=11)
    assert result.scores["map@all"].value == pytest.approx(expected, abs=allowed)


def binary(rng: np.random.Generator) -> Pair:
    q, g = classes(rng, dim=16)
    return (q > 0).astype(np.float32) * 2 - 1, (g > 0).astype(np.float32) * 2 - 1


def counts(rng: np.random.Generator) -> Pair:
    q, g = (np.abs(side * 3).astype(np.int16) for side in classes(rng))
    return q + 1, g + 1


def one_hot(rng: np.random.Generator) -> Pair:
    q, g = (np.eye(8, dtype=np.float32)[side.argmax(1)] for side in classes(rng))
    return q, g


def crowded_integers(rng: np.random.Generator) -> Pair:
    q, g = counts(rng)
    return q.astype(np.int32) + 1000, g.astype(np.int32) + 1000


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
@pytest.mark.parametrize("similarity", ["inner", "euclidean"])
@pytest.mark.parametrize("made", [binary, counts, one_hot, crowded_integers])
def test_equal_similarities_of_whole_numbers_tie_exactly(
    made: Callable[[np.random.Generator], Pair], similarity: str, seed: int
) -> None:
    sides = made(np.random.default_rng(seed))
    expected = expected_map(sides, similarity)
    assert scored(sides, similarity).scores["map@all"].value == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("made", [binary, one_hot])
def test_codes_of_one_length_tie_exactly_under_cosine(
    made: Callable[[np.random.Generator], Pair],
) -> None:
    for seed in range(20):
        sides = made(np.random.default_rng(seed))
        expected = expected_map(sides, "cosine", digits=9)
        found = scored(sides, "cosine").scores["map@all"].value
        assert found == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("scale", [2.0**-90, 2.0**-60, 2.0**40, 2.0**90])
@pytest.mark.parametrize("similarity", SIMILARITIES)
def test_scaling_by_a_power_of_two_changes_no_digit(similarity: str, scale: float) -> None:
    sides = tuple(side.astype(np.float32) for side in classes(np.random.default_rng(3)))
    scaled = tuple(side * np.float32(scale) for side in sides)
    expected = scored((sides[0], sides[1]), similarity).scores["map@all"].value
    found = scored((scaled[0], scaled[1]), similarity).scores["map@all"].value
    assert found == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("made", [crowded, outlier, log_normal, tiny, huge, posterior])
@pytest.mark.parametrize("similarity", SIMILARITIES)
def test_equal_photos_have_equal_keys(
    made: Callable[[np.random.Generator, float], Pair], similarity: str
) -> None:
    q, g = (side.astype(np.float32) for side in made(np.random.default_rng(1), 0.9))
    g[150:] = g[:50]
    keys = keys_of(q, g, similarity)
    np.testing.assert_array_equal(keys[:, 150:], keys[:, :50])


@pytest.mark.parametrize("similarity", SIMILARITIES)
def test_photos_that_differ_by_their_last_bits_alone_score_a_random_order(similarity: str) -> None:
    rng = np.random.default_rng(0)
    row = rng.normal(size=64).astype(np.float32)
    g = np.where(rng.random((200, 64)) < 0.5, row, np.nextafter(row, np.float32(9)))
    # Labels follow the last bits, as those of a batch do that was computed on its own.
    g[GL == 0] = row
    q = rng.normal(size=(20, 64)).astype(np.float32)
    result = scored((q, g), similarity)
    same = scored((q, np.tile(row, (200, 1))), similarity)
    # A query's similarity may lie between two steps.
    expected = same.scores["map@all"].value
    assert result.scores["map@all"].value == pytest.approx(expected, abs=3e-3)
    assert result.tied_share > 0.9
    assert same.tied_share == 0


def test_share_of_tied_pairs_counts_positives_with_negatives_of_another_embedding() -> None:
    g = np.array([[1, 0], [0, 1], [1, 0], [0, -1], [-1, 0.0]])
    result = evaluate(
        np.array([[1.0, 0]]), g, [0], [0, 0, 1, 1, 1], metrics=["map@all"], bootstrap=0
    )
    # Of 2 x 3 pairs, photo 0 ties with its copy 2, and photo 1 with photo 3.
    assert result.tied_share == pytest.approx(1 / 6)


def test_tied_pairs_are_mentioned_where_they_matter() -> None:
    q, g = classes(np.random.default_rng(0))
    result = scored((q, g), "cosine")
    assert not list(tie_lines(result))
    assert as_document(result)["tied_share"] == result.tied_share < 1e-3
    silent = scored((np.zeros_like(q), g), "inner")
    assert silent.tied_share == 1
    (line,) = tie_lines(silent)
    assert line.startswith("100.00% of (positive, negative) pairs tie though their embeddings")


@pytest.mark.parametrize("similarity", ["inner", "euclidean"])
def test_top_k_does_not_suffer_from_one_long_photo(similarity: str) -> None:
    q, g = (side.astype(np.float32) for side in classes(np.random.default_rng(2)))
    alone = top_k(q, g, 50, similarity=similarity)
    long = np.concatenate([g, 1e6 * np.abs(g[:1]).max() * np.ones((1, 8), np.float32)])
    found = top_k(q, long, 51, similarity=similarity)
    for before, after in zip(alone, found, strict=True):
        np.testing.assert_array_equal(before, after[after < 200][:50])
