"""Cost of the separate process of a run, compared with importing torch.

    python -m benchmarks.perf.process --rounds 7 --json process.json

A method that does nothing is run repeatedly on a small dataset with existing teachers. The time of
its process (start, imports, loading networks, waiting for images, embedding a few of them, writing
embeddings) is compared with `import torch` in a fresh interpreter, alternating over several rounds.
Processor time counts, best of the rounds; the command that starts the process spends additional
time on checking, ranking and recording, which is shown.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from dfbench.planning.plan import Plan, plan_methods
from dfbench.plugins.sources import PluginSources
from dfbench.request import DataChoice, Places, RunRequest
from dfbench.runs.execute import execute
from dfbench.runs.ingredients import ensure_networks

IDLE = """
from torch import nn

from dfbench import Encoders, Method, MethodSpec, hookimpl


@hookimpl
def dfbench_methods():
    return [MethodSpec("idle", "Idle", "idle:Idle")]


class Idle(Method):
    name, title, version = "idle", "Idle", 1

    def fit(self, setting):
        pixels = nn.Sequential(nn.AvgPool2d(4), nn.Flatten())
        return Encoders(pixels, pixels)
"""
TINY = {
    "teachers.network": "resnet-tiny",
    "teachers.steps": "1",
    "teachers.initialisation": "random",
}
GOAL = 1.10


@dataclass(frozen=True)
class Cost:
    """Seconds spent on some work."""

    child: float
    """Processor time of child processes."""
    here: float
    """Processor time of this process."""
    wall: float


def cost(work: Callable[[], object]) -> Cost:
    """The cost of some work."""
    before, started = os.times(), time.perf_counter()
    work()
    after, wall = os.times(), time.perf_counter() - started
    spent = [now - then for now, then in zip(after, before, strict=True)]
    user, system, child_user, child_system, _ = spent
    return Cost(child_user + child_system, user + system, wall)


def import_torch() -> None:
    """Import torch in a fresh interpreter."""
    subprocess.run([sys.executable, "-c", "import torch"], check=True)


def prepared(place: Path) -> Plan:
    """The plan of a method that does nothing, with its teachers in the cache."""
    plugin = place / "idle.py"
    plugin.write_text(IDLE, encoding="utf-8")
    request = RunRequest(
        method="idle",
        data=DataChoice(name="shapes", classes=("car", "cat")),
        settings=TINY,
        device="cpu",
        threads=1,
        plugins=PluginSources(files=(plugin,)),
        places=Places(results=place / "results", runs=place / "runs", cache=place / "cache"),
    )
    (plan,) = plan_methods(request, beside=False)
    ensure_networks(plan)
    return plan


def best(costs: list[Cost]) -> Cost:
    """The round with the least interference by other load."""
    return min(costs, key=lambda one: one.child)


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    os.environ["OMP_NUM_THREADS"] = "1"
    floors, runs = [], []
    with tempfile.TemporaryDirectory() as folder:
        plan = prepared(Path(folder))
        for _ in range(arguments.rounds):
            floors.append(cost(import_torch))
            runs.append(cost(lambda: execute(plan, force=True)))
    floor, ours = best(floors), best(runs)
    ratio = ours.child / floor.child
    print(f"{'seconds':16} {'process':>8} {'here':>8} {'wall':>8}")
    for name, found in (("import torch", floor), ("an idle run", ours)):
        print(f"{name:16} {found.child:8.2f} {found.here:8.2f} {found.wall:8.2f}")
    print(f"ratio {ratio:.2f} (goal: at most {GOAL:.2f})")
    if arguments.json:
        document = {
            "schema_version": 1,
            "machine": platform.processor() or platform.machine(),
            "torch": torch.__version__,
            "rounds": arguments.rounds,
            "import_torch": asdict(floor),
            "run": asdict(ours),
            "ratio": ratio,
            "goal": GOAL,
        }
        arguments.json.write_text(json.dumps(document, indent=2) + "\n")


if __name__ == "__main__":
    main()
