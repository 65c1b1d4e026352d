"""Classes retrieved for queries of each class, against a loop that sorts."""

from __future__ import annotations

import numpy as np
import pytest

from dfbench.evaluation import top as confusion
from dfbench.evaluation.top import class_shares, retrieve, top_k

CLASSES = 4


def _looped(
    queries: np.ndarray, gallery: np.ndarray, query_labels: np.ndarray, gallery_labels: np.ndarray
) -> np.ndarray:
    shares = np.zeros((CLASSES, CLASSES))
    for query, label in zip(queries, query_labels, strict=True):
        relevant = int((gallery_labels == label).sum())
        best = np.argsort(-(gallery @ query), kind="stable")[:relevant]
        for photo in best:
            shares[label, gallery_labels[photo]] += 1
    totals = shares.sum(axis=1, keepdims=True)
    return np.where(totals > 0, shares / np.maximum(totals, 1), 0)


@pytest.mark.parametrize("seed", range(3))
def test_shares_are_those_of_a_sorting_loop(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(seed)
    queries = rng.normal(size=(30, 8)).astype(np.float32)
    gallery = rng.normal(size=(50, 8)).astype(np.float32)
    query_labels, gallery_labels = rng.integers(0, 3, 30), rng.integers(0, CLASSES, 50)
    given = (queries, gallery, query_labels, gallery_labels)
    expected = _looped(*given)
    whole = class_shares(*given, CLASSES, similarity="inner")
    assert whole == pytest.approx(expected)
    monkeypatch.setattr(confusion, "_RETRIEVED", 64)
    assert class_shares(*given, CLASSES, similarity="inner") == pytest.approx(whole)


def test_a_class_without_photos_has_no_shares() -> None:
    embeddings = np.eye(3, dtype=np.float32)
    labels = np.array([0, 1, 2])
    shares = class_shares(embeddings, embeddings[:2], labels, labels[:2], 3)
    assert shares.tolist() == [[1, 0, 0], [0, 1, 0], [0, 0, 0]]


@pytest.mark.parametrize("k", [1, 10, 50])
def test_one_ranking_gives_the_best_photos_of_all_and_the_shares_of_counted_queries(
    k: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(k)
    queries = rng.normal(size=(30, 8)).astype(np.float32)
    gallery = rng.normal(size=(50, 8)).astype(np.float32)
    query_labels, gallery_labels = rng.integers(0, 3, 30), rng.integers(0, CLASSES, 50)
    counted = rng.random(30) < 0.6
    monkeypatch.setattr(confusion, "_RETRIEVED", 200)
    found = retrieve(queries, gallery, query_labels, gallery_labels, CLASSES, k, counted)
    assert np.array_equal(found.top, top_k(queries, gallery, k))
    few = class_shares(queries[counted], gallery, query_labels[counted], gallery_labels, CLASSES)
    assert np.array_equal(found.shares, few)
