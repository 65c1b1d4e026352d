"""The verbs of `dfbench suite` on a bench, and what they print."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench import Bench, Finished

WriteSuite = Callable[..., Path]
TROUPE = """
# A maker of pairs, a taker of them, one whose worker is killed once, and others.
import os
import signal
import time
from pathlib import Path

import torch
from torch import nn

from dfbench import Encoders, Method, MethodSpec, Need, hookimpl

MARKS = Path({marks!r})
NAMES = ("maker", "taker", "doomed", "failing", "hanging", "paused")


@hookimpl
def dfbench_methods():
    return [MethodSpec(name, name.title(), f"troupe:{{name.title()}}") for name in NAMES]


def encoders(seed):
    layer = nn.Linear(3 * 32 * 32, 8)
    random = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        layer.weight.copy_(torch.randn(layer.weight.shape, generator=random))
    encoder = nn.Sequential(nn.Flatten(), layer)
    return Encoders(encoder, encoder)


class Maker(Method):
    name, title, version = "maker", "Maker", 1

    def fit(self, setting):
        images = torch.full((4, 3, 32, 32), setting.seed, dtype=torch.uint8)
        setting.artefacts.save_pairs(images, images)
        return encoders(setting.seed)


class Taker(Method):
    name, title, version = "taker", "Taker", 1

    @classmethod
    def needs(cls, config):
        return frozenset({{Need.GENERATED_PAIRS}})

    @classmethod
    def pairs_of(cls, config):
        return "maker"

    def fit(self, setting):
        return encoders(100 + int(setting.generated_pairs().photos[0, 0, 0, 0]))


class Doomed(Method):
    name, title, version = "doomed", "Doomed", 1

    def fit(self, setting):
        armed = MARKS / "armed"
        if armed.exists():
            armed.rename(MARKS / "struck")
            os.kill(os.getppid(), signal.SIGKILL)
            time.sleep(60)
        return encoders(7 + setting.seed)


class Failing(Method):
    name, title, version = "failing", "Failing", 1

    def fit(self, setting):
        raise ValueError("not today")


class Hanging(Method):
    name, title, version = "hanging", "Hanging", 1

    def fit(self, setting):
        (MARKS / "hanging").touch()
        time.sleep(60)


class Paused(Method):
    name, title, version = "paused", "Paused", 1

    def fit(self, setting):
        mark = MARKS / "paused"
        if not mark.exists():
            (MARKS / "pausing").write_text(f"{{os.getpid()}} {{os.getppid()}}")
            (MARKS / "pausing").rename(mark)
            time.sleep(60)
        return encoders(3)
"""


def places(bench: Bench) -> list[str]:
    """The folders of a bench as options."""
    return [
        *("--results", str(bench.results), "--runs", str(bench.runs)),
        *("--cache", str(bench.cache)),
    ]


def suite(bench: Bench, verb: str, file: Path, *extra: str) -> Finished:
    """One verb of `dfbench suite` in this process."""
    return bench.call("suite", verb, str(file), *places(bench), *extra)


def statuses(finished: Finished) -> dict[tuple[str, int], str]:
    """Row and seed with the state of the run, from `--format json`."""
    return {(run["method"], run["seed"]): run["status"] for run in finished.json["runs"]}


def reasons(content: Any) -> dict[str, str]:
    """Row with the reason why it is not done."""
    return {run["method"]: run["reason"] for run in content["runs"] if run["reason"]}


def ended(process: subprocess.Popen[str]) -> Finished:
    """How a process ended, waited for."""
    with process:
        out, err = process.communicate(timeout=500)
    return Finished(process.returncode, out, err)


def digests(content: Any) -> dict[tuple[str, int], Any]:
    """Digests of the runs, by method and seed."""
    return {(run["method"], run["seed"]): run["digests"] for run in content["runs"]}
