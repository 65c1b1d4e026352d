"""mAP@all over wall time: CrossX-DFL's schedule, and that of the released code.

    python -m benchmarks.perf.schedules --seconds 600 --json schedules.json

Both train the same networks with the same losses on `shapes`. Ours takes many encoder steps on a
pool of pairs; the released code takes one encoder step after every 500 estimator steps. Each point
is a separate run with the time of its fit; runs become longer until one exceeds `--seconds`. For
each level of mAP@all the output has the first time at which a schedule reaches it, or null.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from dfbench.planning.plan import plan_methods
from dfbench.process.supervision import Supervision
from dfbench.request import DataChoice, Places, RunRequest
from dfbench.runs.execute import attempt

LEVELS = (0.2, 0.4, 0.6, 0.7)
ESTIMATOR_STEPS_A_ROUND = 500
SHORTEST = 25
Settings = Mapping[str, str]
Point = dict[str, float]


def ours() -> Iterator[Settings]:
    """Runs of increasing length: as many estimator as encoder steps, doubled each time."""
    for doublings in count():
        steps = SHORTEST * 2**doublings
        yield {"budget.steps": str(steps), "estimator_steps": str(steps)}


def released() -> Iterator[Settings]:
    """Runs of increasing length: one encoder step after every 500 estimator steps."""
    for rounds in count(1):
        yield {
            "budget.steps": str(rounds),
            "rounds": str(rounds),
            "estimator_steps": str(rounds * ESTIMATOR_STEPS_A_ROUND),
            "warm_up": "0.1",
        }


def curve(schedule: Iterator[Settings], request: RunRequest, seconds: float) -> list[Point]:
    """Points (seconds, map@all of both representations) of all runs that end within `seconds`."""
    points: list[Point] = []
    for settings in schedule:
        shared = request.settings
        changed = request.model_copy(update={"settings": {**shared, **settings}})
        (plan,) = plan_methods(changed, beside=False)
        run = attempt(plan, supervision=Supervision(timeout=seconds)).run
        if run is None:
            return points
        record = run.record
        points.append(
            {
                "seconds": record.seconds.fit,
                "encoder steps": float(settings["budget.steps"]),
                "map@all": record.metrics["map@all"].value,
                "posterior": record.representations["posterior"]["map@all"].value,
            }
        )
    raise RuntimeError("a schedule has ended")


def first_reached(points: list[Point], level: float) -> float | None:
    """Seconds of the shortest run whose features reach mAP@all >= `level`; None without any."""
    return min((p["seconds"] for p in points if p["map@all"] >= level), default=None)


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--device", default="auto", choices=["auto", "cpu", "cuda"])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--precision", default="bf16", choices=["fp32", "bf16"])
    parser.add_argument("--teacher-steps", type=int, help="default: the recipe's")
    parser.add_argument("--cache", type=Path, help="default: train the teachers again")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    teachers = {"teachers.steps": str(given.teacher_steps)} if given.teacher_steps else {}
    with TemporaryDirectory() as folder:
        place = Path(folder)
        request = RunRequest(
            method="crossx",
            data=DataChoice(name="shapes"),
            settings=teachers,
            device=given.device,
            threads=given.threads,
            precision=given.precision,
            places=Places(
                results=place / "results", runs=place / "runs", cache=given.cache or place / "cache"
            ),
        )
        schedules = {"ours": ours(), "released": released()}
        curves = {name: curve(s, request, given.seconds) for name, s in schedules.items()}
    result = {
        "schema_version": 1,
        "threads": given.threads,
        "torch": torch.__version__,
        "seconds at most": given.seconds,
        "curves": curves,
        "seconds to map@all": {
            str(level): {name: first_reached(points, level) for name, points in curves.items()}
            for level in LEVELS
        },
    }
    text = json.dumps(result, indent=2)
    print(text)
    if given.json:
        given.json.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
