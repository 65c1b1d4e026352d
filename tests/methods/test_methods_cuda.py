"""Fits on a real GPU: every method ends, and its encoders see what the CPU's see."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from rows import ROWS, quick, supplies, supplies_on
from torch import Tensor
from toy import toy_images, toy_setting

from dfbench.numerics import pin_numerics

pytestmark = [
    pytest.mark.cuda,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU"),
]
UNSTEADY = {"crossx[released]"}
"""Its game has no bounds: a rounding error grows from step to step."""


def _photo_embeddings(row: str, place: Path, device: torch.device) -> Tensor:
    pin_numerics(threads=1, seed=0)
    given = supplies() if device.type == "cpu" else supplies_on(device)
    setting = toy_setting(place, given, steps=4, batch_size=8, device=device)
    encoders = quick(row).fit(setting)
    images, _ = toy_images("photo", 24, seed=5)
    with torch.no_grad():
        embeddings: Tensor = encoders.photo.eval()(images.to(device).float() / 255).cpu()
    return torch.nn.functional.normalize(embeddings, dim=1)


@pytest.mark.parametrize("row", ROWS)
def test_method_ends_on_a_gpu_as_on_the_cpu(row: str, tmp_path: Path) -> None:
    there = _photo_embeddings(row, tmp_path / "there", torch.device("cuda", 0))
    assert there.isfinite().all()
    if row not in UNSTEADY:
        here = _photo_embeddings(row, tmp_path / "here", torch.device("cpu"))
        assert (here * there).sum(dim=1).min() > 0.9
