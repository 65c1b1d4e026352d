"""Rows that two processes fit together end as those that one fits: no method knows."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from side_by_side import encoders_of, modules_of
from torch import Tensor

from dfbench.learning.group import ProcessGroup

# Estimators and students; observed by hooks; noise of an objective; images without a
# generator network; batch statistics; bfloat16.
ROWS = ("crossx", "crossx[bn]", "mib", "meta-data", "crossx[random-init]", "crossx")
TOGETHER = 2


@pytest.fixture(scope="module")
def together(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder where two processes left what they made of `ROWS`, the last in bfloat16."""
    folder = tmp_path_factory.mktemp("together")
    program = Path(__file__).with_name("side_by_side.py")
    environment = {**os.environ, "GLOO_SOCKET_IFNAME": "lo"}
    processes = [
        subprocess.Popen(
            [sys.executable, str(program), str(rank), str(TOGETHER), str(folder), *ROWS],
            env=environment,
        )
        for rank in range(TOGETHER)
    ]
    assert [process.wait(300) for process in processes] == [0] * TOGETHER
    return folder


@pytest.mark.parametrize("number", range(len(ROWS) - 1))
def test_two_processes_make_the_encoders_of_one(
    number: int, together: Path, tmp_path: Path
) -> None:
    alone = modules_of(encoders_of(ROWS[number], tmp_path)).state_dict()
    shared = torch.load(together / f"{number}.pt", weights_only=True)
    for name, tensor in alone.items():
        torch.testing.assert_close(
            shared[name],
            tensor,
            rtol=1e-5,
            atol=1e-5,
            msg=lambda told, name=name: f"{name}: {told}",
        )


def test_two_processes_in_bfloat16_end_within_its_rounding_of_one(
    together: Path, tmp_path: Path
) -> None:
    number = len(ROWS) - 1
    shared = _flat(torch.load(together / f"{number}.pt", weights_only=True))
    alone, start = (
        _flat(modules_of(encoders_of(row, tmp_path / row, bf16=True)).state_dict())
        for row in (ROWS[number], "crossx[zero-step]")
    )
    assert (shared - alone).norm() < 0.2 * (alone - start).norm()


def _flat(state: dict[str, Tensor]) -> Tensor:
    return torch.cat([tensor.double().flatten() for tensor in state.values()])


def test_processes_whose_weights_went_different_ways_all_say_so(together: Path) -> None:
    for rank in range(TOGETHER):
        told = (together / f"drift-{rank}.txt").read_text()
        assert "drifted apart (in weight)" in told
        assert told.endswith("allowed: --devices 1")


@pytest.mark.parametrize(("count", "size"), [(2, 2), (7, 3), (64, 5)])
def test_shares_of_a_batch_are_whole_and_nearly_equal(count: int, size: int) -> None:
    shares = [range(count)[ProcessGroup(rank, size).rows(count)] for rank in range(size)]
    assert [row for share in shares for row in share] == list(range(count))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1
