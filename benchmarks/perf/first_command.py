"""Processor time of the README's first command by stage, in a fresh cache.

    python -m benchmarks.perf.first_command --steps 20 --json first_command.json

Runs what `dfbench run --method crossx --dataset shapes` runs, with `--steps` training steps and as
many steps of each estimator, and lists the functions that take most of the command's own time.
A stage is the work of the command itself and of the processes that it starts. With `--train`, it
trains the teachers, with the same number of steps, in place of the official ones.
"""

from __future__ import annotations

import argparse
import cProfile
import json
import os
import platform
import pstats
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")
_LISTED = 12


@dataclass(frozen=True)
class Stage:
    """Seconds of one stage."""

    name: str
    here: float
    """Processor time of the command's own process."""
    children: float
    """Processor time of the processes it started."""
    wall: float


class Stages:
    """Measures stages one after the other, and profiles the command's own process."""

    def __init__(self) -> None:
        self.found: list[Stage] = []
        self.profile = cProfile.Profile()

    def measure(self, name: str, work: Callable[[], T]) -> T:
        """The result of some work, whose cost is added."""
        before, started = os.times(), time.perf_counter()
        result = self.profile.runcall(work)
        after, wall = os.times(), time.perf_counter() - started
        user, system, child_user, child_system, _ = (
            now - then for now, then in zip(after, before, strict=True)
        )
        self.found.append(Stage(name, user + system, child_user + child_system, wall))
        return result

    @property
    def total(self) -> float:
        """Processor time of all stages."""
        return sum(stage.here + stage.children for stage in self.found)


def imported() -> Any:
    """The modules of the command, imported."""
    import dfbench.cli.run
    import dfbench.runs.execute

    return dfbench


def run(stages: Stages, place: Path, steps: int, *, train: bool) -> None:
    """The command, stage by stage, with all files in one folder."""
    stages.measure("import of torch and dfbench", imported)
    from dfbench.cli.run import print_run
    from dfbench.modality import MODALITIES
    from dfbench.numerics import pin_numerics
    from dfbench.planning.plan import plan_methods
    from dfbench.request import DataChoice, Places, RunRequest
    from dfbench.runs.execute import execute
    from dfbench.runs.ingredients import ensure_networks

    names = ["budget.steps", "estimator_steps"]
    if train:
        names += [f"teachers.{name}" for name in ("steps", "alternative_steps", "modality_steps")]
    request = RunRequest(
        method="crossx",
        data=DataChoice(name="shapes"),
        settings=dict.fromkeys(names, str(steps)),
        device="cpu",
        threads=1,
        train_teachers=train,
        places=Places(results=place / "results", runs=place / "runs", cache=place / "cache"),
    )
    plans = stages.measure("plan", lambda: plan_methods(request, beside=True))
    pin_numerics(1, 0)
    session = plans[-1].session

    def draw() -> None:
        for modality in MODALITIES:
            session.dataset.images(modality, "test").images[:1]

    stages.measure("drawing of the test images", draw)
    stages.measure("teachers and modality classifier", lambda: ensure_networks(plans[-1]))
    finished = []
    for plan in plans:
        one = stages.measure(f"run of {plan.method.label}", lambda plan=plan: execute(plan))  # type: ignore[misc]  # mypy infers no type of a default
        finished.append(one)
    stages.measure("table", lambda: print_run(finished))


def slowest(profile: cProfile.Profile) -> list[dict[str, Any]]:
    """The functions of the command's own process with the most time in themselves."""
    entries = []
    for (file, line, name), (_, calls, own, total, _) in pstats.Stats(profile).stats.items():  # type: ignore[attr-defined]  # not in the stub
        where = name if file.startswith(("~", "<")) else f"{Path(file).name}:{line} {name}"
        entries.append({"function": where, "calls": calls, "own": own, "with_callees": total})
    waiting = ("select", "poll", "sleep", "wait4", "waitpid", "acquire")
    kept = [one for one in entries if not any(word in one["function"] for word in waiting)]
    return sorted(kept, key=lambda one: -one["own"])[:_LISTED]


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--train", action="store_true")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    stages = Stages()
    with tempfile.TemporaryDirectory() as folder:
        run(stages, Path(folder), arguments.steps, train=arguments.train)
    print(f"{'processor seconds':36} {'here':>7} {'children':>9} {'share':>6}")
    for stage in stages.found:
        share = (stage.here + stage.children) / stages.total
        print(f"{stage.name:36} {stage.here:7.2f} {stage.children:9.2f} {share:6.1%}")
    print(f"{'total':36} {stages.total:17.2f}")
    if arguments.json:
        import torch

        document = {
            "schema_version": 1,
            "machine": platform.processor() or platform.machine(),
            "torch": torch.__version__,
            "python": sys.version.split()[0],
            "steps": arguments.steps,
            "teachers": "trained" if arguments.train else "official",
            "stages": [
                {**asdict(one), "share": (one.here + one.children) / stages.total}
                for one in stages.found
            ],
            "total": stages.total,
            "slowest_functions": slowest(stages.profile),
        }
        arguments.json.write_text(json.dumps(document, indent=2) + "\n")


if __name__ == "__main__":
    main()
