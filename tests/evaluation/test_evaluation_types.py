"""Labels and numbers of every type are scored rightly or refused in one line, never cast."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import dfbench
from dfbench.errors import DfbenchError, InvalidInput
from dfbench.evaluation import evaluate, paired_difference, precision_recall, top_k

RNG = np.random.default_rng(0)
QUERIES = RNG.normal(size=(20, 8)).astype(np.float32)
GALLERY = RNG.normal(size=(200, 8)).astype(np.float32)
CLASSES = np.arange(20) % 5, np.arange(200) % 5
Labels = tuple[Any, Any]


def score(queries: Any, gallery: Any) -> float:
    """map@all of the same embeddings under other labels."""
    found = evaluate(QUERIES, GALLERY, queries, gallery, metrics="map@all", bootstrap=0)
    return found.scores["map@all"].value


def names(numbers: Any) -> list[str]:
    return [f"c{number}" for number in numbers]


SCORED: dict[str, Labels] = {
    "uint8": tuple(side.astype(np.uint8) for side in CLASSES),  # type: ignore[dict-item]
    "uint64 beside int64": (CLASSES[0].astype(np.uint64), CLASSES[1]),
    "int32 tensors": tuple(torch.tensor(side, dtype=torch.int32) for side in CLASSES),  # type: ignore[dict-item]
    "sparse tensor": (torch.tensor(CLASSES[0]).to_sparse(), torch.tensor(CLASSES[1])),
    "lists": (CLASSES[0].tolist(), CLASSES[1].tolist()),
    "tuples of NumPy integers": (tuple(CLASSES[0]), tuple(CLASSES[1])),
    "masked without a mask": (np.ma.array(CLASSES[0]), CLASSES[1]),
    "StringDType": tuple(np.array(names(side), np.dtypes.StringDType()) for side in CLASSES),  # type: ignore[dict-item]
    "strings of objects": tuple(np.array(names(side), object) for side in CLASSES),  # type: ignore[dict-item]
    "strings of any length": (np.array(names(CLASSES[0]), "U40"), np.array(names(CLASSES[1]))),
}


@pytest.mark.parametrize("kind", SCORED)
def test_labels_of_other_types_score_the_same(kind: str) -> None:
    assert score(*SCORED[kind]) == pytest.approx(score(*CLASSES), abs=1e-12)


REFUSED: dict[str, tuple[Any, str]] = {
    "bfloat16": (torch.tensor(CLASSES[0]).bfloat16(), "torch.bfloat16"),
    "floats": (CLASSES[0].astype(float), "float64"),
    "a list of floats": (CLASSES[0].astype(float).tolist(), "float"),
    "truth values": (CLASSES[0] > 2, "bool"),
    "bytes": (np.array(names(CLASSES[0]), "S4"), "S4"),
    "on the device meta": (torch.empty(20, dtype=torch.long, device="meta"), "meta"),
    "numbers and strings": ([1, "1"] * 10, "a mixture of integers and strings"),
    "numbers and truth values": ([1, True] * 10, "a mixture of bool and integers"),
    "strings and none": (["a", None] * 10, "a mixture"),
    "strings and none in an array": (np.array(["a", None] * 10, object), "object"),
    "masked": (np.ma.array(CLASSES[0], mask=CLASSES[0] == 0), "masked in 4 places"),
    "uint64 above int64": (np.full(20, 2**64 - 1, np.uint64), "18446744073709551615"),
    "integers above 64 bits": ([2**70] * 20, "beyond 64 bits"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_labels_that_a_cast_would_change_are_refused(kind: str) -> None:
    labels, told = REFUSED[kind]
    with pytest.raises(InvalidInput, match=told):
        score(labels, CLASSES[1])


def _embeddings(kind: str) -> Any:
    dense = torch.tensor(QUERIES)
    if kind == "sparse":
        return dense.to_sparse()
    if kind == "meta":
        return torch.empty(20, 8, device="meta")
    if kind == "quantised":
        return torch.quantize_per_tensor(dense, 0.1, 0, torch.qint8)
    return np.ma.array(QUERIES, mask=QUERIES > 2)


@pytest.mark.parametrize("kind", ["sparse", "meta", "quantised", "masked"])
@pytest.mark.filterwarnings("ignore:.*[qQ]uantiz")
def test_embeddings_without_plain_values_are_refused(kind: str) -> None:
    with pytest.raises(InvalidInput, match="queries are"):
        top_k(_embeddings(kind), GALLERY, 3)


@pytest.mark.parametrize(
    "options",
    [
        {"metrics": ["prec@99999999999999999999"]},
        {"metrics": [f"map@{'9' * 5000}"]},
        {"metrics": ["df-sbir:99999999999999999999"]},
        {"seed": -1},
        {"seed": 2**63},
        {"seed": 1.5},
        {"seed": True},
        {"bootstrap": -1},
        {"bootstrap": 10**12},
        {"bootstrap": "1000"},
    ],
)
def test_numbers_out_of_bounds_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match="allowed"):
        evaluate(QUERIES, GALLERY, *CLASSES, **options)


def test_numpy_integers_are_numbers_too() -> None:
    few: Any = np.int64(3)
    assert top_k(QUERIES, GALLERY, few).shape == (20, 3)
    evaluate(QUERIES, GALLERY, *CLASSES, seed=few, bootstrap=few)


@pytest.mark.parametrize("k", [0, 201, 10**20, 2.0, True])
def test_k_outside_the_gallery_is_refused(k: Any) -> None:
    with pytest.raises(InvalidInput, match="allowed: an integer from 1 to 200"):
        top_k(QUERIES, GALLERY, k)


@pytest.mark.parametrize("levels", [1, 10**12])
def test_absurd_numbers_of_levels_are_refused(levels: int) -> None:
    with pytest.raises(InvalidInput, match="levels is"):
        precision_recall(QUERIES, GALLERY, *CLASSES, levels=levels)


@pytest.mark.parametrize(
    "options",
    [{"seed": -1}, {"seed": 2**64}, {"threads": 0}, {"threads": 10**9}, {"image_size": 10**9}],
)
def test_run_from_python_refuses_absurd_numbers(options: dict[str, Any]) -> None:
    with pytest.raises(DfbenchError, match=f"{next(iter(options))} is"):
        dfbench.run("classifier-only", "shapes", **options)


def test_one_metric_can_be_given_by_its_name() -> None:
    found = evaluate(QUERIES, GALLERY, *CLASSES, metrics="map@all", bootstrap=0)
    assert list(found.scores) == ["map@all"]


@pytest.mark.parametrize(
    "labels",
    [[[1], [1, 2]] * 10, [None] * 20, [["a"]] * 20, 7, None, ["a\0", "a"] * 10, [1.0] * 20],
    ids=["ragged", "missing", "nested", "one number", "none", "names with NUL", "floats"],
)
def test_lists_that_are_no_labels_are_refused(labels: Any) -> None:
    with pytest.raises(InvalidInput, match="query label"):
        score(labels, CLASSES[1])


@pytest.mark.parametrize("similarity", ["cosine", "inner", "euclidean"])
def test_unsigned_embeddings_beyond_int64_are_not_wrapped(similarity: str) -> None:
    sides = [np.abs(side * 1e18).astype(np.uint64) for side in (QUERIES, GALLERY)]
    sides[1][:, 0] += np.uint64(2**63)
    found, expected = (
        evaluate(*given, *CLASSES, similarity=similarity, metrics="map@all", bootstrap=0)
        for given in (sides, [side.astype(np.float64) for side in sides])
    )
    assert found.scores == expected.scores


@pytest.mark.parametrize(
    "given",
    [
        {"metrics": ["df-sbir:\u00b2"]},
        {"metrics": ["prec@\u0663"]},
        {"metrics": [1]},
        {"metrics": [None]},
        {"similarity": ["cosine"]},
        {"similarity": None},
        {"device": "cuda:\u00b2"},
    ],
)
def test_names_of_other_digits_and_types_are_refused(given: dict[str, Any]) -> None:
    with pytest.raises(DfbenchError, match="allowed: "):
        evaluate(QUERIES, GALLERY, *CLASSES, bootstrap=0, **given)


@pytest.mark.parametrize(
    "given", [{"resamples": 0}, {"resamples": 10**20}, {"resamples": 1.5}, {"seed": -1}]
)
def test_bootstrap_of_a_difference_refuses_impossible_numbers(given: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match="allowed: an integer from"):
        paired_difference([QUERIES[:, 0]], [QUERIES[:, 1]], **given)


@pytest.mark.parametrize("timeout", [float("nan"), float("inf"), 0, -1, 10**20, "0m"])
def test_time_limits_that_nothing_can_wait_for_are_refused(timeout: Any) -> None:
    with pytest.raises(InvalidInput, match="timeout is"):
        dfbench.run("classifier-only", "shapes", timeout=timeout)
