"""Runs whose fit two processes share: the same result, and the loss of one is no hang."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import torch
from bench import Bench, stored_embeddings

from dfbench.errors import InvalidInput
from dfbench.process.messages import Job
from dfbench.process.supervision import Supervision
from dfbench.request import Limits
from dfbench.runs.execute import Attempt, attempt
from dfbench.worker import team

EVERY_STEP = Supervision(Limits(checkpoint_seconds=0))
LEADER, FOLLOWER = "replica-0", "replica-1"
TRAIN = """from dfbench.learning.loop import RandomState
        rank = torch.distributed.get_rank()
        (HERE / f"replica-{rank}").write_text(str(os.getpid()))
        net = setting.new_module("net", lambda: nn.Linear(3072, 8))
        optimiser = torch.optim.SGD(net.parameters(), 1e-4, momentum=0.9)
        noise = setting.generator("noise")
        state = {"net": net, "optimiser": optimiser, "noise": RandomState(noise)}
        for step in setting.loop("train", 20, state):
            x = torch.rand(4, 3072, generator=noise) + torch.rand(1)
            optimiser.zero_grad()
            net(x).square().mean().backward()
            optimiser.step()
            time.sleep(0.05)
            if step == 5:
                (HERE / "under way").touch()
        return Encoders(nn.Sequential(nn.Flatten(), net), nn.Sequential(nn.Flatten(), net))"""


@pytest.fixture
def shared(faulty: Any) -> Any:
    """A method of two processes, each of which leaves its number in `replica-RANK`."""
    session = faulty.plan.session
    request = session.request.model_copy(update={"devices": 2})
    faulty.behaves(TRAIN)
    return replace(faulty, plan=replace(faulty.plan, session=replace(session, request=request)))


def _attempt(shared: Any, supervision: Supervision, meanwhile: Callable[[], object]) -> Attempt:
    """An attempt during whose training something happens."""
    ended: list[Attempt | BaseException] = []

    def run() -> None:
        try:
            ended.append(attempt(shared.plan, supervision=supervision))
        except KeyboardInterrupt as interrupt:
            ended.append(interrupt)

    thread = threading.Thread(target=run)
    thread.start()
    marker, deadline = shared.file.with_name("under way"), time.monotonic() + 120
    while not marker.exists() and thread.is_alive():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    meanwhile()
    thread.join(60)
    assert not thread.is_alive()
    if isinstance(ended[0], BaseException):
        raise ended[0]
    return ended[0]


def _pid(shared: Any, which: str) -> int:
    return int(shared.file.with_name(which).read_text())


def _are_gone(shared: Any) -> bool:
    """Whether both processes have ended; one that nobody has buried yet has."""
    for which in (LEADER, FOLLOWER):
        with suppress(psutil.NoSuchProcess):
            if psutil.Process(_pid(shared, which)).status() != psutil.STATUS_ZOMBIE:
                return False
    return True


def test_two_processes_give_the_score_of_one(bench: Bench) -> None:
    alone = bench.record("crossx")
    (file,) = bench.runs.rglob("embeddings.safetensors")
    expected = stored_embeddings(file.parent)
    together = bench.record("crossx", "--devices", "2", "--force")
    for modality, rows in stored_embeddings(file.parent).items():
        np.testing.assert_allclose(rows, expected[modality], atol=1e-4)
    scores = [record["metrics"]["map@all"]["value"] for record in (alone, together)]
    assert scores[1] == pytest.approx(scores[0], abs=1e-3)
    assert together["fit_id"] == alone["fit_id"]
    assert [record["environment"]["devices"] for record in (alone, together)] == [1, 2]
    assert not (file.parent / "replicas").exists()


@pytest.mark.parametrize(
    ("which", "reason"),
    [
        (FOLLOWER, "process 2 of the 2 that share this fit died (SIGKILL); nothing was scored"),
        pytest.param(LEADER, "the process of the method died (SIGKILL", marks=pytest.mark.slow),
    ],
)
def test_killed_process_is_a_failure_of_both_that_the_same_command_mends(
    which: str, reason: str, shared: Any
) -> None:
    killed = _attempt(shared, EVERY_STEP, lambda: os.kill(_pid(shared, which), signal.SIGKILL))
    assert killed.state.status == "failed"
    assert reason in (killed.state.reason or "")
    assert _are_gone(shared)
    assert shared.results == []
    mended = attempt(shared.plan, supervision=EVERY_STEP)
    undisturbed = attempt(shared.plan, force=True)
    assert mended.run is not None
    assert undisturbed.run is not None
    assert mended.run.record.attempts == 2
    assert mended.run.record.digests == undisturbed.run.record.digests


def test_interrupt_ends_both_processes(shared: Any) -> None:
    supervision = Supervision()
    with pytest.raises(KeyboardInterrupt):
        _attempt(shared, supervision, supervision.stop.set)
    assert _are_gone(shared)
    assert shared.results == []


@pytest.mark.slow
def test_fault_of_the_second_process_is_told_as_its_own(shared: Any) -> None:
    shared.behaves(
        """if torch.distributed.get_rank():
            raise ValueError("only here")
        torch.distributed.barrier()"""
    )
    ended = attempt(shared.plan)
    assert ended.run is None
    assert "fit() raised ValueError: only here" in (ended.state.reason or "")


@pytest.mark.slow
def test_stuck_process_does_not_wait_for_a_lost_one(shared: Any) -> None:
    shared.behaves(
        """rank = torch.distributed.get_rank()
        (HERE / f"replica-{rank}").write_text(str(os.getpid()))
        (HERE / "under way").touch()
        time.sleep(1)
        if rank:
            os._exit(3)
        time.sleep(600)"""
    )
    ended = _attempt(shared, Supervision(), lambda: None)
    assert "process 2 of the 2 that share this fit died (exit status 3)" in (
        ended.state.reason or ""
    )
    assert _are_gone(shared)


def test_more_gpus_than_there_are_is_one_line(
    shared: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GLOO_SOCKET_IFNAME", "lo")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    plan = shared.plan
    job = Job(
        fit_id="",
        method=plan.method,
        plugins=plan.session.request.plugins,
        budget=plan.session.budget,
        seed=0,
        device="cuda",
        threads=1,
        precision="fp32",
        image_size=32,
        checkpoint_seconds=1,
        teachers={},
        supplies={},
        pairs=None,
        arrays={},
        devices=2,
    )
    with pytest.raises(InvalidInput, match="--devices 2 with 1 GPUs available; allowed: 1 to"):
        team.team(job, tmp_path).__enter__()
