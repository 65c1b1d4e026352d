"""The benchmarks of training run as their docstrings say, at the smallest size."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[2]


def test_benchmark_of_steps_measures_both_manners_of_both_steps(tmp_path: Path) -> None:
    out = tmp_path / "training.json"
    small = "--network resnet-tiny --image-size 16 --estimator-batch 4 --batch 4"
    command = [sys.executable, "-m", "benchmarks.perf.training", *small.split()]
    command += ["--steps", "1", "--rounds", "1", "--json", str(out)]
    subprocess.run(command, cwd=_ROOT, capture_output=True, check=True)
    content = json.loads(out.read_text())
    measured = content["seconds a step"]
    assert measured.keys() == {"estimator", "encoder"}
    for times in measured.values():
        assert times["ratio"] == times["plain"] / times["ours"]
    assert content["peak MiB"].keys() == {"ours", "plain"}


def test_schedule_that_ends_too_late_is_not_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(_ROOT)  # the benchmarks are no part of the installed package
    schedules = import_module("benchmarks.perf.schedules")
    points = [{"seconds": 9.0, "map@all": 0.5}, {"seconds": 4.0, "map@all": 0.3}]
    assert schedules.first_reached(points, 0.3) == 4
    assert schedules.first_reached(points, 0.6) is None
