"""Fits whose device has too little memory, which a network of the tests pretends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from bench import Bench, stored_embeddings
from plugin_text import method_text

from dfbench.learning import loop
from dfbench.networks.backbones.resnet import SmallResNet

Limit = Callable[[int], None]


@pytest.fixture
def memory_for(monkeypatch: pytest.MonkeyPatch) -> Limit:
    """After `memory_for(n)` no network holds the activations of more than n images."""
    whole = SmallResNet.stage_maps

    def limit(images: int) -> None:
        def stage_maps(self: SmallResNet, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
            if torch.is_grad_enabled() and len(x) > images:
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
            return whole(self, x)

        monkeypatch.setattr(SmallResNet, "stage_maps", stage_maps)

    return limit


def _embeddings(bench: Bench) -> dict[str, Any]:
    (file,) = bench.runs.rglob("crossx-s0-*/embeddings.safetensors")
    return stored_embeddings(file.parent)


def test_fit_that_does_not_fit_ends_in_micro_batches_as_it_would_in_whole_ones(
    quick_bench: Bench, memory_for: Limit
) -> None:
    whole = quick_bench.record("crossx")
    expected = _embeddings(quick_bench)
    memory_for(3)
    finished = quick_bench.run("crossx", "--force")
    assert finished.status == 0, finished.err
    record = quick_bench.record("crossx")
    for images in (8, 4):
        resumed = f"resuming from the last checkpoint with micro-batches of {images // 2}"
        assert f"too small for {images} images at a time: {resumed}" in finished.err
    assert record["environment"]["micro_batch"] == 2
    assert whole["environment"]["micro_batch"] is None
    assert record["fit_id"] == whole["fit_id"]
    assert record["attempts"] == 1
    for modality, rows in _embeddings(quick_bench).items():
        np.testing.assert_allclose(rows, expected[modality], atol=1e-5)


def test_memory_that_runs_out_in_the_middle_undoes_no_finished_step(
    quick_bench: Bench, memory_for: Limit, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick_bench.record("crossx")
    expected = _embeddings(quick_bench)
    saves, save = [], loop.TrainingLoop.save

    def then_run_short(self: loop.TrainingLoop, next_step: int) -> None:
        save(self, next_step)
        saves.append(next_step)
        if len(saves) == 3:
            memory_for(4)

    monkeypatch.setattr(loop.TrainingLoop, "save", then_run_short)
    finished = quick_bench.run("crossx", "--force", "--checkpoint-seconds", "0")
    assert finished.status == 0, finished.err
    assert "resuming from the last checkpoint with micro-batches of 4" in finished.err
    assert saves == list(range(1, 9))
    for modality, rows in _embeddings(quick_bench).items():
        np.testing.assert_allclose(rows, expected[modality], atol=1e-5)


def test_memory_too_small_for_a_single_image_is_one_line(
    quick_bench: Bench, memory_for: Limit
) -> None:
    quick_bench.record("classifier-only")  # Teachers are in the cache.
    memory_for(0)
    line = quick_bench.run("crossx").refused()
    assert "fit() raised OutOfMemoryError: CUDA out of memory" in line
    assert "smaller settings may fit, e.g. --set budget.batch_size=64" in line


def test_memory_that_runs_out_outside_of_networks_is_not_tried_again(quick_bench: Bench) -> None:
    body = 'raise torch.OutOfMemoryError("CUDA out of memory")'
    plugin = quick_bench.plugin(method_text("hungry", body, head="import torch"))
    finished = quick_bench.run("hungry", "--plugin", str(plugin))
    assert "CUDA out of memory" in finished.refused()
    assert "going on" not in finished.err
