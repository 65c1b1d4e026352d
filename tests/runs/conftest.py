"""A plan whose method is written anew for each test: planned once, so that a test is one fit."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from bench import ALTERNATIVE, BENCHMARK, TINY
from plugin_text import method_text

from dfbench.plugins.sources import PluginSources
from dfbench.request import DataChoice, Places, RunRequest

HEAD = """
import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import torch

HERE = Path(__file__).parent
"""
TRAIN = """from dfbench.learning.loop import RandomState
        (HERE / "pid").write_text(str(os.getpid()))
        net = setting.new_module("net", lambda: nn.Linear(3072, 8))
        optimiser = torch.optim.SGD(net.parameters(), 1e-4, momentum=0.9)
        noise = setting.generator("noise")
        state = {"net": net, "optimiser": optimiser, "noise": RandomState(noise)}
        for step in setting.loop("train", 30, state):
            with (HERE / "steps").open("a") as file:
                print(step, file=file)
            x = torch.rand(4, 3072, generator=noise) + torch.rand(1)
            optimiser.zero_grad()
            net(x).square().mean().backward()
            optimiser.step()
            time.sleep(0.05)
        return Encoders(nn.Sequential(nn.Flatten(), net), nn.Sequential(nn.Flatten(), net))"""


@dataclass(frozen=True)
class Faulty:
    """A plan in folders of its own, and the file of its method."""

    plan: Any
    file: Path

    def behaves(self, body: str) -> None:
        """Let `fit` do this from now on; lines after the first are indented by eight."""
        self.file.write_text(method_text("faulty", body, head=HEAD), encoding="utf-8")

    def trains(self) -> None:
        """Let `fit` train for thirty steps, each of which it notes in the file `steps`."""
        self.behaves(TRAIN)

    def at(self, **places: Path) -> Faulty:
        """The same plan in other folders."""
        session = self.plan.session
        chosen = session.request.places.model_copy(update=places)
        request = session.request.model_copy(update={"places": chosen})
        return replace(self, plan=replace(self.plan, session=replace(session, request=request)))

    def forget_steps(self) -> None:
        """Remove all files but the method's that lie beside it."""
        for file in self.file.parent.iterdir():
            if file.is_file() and file != self.file:
                file.unlink()

    @property
    def results(self) -> list[Path]:
        """Records that were written."""
        return list(self.plan.session.request.places.results.rglob("*.json"))


@pytest.fixture(scope="session")
def faulty_plan(pictures: Path, cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Faulty:
    from dfbench.planning.plan import plan_methods
    from dfbench.runs.ingredients import ensure_networks

    place = tmp_path_factory.mktemp("faulty")
    file = place / "faulty.py"
    request = RunRequest(
        method="faulty",
        data=DataChoice(
            name=f"folder:{pictures}", classes=BENCHMARK, alternative_classes=ALTERNATIVE
        ),
        settings=TINY,
        device="cpu",
        threads=1,
        plugins=PluginSources(files=(file,)),
        places=Places(results=place / "results", runs=place / "runs", cache=cache),
    )
    faulty = Faulty(None, file)
    faulty.behaves("pass")
    (plan,) = plan_methods(request, beside=False)
    ensure_networks(plan)
    return replace(faulty, plan=plan)


@pytest.fixture
def faulty(faulty_plan: Faulty, tmp_path: Path) -> Faulty:
    """The plan with folders of this test."""
    faulty_plan.forget_steps()
    faulty_plan.behaves("pass")
    return faulty_plan.at(results=tmp_path / "results", runs=tmp_path / "runs")


@pytest.fixture(scope="session")
def undisturbed(faulty_plan: Faulty, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Digests of the method that trains when nothing happens to it."""
    from dfbench.runs.execute import execute

    place = tmp_path_factory.mktemp("undisturbed")
    faulty = faulty_plan.at(results=place / "results", runs=place / "runs")
    faulty.trains()
    digests: dict[str, str] = execute(faulty.plan).record.digests.model_dump()
    faulty.forget_steps()
    return digests
