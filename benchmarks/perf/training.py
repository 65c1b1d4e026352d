"""Training steps per second: CrossX-DFL's, and the same steps as in the released code.

    OMP_NUM_THREADS=1 python -m benchmarks.perf.training --json training.json
    python -m benchmarks.perf.training --device cuda --network resnet18 --image-size 224

Estimator steps and encoder steps are timed separately, with the same networks and batches, in turn
for both implementations in one process. The plain one evaluates each teacher twice (for logits,
then for features), keeps gradients for all weights, computes in float32 in the contiguous layout,
reads every loss from the device at once, and generates new images for each encoder step; its losses
are those of the built-in method, so that only the implementation differs. Processor time counts on
a CPU, wall time on a GPU. Peak memory is that of the allocator on a GPU, and on a CPU that of a
process that does nothing else.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from dfbench_baselines.crossx_config import CrossXConfig
from dfbench_baselines.pair_estimators import PairEstimators
from torch import nn

from benchmarks.perf.plain_manner import PlainManner
from dfbench.artefacts import Artefacts
from dfbench.budget import Budget
from dfbench.evaluation.ranking.devices import chosen_device
from dfbench.learning.loop import Loops
from dfbench.learning.pool import PairPool
from dfbench.method import Need, Setting
from dfbench.modality import MODALITIES, Modality
from dfbench.networks import Classifier, ModalityNet, Normaliser
from dfbench.networks.placement import bfloat16_convolutions
from dfbench.system.machine import peak_memory_mib
from dfbench.teachers.teacher import Teacher

CLASSES = tuple(f"class {number:02d}" for number in range(20))
MODULE = "benchmarks.perf.training"
POOL_BATCHES = 8
GOALS = {"estimator": 1.5, "encoder": 1.2}
Step = Callable[[], object]


@dataclass(frozen=True)
class Size:
    """The network and batch sizes to train."""

    network: str
    image_size: int
    estimator_batch: int
    batch: int
    device: str
    precision: str


def setting_of(size: Size, folder: Path) -> Setting:
    """A setting with untrained teachers, since speed does not depend on their weights."""
    torch.manual_seed(0)
    device = chosen_device(size.device)

    def teacher(modality: Modality) -> Teacher:
        normaliser = Normaliser.of(modality)
        network = Classifier(size.network, normaliser, len(CLASSES), size.image_size)
        return Teacher(modality, CLASSES, network).to(device)

    judge: nn.Module = ModalityNet().to(device).requires_grad_(False).eval()
    return Setting(
        method="crossx",
        budget=Budget(batch_size=size.batch),
        photo_teacher=teacher("photo"),
        sketch_teacher=teacher("sketch"),
        image_size=size.image_size,
        device=device,
        seed=0,
        artefacts=Artefacts(folder),
        loops=Loops(folder),
        supplies={Need.MODALITY_CLASSIFIER: judge},
    )


def our_steps(size: Size, setting: Setting, config: CrossXConfig) -> dict[str, Step]:
    """An estimator step with the adversary, and an encoder step from the pool."""
    estimators = PairEstimators(setting, config, setting.modality_classifier)
    students = setting.new_students()
    pool = PairPool(POOL_BATCHES * config.estimator_batch, size.image_size).to(setting.device)
    draws = setting.generator("pool")

    def estimate() -> None:
        students.eval().requires_grad_(False)
        with bfloat16_convolutions(enabled=size.precision == "bf16"):
            estimate = estimators.step(students)
        students.requires_grad_(True)
        pool.add(estimate.pairs)

    def encode() -> None:
        with bfloat16_convolutions(enabled=size.precision == "bf16"):
            students.step(pool.sample(setting.budget.batch_size, draws))

    return {"estimator": estimate, "encoder": encode}


def plain_steps(setting: Setting, config: CrossXConfig) -> dict[str, Step]:
    """The same steps in the plain implementation."""
    manner = PlainManner(setting, config)
    return {"estimator": manner.estimate, "encoder": manner.encode}


def seconds_of(step: Step, steps: int, device: str) -> float:
    """Seconds per step."""
    clock = time.perf_counter if device == "cuda" else time.process_time
    _wait(device)
    start = clock()
    for _ in range(steps):
        step()
    _wait(device)
    return (clock() - start) / steps


def speeds(size: Size, steps: int, rounds: int) -> dict[str, dict[str, float]]:
    """By kind of step: seconds of both implementations (median of rounds in turn), and ratio."""
    with TemporaryDirectory() as folder:
        config = CrossXConfig(estimator_batch=size.estimator_batch)
        setting = setting_of(size, Path(folder))
        ours = our_steps(size, setting, config)
        plain = plain_steps(setting_of(size, Path(folder)), config)
        result = {}
        for kind in ours:
            times: Mapping[str, list[float]] = {"ours": [], "plain": []}
            for number in range(rounds + 1):
                for name, step in (("ours", ours[kind]), ("plain", plain[kind])):
                    seconds = seconds_of(step, steps, size.device)
                    if number:  # the first round warms up
                        times[name].append(seconds)
            medians = {name: statistics.median(values) for name, values in times.items()}
            result[kind] = {**medians, "ratio": medians["plain"] / medians["ours"]}
    return result


def peak_mib(size: Size, manner: str) -> float:
    """Peak memory (MiB) of three steps of each kind, minus the memory before them."""
    context = multiprocessing.get_context("forkserver")  # torch is imported once for both
    context.set_forkserver_preload([MODULE])
    with context.Pool(1) as pool:
        return pool.apply(_peak_mib, (size, manner))


def _peak_mib(size: Size, manner: str) -> float:
    with TemporaryDirectory() as folder:
        config = CrossXConfig(estimator_batch=size.estimator_batch)
        setting = setting_of(size, Path(folder))
        before = _memory_mib(size.device)
        steps = our_steps(size, setting, config) if manner == "ours" else None
        for step in (steps or plain_steps(setting, config)).values():
            for _ in range(3):
                step()
        return _memory_mib(size.device) - before


def _memory_mib(device: str) -> float:
    if device == "cuda":
        return torch.cuda.max_memory_allocated() / 2**20
    return peak_memory_mib()


def _wait(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--network", default="resnet-mini")
    parser.add_argument("--image-size", type=int, default=32)
    parser.add_argument("--estimator-batch", type=int, default=96)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--precision", default="bf16", choices=["fp32", "bf16"])
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    torch.set_flush_denormal(True)
    size = Size(
        given.network,
        given.image_size,
        given.estimator_batch,
        given.batch,
        given.device,
        given.precision,
    )
    result = {
        "schema_version": 1,
        "size": vars(size),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "seconds a step": speeds(size, given.steps, given.rounds),
        "goals": GOALS,
        "peak MiB": {manner: peak_mib(size, manner) for manner in ("ours", "plain")},
        "parameters": sum(
            weight.numel()
            for modality in MODALITIES
            for weight in Classifier(
                size.network, Normaliser.of(modality), len(CLASSES), size.image_size
            ).parameters()
        ),
    }
    text = json.dumps(result, indent=2)
    print(text)
    if given.json:
        given.json.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
