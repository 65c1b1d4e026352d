"""CPU, plain torch and counting engines: one result for any tile, order or number of threads."""

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from naive_metrics import keys_of
from pretended_gpu import pretended_gpu
from sklearn.metrics import precision_recall_curve

from dfbench.evaluation import conventions, evaluate, precision_recall, top_k
from dfbench.evaluation.definitions import metric
from dfbench.evaluation.ranking import devices as engines
from dfbench.evaluation.ranking.cpu_engine import rank_on_cpu
from dfbench.evaluation.ranking.crowding import find_twins
from dfbench.evaluation.ranking.devices import Engine, engine_for
from dfbench.evaluation.ranking.inputs import vectors
from dfbench.evaluation.ranking.task import TILE_BYTES, RankingTask, prepared
from dfbench.evaluation.ranking.torch_engine import rank_in_plain_torch

Side = npt.NDArray[Any]
CPU = torch.device("cpu")
NAMES = (*conventions(20), "prec@500", "map@1:voc")


def with_duplicates(
    similarity: str = "cosine", kind: str = "wide", queries: int = 17
) -> RankingTask:
    """A task with repeated photos, a class without photos and norms of all sizes."""
    rng, dim, classes = np.random.default_rng(5), 24, 7
    drawings = rng.normal(size=(queries, dim)) * rng.uniform(0.1, 10, size=(queries, 1))
    gallery = rng.normal(size=(403, dim)) * rng.uniform(0.1, 10, size=(403, 1))
    if kind == "positive":
        drawings, gallery = np.exp(drawings / 4), np.exp(gallery / 4)
    if kind == "crowded":
        drawings, gallery = drawings + 500, gallery + 500
    gallery[50:90] = gallery[3]
    gallery[200:210] = gallery[190:200]
    labels = rng.integers(classes, size=queries), rng.integers(classes - 1, size=403)
    return prepared(drawings, gallery, *labels, similarity, CPU)


def measured(engine: Engine, task: RankingTask) -> Side:
    """Values of every convention by query index."""
    task = replace(task, reach=task.n_photos)
    wanted = [metric(name) for name in NAMES]
    values = np.full((len(task.relevance.queries), len(wanted)), np.nan)
    for ranked in engine(task):
        values[ranked.rows] = torch.stack([one.compute(ranked) for one in wanted], 1).cpu()
    return values


@pytest.fixture
def counting(monkeypatch: pytest.MonkeyPatch) -> Engine:
    """The counting engine; each row of a gallery of 403 takes two programs of two blocks."""
    pytest.importorskip("triton")
    from dfbench.evaluation.ranking import gpu_engine

    monkeypatch.setattr(gpu_engine, "_COUNTED", 128)
    monkeypatch.setattr(gpu_engine, "_BLOCKS", 2)
    return gpu_engine.rank_by_counting


@pytest.mark.parametrize("kind", ["wide", "positive", "crowded"])
@pytest.mark.parametrize("similarity", ["cosine", "inner", "euclidean"])
def test_every_engine_gives_the_same_metrics(similarity: str, kind: str, counting: Engine) -> None:
    task = with_duplicates(similarity, kind)
    expected = measured(rank_on_cpu, task)
    assert measured(rank_in_plain_torch, task) == pytest.approx(expected, abs=1e-9, nan_ok=True)
    assert measured(counting, task) == pytest.approx(expected, abs=1e-9, nan_ok=True)


def test_blocks_as_a_gpu_counts_them_give_the_same_metrics() -> None:
    pytest.importorskip("triton")
    from dfbench.evaluation.ranking.gpu_engine import rank_by_counting

    task = with_duplicates(queries=5)
    expected = measured(rank_on_cpu, task)
    assert measured(rank_by_counting, task) == pytest.approx(expected, abs=1e-9, nan_ok=True)


@pytest.mark.parametrize("rows", [1, 7, 16])
@pytest.mark.parametrize("name", ["cpu", "plain", "counting"])
def test_tile_size_does_not_change_any_metric(name: str, rows: int, counting: Engine) -> None:
    engine = {"cpu": rank_on_cpu, "plain": rank_in_plain_torch, "counting": counting}[name]
    task = with_duplicates()
    tiled = replace(task, tile_bytes=rows * 403 * 4)
    expected = measured(rank_on_cpu, task)
    assert measured(engine, tiled) == pytest.approx(expected, abs=1e-9, nan_ok=True)


@pytest.mark.parametrize("threads", [1, 2])
def test_one_class_of_almost_the_whole_gallery_is_counted_right(threads: int) -> None:
    rng = np.random.default_rng(11)
    gallery = rng.normal(size=(40_000, 6))
    gallery[100:20_000:7] = gallery[5]
    labels = np.array([0, 1, 0]), (np.arange(40_000) % 9 == 0).astype(int)
    task = prepared(rng.normal(size=(3, 6)), gallery, *labels, "cosine", CPU)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(threads)
        found = measured(rank_on_cpu, task)
    finally:
        torch.set_num_threads(before)
    assert found == pytest.approx(measured(rank_in_plain_torch, task), abs=1e-9)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_gpu_gives_the_metrics_of_the_cpu() -> None:
    rng = np.random.default_rng(0)
    sides = rng.normal(size=(300, 64)), rng.normal(size=(5000, 64))
    labels = rng.integers(9, size=300), rng.integers(9, size=5000)
    cpu = evaluate(*sides, *labels, metrics=NAMES, bootstrap=0)
    gpu = evaluate(*sides, *labels, metrics=NAMES, bootstrap=0, device="cuda")
    for name in NAMES:
        assert gpu.scores[name].value == pytest.approx(cpu.scores[name].value, abs=1e-6)


def test_gpu_without_triton_ranks_without_the_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    sides = rng.normal(size=(30, 8)), rng.normal(size=(400, 8))
    labels = rng.integers(5, size=30), rng.integers(5, size=400)
    cpu = evaluate(*sides, *labels, metrics=NAMES, bootstrap=0)
    monkeypatch.setattr(engines, "find_spec", lambda _: None)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pretended_gpu():
        gpu = evaluate(*sides, *labels, metrics=NAMES, bootstrap=0, device="cuda")
        assert np.array_equal(top_k(*sides, 5, device="cuda"), top_k(*sides, 5))
        curves = [precision_recall(*sides, *labels, device=place) for place in ("cuda", "cpu")]
    assert np.allclose(*(curve.precision for curve in curves))
    for name in NAMES:
        assert gpu.scores[name].value == pytest.approx(cpu.scores[name].value, abs=1e-6)


def test_cpu_is_served_by_the_cpu_engine() -> None:
    assert engine_for(CPU) is rank_on_cpu


def test_order_of_queries_and_of_gallery_does_not_change_the_metrics() -> None:
    rng = np.random.default_rng(9)
    queries, gallery = rng.normal(size=(50, 40)), rng.normal(size=(900, 40))
    gallery[:300] = gallery[300:600]
    query_labels, gallery_labels = rng.integers(6, size=50), rng.integers(6, size=900)
    names = ("map@all", "map@20", "prec@200", "prec@20:min", "acc@1")
    first = evaluate(queries, gallery, query_labels, gallery_labels, metrics=names, bootstrap=0)
    q, g = rng.permutation(50), rng.permutation(900)
    second = evaluate(
        queries[q], gallery[g], query_labels[q], gallery_labels[g], metrics=names, bootstrap=0
    )
    for name in names:
        assert second.scores[name].value == pytest.approx(first.scores[name].value, abs=1e-6)


def test_number_of_threads_does_not_change_a_digit() -> None:
    before = torch.get_num_threads()
    task = with_duplicates()
    try:
        torch.set_num_threads(1)
        single = measured(rank_on_cpu, task)
        torch.set_num_threads(2)
        np.testing.assert_array_equal(measured(rank_on_cpu, task), single)
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("photos", [10_000, 50_000, 200_000])
def test_tile_memory_is_flat_in_the_size_of_the_gallery(photos: int) -> None:
    task = with_duplicates()
    gallery = replace(task.scoring.gallery, source=np.empty((photos, 1), dtype=np.float32))
    scoring = replace(task.scoring, gallery=gallery)
    sized = replace(task, scoring=scoring, rows=torch.arange(100_000))
    held = sized.tile_rows(bytes_per_pair=4) * photos * 4
    assert 0.9 * TILE_BYTES["cpu"] < held <= TILE_BYTES["cpu"]


def test_equal_rows_are_found_and_others_are_not() -> None:
    rng = np.random.default_rng(2)
    gallery = rng.normal(size=(20_000, 40)).astype(np.float32)
    gallery[:, :16] = 0
    gallery[[7, 19_999]] = gallery[5]
    gallery[8, 30] = -0.0
    gallery[9] = gallery[8]
    gallery[9, 30] = 0.0
    twins = find_twins(vectors("gallery", gallery, CPU))
    assert twins.copies.tolist() == [7, 9, 19_999]
    assert twins.originals.tolist() == [5, 8, 5]
    assert find_twins(vectors("gallery", gallery[10:500], CPU)) is None


@pytest.mark.parametrize("similarity", ["cosine", "inner", "euclidean"])
def test_top_k_is_a_stable_sort_by_key(similarity: str) -> None:
    rng = np.random.default_rng(4)
    queries, gallery = rng.normal(size=(9, 12)), rng.normal(size=(80, 12))
    gallery[60:70] = gallery[:10]
    order = np.argsort(-keys_of(queries, gallery, similarity), axis=1, kind="stable")
    for k in (1, 13, 80):
        found = top_k(queries, gallery, k, similarity=similarity)
        assert found.dtype == np.int64
        np.testing.assert_array_equal(found, order[:, :k])


def test_similarities_rank_as_their_definitions_do() -> None:
    rng = np.random.default_rng(6)
    queries, gallery = rng.normal(size=(20, 6)), rng.normal(size=(50, 6)) * 3
    inner = queries @ gallery.T
    cosine = inner / np.linalg.norm(gallery, axis=1)
    distance = np.linalg.norm(queries[:, None] - gallery[None], axis=2)
    for name, score in (("inner", inner), ("cosine", cosine), ("euclidean", -distance)):
        np.testing.assert_array_equal(
            top_k(queries, gallery, 10, similarity=name), np.argsort(-score, axis=1)[:, :10]
        )


def test_euclidean_ranks_a_cluster_far_from_the_origin() -> None:
    rng = np.random.default_rng(8)
    queries, gallery = rng.normal(size=(5, 16)), rng.normal(size=(200, 16))
    near = top_k(queries, gallery, 10, similarity="euclidean")
    far = top_k(queries + 1000, gallery + 1000, 10, similarity="euclidean")
    assert (near == far).mean() > 0.95


def test_precision_recall_curve_is_the_envelope_of_scikit_learns() -> None:
    rng = np.random.default_rng(1)
    queries, gallery = rng.normal(size=(6, 5)), rng.normal(size=(150, 5))
    gallery[:40] = gallery[40:80]
    query_labels, gallery_labels = rng.integers(3, size=6), rng.integers(3, size=150)
    keys = keys_of(queries, gallery)
    curve = precision_recall(queries, gallery, query_labels, gallery_labels, levels=11)
    expected = np.zeros(11)
    for q in range(6):
        precision, recall, _ = precision_recall_curve(gallery_labels == query_labels[q], keys[q])
        precision, recall = precision[:-1], recall[:-1]
        expected += [precision[recall >= level - 1e-12].max() for level in curve.recall]
    assert curve.precision == pytest.approx(expected / 6, abs=1e-9)
    assert curve.recall.tolist() == [i / 10 for i in range(11)]


def test_autocast_and_low_matmul_precision_do_not_reach_the_products() -> None:
    rng = np.random.default_rng(3)
    sides = rng.normal(size=(20, 64)), rng.normal(size=(300, 64))
    labels = rng.integers(3, size=20), rng.integers(3, size=300)
    plain = evaluate(*sides, *labels, bootstrap=0).per_query
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    try:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            guarded = evaluate(*sides, *labels, bootstrap=0).per_query
        assert torch.get_float32_matmul_precision() == "medium"
    finally:
        torch.set_float32_matmul_precision(before)
    for name, values in plain.items():
        np.testing.assert_array_equal(guarded[name], values)
