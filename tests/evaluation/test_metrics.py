"""Every convention against naive loops, public references and exact enumeration."""

from typing import Any

import numpy as np
import pytest
import pytrec_eval
import torch
import torchmetrics.functional.retrieval as torchmetrics
from hypothesis import given, settings
from hypothesis import strategies as st
from naive_metrics import expected_value, keys_of, ranked_relevance, value
from sklearn.metrics import average_precision_score, ndcg_score

from dfbench.evaluation import conventions, evaluate
from dfbench.evaluation.definitions import EXPECTED, metric

SIMILARITIES = ("cosine", "inner", "euclidean")


def from_relevance(rel: list[int]) -> tuple[Any, ...]:
    """Embeddings in the plane whose cosine ranking has this relevance."""
    angles = np.linspace(0, 1, len(rel))
    gallery = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    return np.array([[1.0, 0.0]]), gallery, np.array([1]), np.array(rel)


def random_sides(
    rng: np.random.Generator, queries: int, photos: int, classes: int, dim: int = 8
) -> tuple[Any, ...]:
    return (
        rng.normal(size=(queries, dim)).astype(np.float32),
        rng.normal(size=(photos, dim)).astype(np.float32),
        rng.integers(classes, size=queries),
        rng.integers(classes, size=photos),
    )


@pytest.mark.parametrize(
    ("name", "printed"),
    [
        ("map@all", "0.5417"),
        ("map@all:voc", "0.5833"),
        ("map@5:hits", "0.5889"),
        ("map@5", "0.4417"),
        ("map@5:voc", "0.4833"),
        ("map@5:k", "0.3533"),
        ("df-sbir:2", "0.5833"),
        ("df-sbir@5:2", "0.5833"),
        ("prec@5", "0.6000"),
        ("prec@5:min", "0.5000"),
        ("prec@5:min-divisor", "0.7500"),
        ("prec@5:element", "0.0000"),
        ("acc@1", "0.0000"),
        ("acc@2", "1.0000"),
        ("recall@5", "0.7500"),
        ("ndcg@5", "0.5925"),
    ],
)
def test_worked_example_is_reproduced_to_the_printed_digits(name: str, printed: str) -> None:
    sides = from_relevance([0, 1, 1, 0, 1, 0, 0, 0, 0, 1])
    scores = evaluate(*sides, metrics=(name,), bootstrap=0).scores
    assert f"{scores[name].value:.4f}" == printed


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    photos=st.integers(1, 400),
    classes=st.integers(1, 50),
    k=st.sampled_from([1, 3, 20, 500]),
    similarity=st.sampled_from(SIMILARITIES),
)
def test_every_convention_agrees_with_a_naive_loop(
    seed: int, photos: int, classes: int, k: int, similarity: str
) -> None:
    rng = np.random.default_rng(seed)
    queries, gallery, query_labels, gallery_labels = random_sides(rng, 4, photos, classes)
    query_labels[0] = gallery_labels[0]
    keys = keys_of(queries, gallery, similarity)
    names = conventions(k)
    result = evaluate(
        queries,
        gallery,
        query_labels,
        gallery_labels,
        similarity=similarity,
        metrics=names,
        bootstrap=0,
    )
    for q in range(4):
        relevant = gallery_labels == query_labels[q]
        if not relevant.any():
            assert all(np.isnan(result.per_query[name][q]) for name in names)
            continue
        rel = ranked_relevance(keys[q], relevant)
        tied = len(set(keys[q].tolist())) < photos
        for name in names:
            if tied and metric(name).definition.ties == EXPECTED:
                continue
            expected = value(name, rel, int(relevant.sum()))
            assert result.per_query[name][q] == pytest.approx(expected, abs=1e-9), name
        if not tied:
            reference = average_precision_score(relevant, keys[q])
            assert result.per_query["map@all"][q] == pytest.approx(reference, abs=1e-9)


def test_map_and_precision_agree_with_trec_eval() -> None:
    rng = np.random.default_rng(7)
    sides = random_sides(rng, 30, 300, 6)
    keys = keys_of(*sides[:2])
    result = evaluate(*sides, metrics=("map@all", "prec@5", "prec@100"), bootstrap=0)
    qrel, run = {}, {}
    for q, label in enumerate(sides[2]):
        qrel[str(q)] = {str(g): int(sides[3][g] == label) for g in range(300)}
        # A strict order: distinct scores even where keys tie is trec_eval's need, not ours.
        run[str(q)] = {str(g): float(keys[q, g]) for g in range(300)}
    scored = pytrec_eval.RelevanceEvaluator(qrel, {"map", "P"}).evaluate(run)
    untied = [q for q in range(30) if len(set(keys[q].tolist())) == 300]
    assert len(untied) > 20
    for q in untied:
        for ours, theirs in (("map@all", "map"), ("prec@5", "P_5"), ("prec@100", "P_100")):
            assert result.per_query[ours][q] == pytest.approx(scored[str(q)][theirs], abs=1e-6)


def test_cut_at_hits_is_what_torchmetrics_calls_average_precision_at_k() -> None:
    rng = np.random.default_rng(3)
    sides = random_sides(rng, 20, 200, 4)
    keys = keys_of(*sides[:2])
    result = evaluate(*sides, metrics=("map@10:hits", "prec@10"), bootstrap=0)
    for q in range(20):
        # torchmetrics drops positives with scores <= 0, so the keys are shifted above 0.
        scores = torch.tensor(keys[q] - keys[q].min() + 1, dtype=torch.float64)
        target = torch.tensor(sides[3] == sides[2][q])
        theirs = torchmetrics.retrieval_average_precision(scores, target, top_k=10)
        assert result.per_query["map@10:hits"][q] == pytest.approx(float(theirs), abs=1e-6)
        theirs = torchmetrics.retrieval_precision(scores, target, top_k=10)
        assert result.per_query["prec@10"][q] == pytest.approx(float(theirs), abs=1e-6)


def test_recall_and_hit_rate_agree_with_torchmetrics() -> None:
    rng = np.random.default_rng(4)
    sides = random_sides(rng, 20, 200, 40)
    keys = keys_of(*sides[:2])
    result = evaluate(*sides, metrics=("recall@10", "acc@10"), bootstrap=0)
    scored = [q for q in range(20) if (sides[3] == sides[2][q]).any()]
    assert len(scored) > 15
    for q in scored:
        scores = torch.tensor(keys[q] - keys[q].min() + 1, dtype=torch.float64)
        target = torch.tensor(sides[3] == sides[2][q])
        theirs = torchmetrics.retrieval_recall(scores, target, top_k=10)
        assert result.per_query["recall@10"][q] == pytest.approx(float(theirs), abs=1e-6)
        theirs = torchmetrics.retrieval_hit_rate(scores, target, top_k=10)
        assert result.per_query["acc@10"][q] == pytest.approx(float(theirs), abs=1e-6)


@pytest.mark.parametrize("k", [1, 7, 60, 500])
@pytest.mark.parametrize("distinct", [3, 60])
def test_discounted_gain_agrees_with_scikit_learn_also_where_photos_tie(
    k: int, distinct: int
) -> None:
    rng = np.random.default_rng(k)
    steps = rng.integers(distinct, size=60) if distinct < 60 else rng.permutation(60)
    labels = rng.integers(3, size=60)
    gallery = np.stack([np.cos(steps / 60), np.sin(steps / 60)], axis=1)
    result = evaluate(np.array([[1.0, 0.0]]), gallery, [1], labels, metrics=f"ndcg@{k}")
    reference = ndcg_score([labels == 1], [-steps], k=k)
    assert result.scores[f"ndcg@{k}"].value == pytest.approx(reference, abs=1e-12)


def test_collapsed_encoder_hits_as_often_as_a_random_draw() -> None:
    photos, positives, k = 20_000, 30, 500
    labels = (np.arange(photos) < positives).astype(int)
    result = evaluate(np.ones((1, 4)), np.ones((photos, 4)), [1], labels, metrics=f"acc@{k}")
    miss = np.prod([1 - k / (photos - i) for i in range(positives)])
    assert result.scores[f"acc@{k}"].value == pytest.approx(1 - miss, abs=1e-9)


@settings(max_examples=40, deadline=None)
@given(
    photos=st.lists(st.tuples(st.integers(0, 3), st.booleans()), min_size=2, max_size=7).filter(
        lambda photos: any(positive for _, positive in photos)
    ),
    k=st.integers(1, 9),
)
def test_ties_score_the_mean_over_every_order_of_the_tied(
    photos: list[tuple[int, bool]], k: int
) -> None:
    steps = np.array([step for step, _ in photos])
    relevant = np.array([positive for _, positive in photos])
    gallery = np.stack([np.cos(steps / 3), np.sin(steps / 3)], axis=1)
    names = [name for name in conventions(k) if metric(name).definition.ties == EXPECTED]
    result = evaluate(
        np.array([[1.0, 0.0]]), gallery, [1], relevant.astype(int), metrics=names, bootstrap=0
    )
    for name in names:
        expected = expected_value(name, -steps, relevant)
        assert result.per_query[name][0] == pytest.approx(expected, abs=1e-12), name


@settings(max_examples=40, deadline=None)
@given(
    steps=st.lists(st.integers(0, 3), min_size=3, max_size=60),
    seed=st.integers(0, 2**32 - 1),
    k=st.integers(1, 70),
)
def test_ordered_variants_keep_the_gallery_order_of_tied_photos(
    steps: list[int], seed: int, k: int
) -> None:
    relevant = np.random.default_rng(seed).integers(2, size=len(steps)).astype(bool)
    relevant[seed % len(steps)] = True
    angles = np.array(steps) / 3
    gallery = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    names = [name for name in conventions(k) if metric(name).definition.ties != EXPECTED]
    names += [f"df-sbir@{k}:2"]
    result = evaluate(
        np.array([[1.0, 0.0]]), gallery, [1], relevant.astype(int), metrics=names, bootstrap=0
    )
    rel = ranked_relevance(-np.array(steps), relevant)
    for name in names:
        expected = value(name, rel, int(relevant.sum()))
        assert result.per_query[name][0] == pytest.approx(expected, abs=1e-12), name


@pytest.mark.parametrize("similarity", SIMILARITIES)
@pytest.mark.parametrize("order", ["relevant first", "relevant last", "shuffled"])
def test_collapsed_encoder_scores_a_random_order_whatever_the_gallery_order(
    similarity: str, order: str
) -> None:
    photos, positives = 1000, 100
    labels = np.r_[np.ones(positives), np.zeros(photos - positives)].astype(int)
    if order == "relevant last":
        labels = labels[::-1].copy()
    if order == "shuffled":
        labels = np.random.default_rng(0).permutation(labels)
    rng = np.random.default_rng(1)
    queries = rng.normal(size=(40, 33))
    gallery = np.tile(rng.normal(size=33), (photos, 1))
    result = evaluate(
        queries, gallery, np.ones(40, dtype=int), labels, similarity=similarity, bootstrap=0
    )
    a = (positives - 1) / (photos - 1)
    harmonic = sum(1 / i for i in range(1, photos + 1))
    chance = a + harmonic / photos * (1 - a)
    assert result.per_query["map@all"] == pytest.approx(np.full(40, chance), abs=1e-12)
    assert result.scores["prec@200"].value == pytest.approx(positives / photos, abs=1e-12)
    assert result.scores["acc@1"].value == pytest.approx(positives / photos, abs=1e-12)


def test_ten_tied_photos_with_two_positives_score_371_thousandths() -> None:
    ones = np.ones((10, 4))
    result = evaluate(ones[:1], ones, [1], [1, 1] + [0] * 8, metrics=("map@all",), bootstrap=0)
    assert f"{result.scores['map@all'].value:.3f}" == "0.371"
