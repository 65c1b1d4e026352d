"""The benchmark of preparing and representation runs as its docstring says."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

_ROOT = Path(__file__).parents[2]


def test_benchmark_of_reading_compares_both_ways_on_the_same_images(tmp_path: Path) -> None:
    out = tmp_path / "reading.json"
    command = [sys.executable, "-m", "benchmarks.perf.reading", "--images", "60", "--rounds", "1"]
    subprocess.run([*command, "--json", str(out)], cwd=_ROOT, capture_output=True, check=True)
    content = json.loads(out.read_text())
    rates = content["rates"]
    assert {name: rate["images"] for name, rate in rates.items()} == {
        "preparing, 2 processes": 160,
        "preparing, 1 processes": 160,
        "dfbench, first epoch": 60,
        "dfbench, later epochs": 60,
        "ImageFolder + Resize + ToTensor": 60,
    }
    assert content["ratios"]["dfbench, later epochs"].keys() >= {"processor"}
