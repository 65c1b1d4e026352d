"""`python side_by_side.py RANK SIZE FOLDER ROW...`: one of the processes that fit rows together.

The first leaves the encoders of each row in the folder, and what becomes of weights that each
process moves in its own way.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import torch
from rows import quick, supplies
from torch import nn
from toy import toy_setting

from dfbench.errors import DfbenchError
from dfbench.learning.group import ProcessGroup, joined_group
from dfbench.method import Encoders
from dfbench.networks.placement import bfloat16_convolutions
from dfbench.networks.portions import Portions, in_portions
from dfbench.numerics import pin_numerics

STEPS = 4


def encoders_of(row: str, place: Path, *, bf16: bool = False) -> Encoders:
    """What a row makes of the toy teachers."""
    pin_numerics(threads=1, seed=0)
    setting = toy_setting(place, supplies(), steps=STEPS)
    with bfloat16_convolutions(enabled=bf16):
        return quick(row).fit(setting)


def modules_of(encoders: Encoders) -> nn.ModuleDict:
    """Both encoders as one module."""
    return nn.ModuleDict({"photo": encoders.photo, "sketch": encoders.sketch})


def main(rank: int, size: int, folder: Path, rows: list[str]) -> None:
    """Fit the rows, the last in bfloat16."""
    with joined_group(rank, size, folder / "meeting", torch.device("cpu")) as group:
        for number, row in enumerate(rows):
            place, bf16 = folder / f"{rank}-{number}", number == len(rows) - 1
            with in_portions(Portions(group=group)):
                encoders = encoders_of(row, place, bf16=bf16)
            modules = modules_of(encoders)
            group.require_alike([modules])
            if group.leads:
                torch.save(modules.state_dict(), folder / f"{number}.pt")
        (folder / f"drift-{rank}.txt").write_text(_drift(group))
        group.wait()
        os._exit(0)  # gloo aborts a process that leaves in order after its peers are gone


def _drift(group: ProcessGroup) -> str:
    own_way = nn.Linear(2, 2)
    with torch.no_grad():
        own_way.weight.fill_(1 + group.rank / 100)
    try:
        group.require_alike([own_way])
    except DfbenchError as fault:
        return str(fault)
    return ""


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]), sys.argv[4:])
