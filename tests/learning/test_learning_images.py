from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from dfbench.learning.batch_norm import StatisticsMatch, moments
from dfbench.learning.batches import crop_and_flip
from dfbench.learning.pool import PairPool, Pairs, to_bytes


def _random(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 1000), st.integers(1, 4), st.sampled_from([5, 8, 16, 33]))
def test_crop_and_flip_keeps_shape_dtype_and_range(seed: int, count: int, size: int) -> None:
    images = torch.rand(count, 3, size, size, generator=_random(seed))
    moved = crop_and_flip(images, _random(seed))
    assert moved.shape == images.shape
    assert moved.dtype == images.dtype
    assert moved.amin() >= images.amin()
    assert moved.amax() <= images.amax()


def test_crop_and_flip_depends_on_its_generator_and_on_nothing_else() -> None:
    images = torch.rand(8, 3, 16, 16, generator=_random(0))
    torch.manual_seed(1)
    one = crop_and_flip(images, _random(3))
    torch.manual_seed(2)
    assert torch.equal(one, crop_and_flip(images, _random(3)))
    assert not torch.equal(one, crop_and_flip(images, _random(4)))


def test_images_too_small_to_shift_stay_or_are_mirrored() -> None:
    images = torch.rand(40, 3, 7, 7, generator=_random(0))
    moved = crop_and_flip(images, _random(1))
    same = [torch.equal(a, b) for a, b in zip(moved, images, strict=True)]
    mirrored = [torch.equal(a, b.flip(2)) for a, b in zip(moved, images, strict=True)]
    assert all(a != b for a, b in zip(same, mirrored, strict=True))
    assert 8 < sum(same) < 32


def test_crop_continues_the_paper_at_the_border() -> None:
    paper = torch.ones(16, 3, 16, 16)
    assert torch.equal(crop_and_flip(paper, _random(0)), paper)


def test_crop_and_flip_lets_gradients_through() -> None:
    images = torch.rand(2, 3, 16, 16).requires_grad_()
    crop_and_flip(images, _random(0)).sum().backward()
    assert images.grad is not None
    assert images.grad.sum() == pytest.approx(images.numel())


def _teacher(mean: float, var: float) -> nn.Sequential:
    layer = nn.BatchNorm2d(3)
    layer.running_mean = torch.full((3,), mean)
    layer.running_var = torch.full((3,), var)
    return nn.Sequential(layer).eval()


def _standardised() -> torch.Tensor:
    images = torch.randn(4, 3, 8, 8, generator=_random(0))
    var, mean = torch.var_mean(images, dim=(0, 2, 3), correction=0, keepdim=True)
    return (images - mean) / var.sqrt()


def test_statistics_that_match_cost_nothing() -> None:
    teacher = _teacher(2.0, 9.0)
    with StatisticsMatch(teacher) as match:
        teacher(3 * _standardised() + 2)
    assert match.loss().item() == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize(("shift", "scale"), [(1.0, 1.0), (0.0, 3.0), (0.0, 0.3)])
def test_statistics_that_differ_in_mean_or_spread_cost(shift: float, scale: float) -> None:
    teacher = _teacher(0.0, 1.0)
    images = (scale * _standardised() + shift).requires_grad_()
    with StatisticsMatch(teacher) as match:
        teacher(images)
    assert match.loss() > 0.1
    match.loss().backward()
    assert images.grad is not None
    assert images.grad.any()


def test_statistics_are_recorded_only_while_open() -> None:
    teacher = _teacher(0.0, 1.0)
    match = StatisticsMatch(teacher)
    with match:
        teacher(_standardised())
    before = match.loss().item()
    teacher(9 + _standardised())
    assert match.loss().item() == before
    with match:
        teacher(9 + _standardised())
    assert match.loss() > before + 1


def _pairs(*values: int) -> Pairs:
    images = (torch.tensor(values).view(-1, 1, 1, 1) / 255).expand(-1, 3, 4, 4)
    return Pairs(images, 1 - images)


def _levels(images: torch.Tensor) -> list[int]:
    return (images[:, 0, 0, 0].float() * 255).round().int().tolist()


def test_pool_grows_to_its_size_and_then_forgets_the_oldest() -> None:
    pool = PairPool(5, 4)
    assert len(pool) == 0
    for start in (1, 3, 5, 7):
        pool.add(_pairs(start, start + 1))
    assert len(pool) == 5
    assert set(pool.photos[:, 0, 0, 0].tolist()) == {4, 5, 6, 7, 8}


def test_pool_gives_back_pairs_that_belong_together() -> None:
    pool = PairPool(6, 4)
    pool.add(_pairs(10, 20, 30, 40))
    pairs = pool.sample(50, _random(0))
    assert len(pairs.photos) == 50
    assert set(_levels(pairs.photos)) == {10, 20, 30, 40}
    assert torch.allclose(pairs.sketches, 1 - pairs.photos, atol=1e-6)


def test_pool_draws_the_same_pairs_from_the_same_generator() -> None:
    pool = PairPool(6, 4)
    pool.add(_pairs(1, 2, 3))
    one, two = pool.sample(9, _random(5)), pool.sample(9, _random(5))
    assert torch.equal(one.photos, two.photos)


def test_pool_shows_its_newest_pairs_in_order_even_after_it_wrapped() -> None:
    pool = PairPool(5, 4)
    assert _levels(pool.newest(3).photos) == []
    pool.add(_pairs(1, 2))
    assert _levels(pool.newest(3).photos) == [1, 2]
    pool.add(_pairs(3, 4, 5))
    pool.add(_pairs(6, 7))
    assert _levels(pool.newest(3).photos) == [5, 6, 7]
    assert _levels(pool.newest(9).photos) == [3, 4, 5, 6, 7]


def test_pool_state_restores_it() -> None:
    pool, other = PairPool(3, 4), PairPool(3, 4)
    pool.add(_pairs(1, 2))
    pool.add(_pairs(3, 4))
    other.load_state_dict(pool.state_dict())
    pool.add(_pairs(5))
    other.add(_pairs(5))
    assert torch.equal(pool.photos, other.photos)
    assert len(other) == 3


def test_bytes_are_the_nearest_levels() -> None:
    images = torch.tensor([-0.1, 0.0, 0.49 / 255, 0.51 / 255, 1.0, 1.2])
    assert to_bytes(images).tolist() == [0, 0, 0, 1, 255, 255]


@pytest.mark.parametrize("layout", [torch.channels_last, torch.contiguous_format])
@pytest.mark.parametrize(
    "shape", [(6, 32, 16, 16), (5, 3, 7, 9), (1, 4, 2, 2), (2, 5, 1, 1), (3, 1, 4, 6)]
)
def test_gradient_of_moments_is_that_of_torch_to_the_last_bit(
    shape: tuple[int, ...], layout: torch.memory_format
) -> None:
    torch.manual_seed(0)
    maps = torch.randn(shape).contiguous(memory_format=layout)
    weights = torch.randn(2, shape[1])
    found = []
    for function in (moments, lambda m: torch.var_mean(m, dim=(0, 2, 3), correction=0)):
        leaf = maps.clone().requires_grad_()
        var, mean = function(leaf)
        (var * weights[0] + mean * weights[1]).sum().backward()
        found.append((var, mean, leaf.grad))
    assert all(torch.equal(ours, theirs) for ours, theirs in zip(*found, strict=True))
