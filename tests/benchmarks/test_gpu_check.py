"""The GPU check, tiny and on the CPU: every step measures, a kill loses no finished step."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "benchmarks.perf.gpu", "--device", "cpu", "--scale", "tiny"]
STEPS = (
    "card",
    "methods",
    "kernels",
    "ranking",
    "training",
    "repeatability",
    "concurrency",
    "pretrained",
)


def _start(out: Path, *options: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*COMMAND, "--out", str(out), "--minutes", "240", *options],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def _results(out: Path) -> dict[str, dict[str, Any]]:
    """The results of complete steps, by step."""
    found = {}
    for file in out.glob("gpu-*.json"):
        content = json.loads(file.read_text(encoding="utf-8"))
        if content["complete"]:
            found[content["step"]] = content["results"]
    return found


def _gone(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return True
    return False


@pytest.fixture(scope="module")
def resumed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, set[str]]:
    """A check that was killed in its second step and resumed: results, output, steps kept."""
    out = tmp_path_factory.mktemp("check")
    killed = _start(out)
    while "card" not in _results(out):
        assert killed.poll() is None
        time.sleep(0.05)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    kept = set(_results(out))
    process = _start(out, "--resume")
    output, _ = process.communicate()
    logs = {file.name: file.read_text()[-2000:] for file in out.glob("*.log")}
    assert process.returncode == 0, (output, logs)
    return out, output, kept


def test_killed_check_keeps_its_finished_steps(resumed: tuple[Path, str, set[str]]) -> None:
    _, output, kept = resumed
    assert "card" in kept
    assert {line.partition(":")[0] for line in output.splitlines() if line.endswith("kept")} == kept


def test_every_step_measures(resumed: tuple[Path, str, set[str]]) -> None:
    out, output, _ = resumed
    results = _results(out)
    assert set(results) == set(STEPS)
    assert results["card"]["TFLOP/s"]["fp32"] > 0
    assert 0 < results["methods"]["averaging-weights"]["map@all"] <= 1
    assert results["methods"]["suite"]["exit status"] == 0
    assert results["kernels"]["tests"]["skipped"] > 0
    assert results["ranking"]["tiny: plain torch"]["times the product"] > 0
    assert results["training"]["resnet-tiny, 16 px, bf16"]["estimator"]["ratio"] > 0
    assert results["repeatability"]["equal digests"] is True
    assert results["repeatability"]["difference"] == {"embedding": 0, "map@all": 0}
    rates = results["concurrency"]["steps/s by processes"]
    assert set(rates) == ({"1", "2"} if find_spec("timm") else {"not run"})
    for step in STEPS:
        assert f"\n  {step} " in output


def test_step_ends_with_the_process_that_started_it(tmp_path: Path) -> None:
    script = (
        "import os, subprocess, sys, time\n"
        f"step = subprocess.Popen({[*COMMAND, '--step', 'ranking', '--out', str(tmp_path)]!r},"
        " start_new_session=True)\n"
        "print(step.pid, flush=True)\n"
        "time.sleep(600)\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    group = int(parent.stdout.readline())
    parent.kill()
    parent.communicate()
    while not _gone(group):
        time.sleep(0.05)


@pytest.mark.new_process
def test_step_beyond_its_time_is_stopped_and_reported(tmp_path: Path) -> None:
    process = _start(tmp_path, "--minutes", "0.01")
    output, _ = process.communicate()
    assert process.returncode == 1
    assert "card: time limit" in output


def test_absent_gpu_is_one_line() -> None:
    torch = pytest.importorskip("torch")
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    process = subprocess.run([*COMMAND[:3]], cwd=ROOT, capture_output=True, text=True, check=False)
    assert process.returncode == 2
    assert "no GPU is visible to torch" in process.stderr
    assert "Traceback" not in process.stderr
