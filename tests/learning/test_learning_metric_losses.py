from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from dfbench.learning.metric_losses import (
    EmbeddingQueue,
    SharedProxies,
    hard_pair_targets,
    info_nce,
    soft_pair_targets,
)

seeds = st.integers(0, 2**31 - 1)


def _random(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@settings(deadline=None, max_examples=30)
@given(seeds, st.integers(1, 6), st.integers(1, 9), st.floats(0.05, 2))
def test_info_nce_equals_a_naive_loop(seed: int, rows: int, keys: int, temperature: float) -> None:
    random = _random(seed)
    e = functional.normalize(torch.randn(rows, 5, generator=random), dim=1)
    k = functional.normalize(torch.randn(keys, 5, generator=random), dim=1)
    targets = torch.rand(rows, keys, generator=random)
    total = 0.0
    for i in range(rows):
        scores = [math.exp(sum((e[i] * k[j]).tolist()) / temperature) for j in range(keys)]
        for j in range(keys):
            total -= targets[i, j].item() * math.log(scores[j] / sum(scores))
    loss = info_nce(e, k, targets, temperature).item()
    assert loss == pytest.approx(total / rows, rel=1e-3, abs=1e-3)


def test_info_nce_with_one_positive_a_row_is_cross_entropy() -> None:
    e = functional.normalize(torch.randn(6, 4, generator=_random(0)), dim=1)
    k = functional.normalize(torch.randn(6, 4, generator=_random(1)), dim=1)
    expected = functional.cross_entropy(e @ k.T / 0.1, torch.arange(6))
    assert info_nce(e, k, torch.eye(6), 0.1).item() == pytest.approx(expected.item(), rel=1e-5)


@settings(deadline=None, max_examples=30)
@given(seeds, st.integers(2, 6))
def test_soft_targets_are_the_share_of_equal_classes_and_rows_sum_to_one(
    seed: int, count: int
) -> None:
    p = torch.randn(4, count, generator=_random(seed)).softmax(dim=1)
    q = torch.randn(7, count, generator=_random(seed + 1)).softmax(dim=1)
    targets = soft_pair_targets(p, q)
    assert targets.shape == (4, 7)
    assert torch.allclose(targets.sum(dim=1), torch.ones(4), atol=1e-5)
    assert torch.allclose(targets * (p @ q.T).sum(dim=1, keepdim=True), p @ q.T, atol=1e-5)


def test_soft_targets_of_classes_the_other_side_does_not_know_are_zero() -> None:
    p, q = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]])
    assert not soft_pair_targets(p, q).any()


def test_hard_targets_share_a_row_among_equal_decisions() -> None:
    p = torch.tensor([[0.6, 0.4], [0.1, 0.9]])
    q = torch.tensor([[0.9, 0.1], [0.7, 0.3], [0.2, 0.8]])
    expected = torch.tensor([[0.5, 0.5, 0.0], [0.0, 0.0, 1.0]])
    assert torch.allclose(hard_pair_targets(p, q), expected, atol=1e-6)


def _rows(*numbers: int) -> torch.Tensor:
    return torch.tensor([[float(n), 0.0] for n in numbers])


def _held(queue: EmbeddingQueue) -> set[int]:
    return {int(v) for v in queue.read()[0][:, 0]}


def test_queue_holds_only_what_was_written() -> None:
    queue = EmbeddingQueue(5, 2, 3)
    assert [len(part) for part in queue.read()] == [0, 0]
    queue.write(_rows(1, 2), torch.ones(2, 3))
    assert [len(part) for part in queue.read()] == [2, 2]


def test_queue_that_wraps_keeps_the_newest() -> None:
    queue = EmbeddingQueue(5, 2, 3)
    for start in range(1, 13, 3):
        queue.write(_rows(start, start + 1, start + 2), torch.full((3, 3), float(start)))
    assert _held(queue) == {8, 9, 10, 11, 12}
    embeddings, posteriors = queue.read()
    assert all(p[0] in (7, 10) for p in posteriors)
    assert len(embeddings) == 5


def test_queue_shorter_than_a_batch_keeps_the_end_of_the_batch() -> None:
    queue = EmbeddingQueue(3, 2, 1)
    queue.write(_rows(*range(8)), torch.ones(8, 1))
    assert _held(queue) == {5, 6, 7}
    queue.write(_rows(8), torch.ones(1, 1))
    assert _held(queue) == {6, 7, 8}


def test_queue_of_size_zero_remembers_nothing() -> None:
    queue = EmbeddingQueue(0, 2, 1)
    queue.write(_rows(1, 2), torch.ones(2, 1))
    assert len(queue.read()[0]) == 0


def test_queue_holds_no_gradient() -> None:
    queue = EmbeddingQueue(4, 2, 1)
    queue.write(_rows(1, 2).requires_grad_(), torch.ones(2, 1))
    assert not queue.read()[0].requires_grad


def test_proxies_score_by_direction_alone() -> None:
    proxies = SharedProxies(3, 4, scale=10.0)
    with torch.no_grad():
        proxies.weight.copy_(5 * torch.eye(3, 4))
    logits = proxies(torch.eye(3, 4))
    assert torch.allclose(logits, 10 * torch.eye(3))
    certain = torch.eye(3)
    assert proxies.loss(torch.eye(3, 4), certain) < proxies.loss(torch.eye(3, 4), certain.roll(1))
