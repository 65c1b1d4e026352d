"""Generated pairs on disk: what one row leaves for others."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from dfbench.artefacts import Artefacts
from dfbench.errors import InvalidInput
from dfbench.learning.pool import PairPool, Pairs


def _unit(count: int, channels: int) -> Tensor:
    generator = torch.Generator().manual_seed(channels)
    levels = torch.randint(0, 256, (count, channels, 4, 4), generator=generator)
    return (levels / 255).expand(-1, 3, -1, -1)


def test_saved_pool_gives_the_same_pairs(tmp_path: Path) -> None:
    pool = PairPool(5, 4)
    pool.add(Pairs(_unit(7, 3), _unit(7, 1)))
    again = PairPool.load(Artefacts(tmp_path).save_pairs(*pool.stored()))
    assert len(again) == 5
    one, other = (p.sample(6, torch.Generator().manual_seed(0)) for p in (pool, again))
    assert torch.equal(one.photos, other.photos)
    assert torch.equal(one.sketches, other.sketches)
    assert one.sketches.shape == (6, 3, 4, 4)


def test_pool_that_is_not_full_stores_only_what_was_added(tmp_path: Path) -> None:
    pool = PairPool(9, 4)
    pool.add(Pairs(_unit(2, 3), _unit(2, 1)))
    photos, _ = PairPool.load(Artefacts(tmp_path).save_pairs(*pool.stored())).stored()
    assert len(photos) == 2


def test_sketches_of_equal_channels_are_stored_as_one(tmp_path: Path) -> None:
    pool = PairPool(2, 4)
    pool.add(Pairs(_unit(2, 3), _unit(2, 1)))
    photos, sketches = PairPool.load(Artefacts(tmp_path).save_pairs(*pool.stored())).stored()
    assert photos.shape == (2, 3, 4, 4)
    assert sketches.shape == (2, 1, 4, 4)


@pytest.mark.parametrize(
    ("photos", "sketches"),
    [
        (torch.zeros(2, 3, 4, 4), torch.zeros(2, 3, 4, 4)),
        (torch.zeros(2, 3, 4, 4).byte(), torch.zeros(3, 3, 4, 4).byte()),
        (torch.zeros(0, 3, 4, 4).byte(), torch.zeros(0, 3, 4, 4).byte()),
        (torch.zeros(3, 4, 4).byte(), torch.zeros(3, 4, 4).byte()),
    ],
)
def test_what_is_no_pairs_is_refused_with_its_shape(
    photos: Tensor, sketches: Tensor, tmp_path: Path
) -> None:
    with pytest.raises(InvalidInput, match=r"save_pairs\(\) of .*; allowed: "):
        Artefacts(tmp_path).save_pairs(photos, sketches)
    assert list(tmp_path.iterdir()) == []
