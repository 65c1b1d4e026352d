"""Steps per second of several processes on one device: how many runs to start at once."""

from __future__ import annotations

import time
from importlib.util import find_spec
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier

import torch

from benchmarks.perf.gpu.journal import Journal, Request
from benchmarks.perf.gpu.timing import synchronize
from dfbench.numerics import pin_numerics

_SECONDS = {1: 4.0, 3: 5.0, 8: 7.0}
"""Time of each measurement, by number of processes."""
_TINY = {1: 0.1, 2: 0.1}
_BATCH = 96
_SIZE = 64
_WARM_UP = 3
_START_SECONDS = 120
"""Time for all processes to reach a phase; if one has failed, the others end."""


def measure(request: Request, journal: Journal) -> None:
    """Record the steps per second of all processes together, by their number.

    A step trains two EfficientNet-Lite0 on 96 fixed images of 64 px in fp32, as many as an encoder
    step of a run; loading, augmentation and the losses of a run come on top.
    """
    if find_spec("timm") is None:
        journal.write("steps/s by processes", {"not run": "timm is not installed"})
        return
    phases = _TINY if request.tiny else _SECONDS
    batch = 2 if request.tiny else _BATCH
    context = get_context("spawn")
    start = context.Barrier(max(phases))
    pipes = [context.Pipe(duplex=False) for _ in range(max(phases))]
    processes = [
        context.Process(target=_train, args=(rank, phases, batch, request.device, start, sender))
        for rank, (_, sender) in enumerate(pipes)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
        if process.exitcode:
            raise RuntimeError(f"a training process ended with status {process.exitcode}")
    steps = [receiver.recv() for receiver, _ in pipes]
    rates = {
        str(count): sum(done[count] for done in steps) / seconds
        for count, seconds in phases.items()
    }
    journal.write("steps/s by processes", rates)


def _train(
    rank: int,
    phases: dict[int, float],
    batch: int,
    device: str,
    start: Barrier,
    sender: Connection,
) -> None:
    """Train with the first `count` processes in each phase; send the steps of this one."""
    import timm

    pin_numerics(threads=1, seed=rank)
    networks = [
        timm.create_model("efficientnet_lite0", num_classes=128)
        .to(device)
        .to(memory_format=torch.channels_last)
        for _ in range(2)
    ]
    optimizers = [torch.optim.AdamW(network.parameters(), lr=1e-4) for network in networks]
    images = torch.randn(batch, 3, _SIZE, _SIZE, device=device)
    images = images.to(memory_format=torch.channels_last)

    def step() -> None:
        for network, optimizer in zip(networks, optimizers, strict=True):
            optimizer.zero_grad()
            network(images).square().mean().backward()
            optimizer.step()
        synchronize(device)

    for _ in range(_WARM_UP):
        step()
    done = dict.fromkeys(phases, 0)
    for count, seconds in phases.items():
        start.wait(_START_SECONDS)
        end = time.monotonic() + seconds
        while rank < count and time.monotonic() < end:
            step()
            done[count] += 1
    sender.send(done)
