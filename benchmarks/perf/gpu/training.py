"""Training steps per second of CrossX-DFL, compared with those of the released code."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from dfbench_baselines.crossx_config import CrossXConfig
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.perf.gpu.card import peak_throughput
from benchmarks.perf.gpu.journal import Journal, Request
from benchmarks.perf.gpu.timing import once_with_memory
from benchmarks.perf.training import Size, our_steps, plain_steps, setting_of, speeds
from dfbench.errors import DfbenchError

PAPER = Path("benchmarks/paper.toml")
GOAL = 2.0
"""Speed relative to the plain implementation."""
_ENCODERS_ONLY = 2
"""Methods of the paper's table that train only encoders: Gaussian prior and alternative data."""
FULL = [
    ("resnet34", 224, "bf16"),
    ("efficientnet-lite0", 224, "bf16"),
    ("resnet34", 64, "bf16"),
    ("efficientnet-lite0", 64, "bf16"),
    ("resnet34", 224, "fp32"),
    ("efficientnet-lite0", 64, "fp32"),
]
TINY = [("resnet-tiny", 16, "bf16")]


def measure(request: Request, journal: Journal) -> None:
    """Record seconds per step, share of the GPU's peak and memory, by network and size."""
    peak = peak_throughput(request.device, 64 if request.tiny else 8192)
    journal.write("peak TFLOP/s", peak)
    batch = 8 if request.tiny else 96
    longest = 0.0
    for network, image_size, precision in TINY if request.tiny else FULL:
        name = f"{network}, {image_size} px, {precision}"
        if journal.seconds_left < longest:
            journal.write(name, {"not measured": "no time left"})
            continue
        before = journal.seconds_left
        size = Size(network, image_size, batch, batch, request.device, precision)
        try:
            found = compared(size, peak[precision], *((1, 1) if request.tiny else (5, 2)))
        except (DfbenchError, torch.OutOfMemoryError) as error:
            journal.write(name, {"not measured": str(error).splitlines()[0]})
            continue
        journal.write(name, found)
        longest = max(longest, before - journal.seconds_left)
        if name == "resnet34, 224 px, bf16":
            journal.write("hours of paper.toml", projected_hours(found))


def compared(size: Size, peak: float, steps: int, rounds: int) -> dict[str, Any]:
    """By kind of step: seconds of both implementations, their ratio, share of the peak, memory."""
    found: dict[str, Any] = {k: dict(v) for k, v in speeds(size, steps, rounds).items()}
    with TemporaryDirectory() as folder:
        config = CrossXConfig(estimator_batch=size.estimator_batch)
        setting = setting_of(size, Path(folder))
        manners = {"ours": our_steps, "plain": plain_steps}
        for manner, steps_of in manners.items():
            for kind, step in steps_of(*_arguments(manner, size, setting, config)).items():
                found[kind][f"{manner} peak MiB"] = once_with_memory(step, size.device)[1]
                if manner == "ours":
                    with FlopCounterMode(display=False) as counter:
                        step()
                    work = counter.get_total_flops() / 1e12
                    found[kind]["share of peak"] = work / found[kind]["ours"] / peak
    return found


def _arguments(manner: str, size: Size, setting: Any, config: CrossXConfig) -> tuple[Any, ...]:
    return (size, setting, config) if manner == "ours" else (setting, config)


def projected_hours(found: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """Hours of fits in `paper.toml`, from the seconds per step of its network and size."""
    suite = tomllib.loads(PAPER.read_text(encoding="utf-8"))
    row = next(m for m in suite["methods"] if isinstance(m, dict) and m["method"] == "crossx")
    encoders = suite["budget"]["steps"] * found["encoder"]["ours"] / 3600
    crossx = row["config"]["estimator_steps"] * found["estimator"]["ours"] / 3600 + encoders
    runs = len(suite["datasets"]) * len(suite["seeds"])
    return {
        "one fit of crossx": crossx,
        "one fit of encoders alone": encoders,
        "crossx, all datasets and seeds": runs * crossx,
        "methods that train encoders alone, all datasets and seeds": (
            runs * _ENCODERS_ONLY * encoders
        ),
    }
