"""Runs whose networks are compiled."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
import torch
from bench import Bench, stored_embeddings
from torch import nn

from dfbench.learning.batch_norm import StatisticsMatch
from dfbench.networks import Normaliser, new_backbone
from dfbench.networks.placement import compiled, compiled_networks
from dfbench.records.record import Arithmetic


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How many networks of each kind were to be compiled; none is, which would take minutes."""
    counts: Counter[str] = Counter()

    def compile_network(self: nn.Module) -> None:
        counts[type(self).__name__] += 1

    monkeypatch.setattr(nn.Module, "compile", compile_network)
    monkeypatch.setattr("dfbench.worker.fit.require_compiler", lambda _: None)
    return counts


def test_compiled_fit_is_another_numerics_and_so_another_run(
    quick_bench: Bench, called: Counter[str]
) -> None:
    plain = quick_bench.record("crossx")
    assert not called
    record = quick_bench.record("crossx", "--compile")
    assert called == {"SmallResNet": 4, "Estimator": 2}  # teachers' and encoders' backbones
    assert (plain["numerics"], record["numerics"]) == ("cpu-fp32", "cpu-fp32-compiled")
    assert record["fit_id"] != plain["fit_id"]
    assert record["teachers"] == plain["teachers"]


def test_compiler_that_does_not_work_is_one_line(
    quick_bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_: Any) -> Any:
        raise RuntimeError("No working C++ compiler found in\n('g++', 'clang++')")

    monkeypatch.setattr(torch, "compile", fails)
    line = quick_bench.run("crossx", "--compile").refused()
    assert "--compile: torch.compile does not work here for cpu (RuntimeError: No working" in line
    assert "allowed without: leave out --compile" in line


@pytest.mark.parametrize("text", ["cpu-fp32", "cuda-bf16", "cuda-bf16-compiled"])
def test_text_of_an_arithmetic_is_read_as_what_it_was_written_from(text: str) -> None:
    assert str(Arithmetic.read(text)) == text
    assert Arithmetic.read(text).compiled == text.endswith("compiled")


@pytest.mark.slow
def test_compiled_run_ends_near_the_one_that_is_not(bench: Bench) -> None:
    embeddings = {}
    for numerics, options in (("cpu-fp32", ()), ("cpu-fp32-compiled", ("--compile",))):
        place = bench.place / numerics
        record = bench.record("crossx", "--runs", str(place), *options)
        assert record["numerics"] == numerics
        (file,) = place.rglob("embeddings.safetensors")
        embeddings[numerics] = stored_embeddings(file.parent)
    for modality, rows in embeddings["cpu-fp32"].items():
        np.testing.assert_allclose(embeddings["cpu-fp32-compiled"][modality], rows, atol=1e-3)


@pytest.mark.slow
def test_statistics_of_a_compiled_network_are_matched_too() -> None:
    torch.manual_seed(0)
    plain = nn.Sequential(Normaliser.of("photo"), new_backbone("resnet-tiny", 16)).eval()
    images = torch.rand(4, 3, 16, 16)
    with StatisticsMatch(plain) as expected:
        plain(images)
    with compiled_networks(enabled=True):
        compiled(plain)
        plain(images)  # compiled without the hooks
        with StatisticsMatch(plain) as match:
            plain(images)
        torch.testing.assert_close(match.loss(), expected.loss())
