"""The GPU check on a pretended GPU: no step mixes devices, and timing waits for the device."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import torch
from pretended_gpu import pretended_gpu

from dfbench.evaluation.ranking import devices

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def repository_on_the_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """The benchmarks are no part of the installed package."""
    monkeypatch.syspath_prepend(ROOT)


def _measured(step: str, out: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[dict[str, Any], int]:
    """Results of a step on the pretended GPU, and how often it waited for the device."""
    waits: list[None] = []
    for name, value in {
        "synchronize": lambda *_: waits.append(None),
        "memory_allocated": lambda *_: 0,
        "max_memory_allocated": lambda *_: 2**20,
        "reset_peak_memory_stats": lambda *_: None,
        "get_device_name": lambda *_: "pretended",
        "get_device_capability": lambda *_: (9, 0),
        "device_count": lambda: 1,
    }.items():
        monkeypatch.setattr(torch.cuda, name, value)
    monkeypatch.setattr(devices, "find_spec", lambda _: None)  # no fused kernels without a GPU
    monkeypatch.chdir(ROOT)
    journals = import_module("benchmarks.perf.gpu.journal")
    request = journals.Request(step, "cuda", "tiny", 600, out)
    with pretended_gpu():
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda *_: (2**36, 2**36))
        journal = journals.Journal(request)
        import_module(f"benchmarks.perf.gpu.{step}").measure(request, journal)
    results: dict[str, Any] = json.loads(request.file.read_text(encoding="utf-8"))["results"]
    return results, len(waits)


def test_card_is_described(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    results, waits = _measured("card", tmp_path, monkeypatch)
    assert results["card"] == "pretended"
    assert results["capability"] == "9.0"
    assert results["memory GiB"]["total"] == 64
    assert waits >= 2 * 2 * 5  # before and after each of five rounds in two precisions


def test_ranking_is_timed_on_the_device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    results, waits = _measured("ranking", tmp_path, monkeypatch)
    assert results["tiny: dfbench"]["peak memory MiB"] == 1
    assert results["tiny: argsort"]["seconds"] > 0
    assert waits > 0


def test_training_is_timed_on_the_device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # torch has no autocast for a GPU that is not there
    training = import_module("benchmarks.perf.gpu.training")
    monkeypatch.setattr(training, "TINY", [("resnet-tiny", 16, "fp32")])
    results, waits = _measured("training", tmp_path, monkeypatch)
    found = results["resnet-tiny, 16 px, fp32"]
    for kind in ("estimator", "encoder"):
        assert found[kind]["ratio"] > 0
        assert found[kind]["ours peak MiB"] == 1
        assert found[kind]["share of peak"] > 0
    assert waits > 0
