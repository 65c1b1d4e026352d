"""Wall time of an operation on a device."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import torch


def timed(operation: Callable[[], object], device: str, rounds: int = 3) -> float:
    """Median wall seconds of an operation, after one warm-up round."""
    operation()
    return statistics.median(once(operation, device) for _ in range(rounds))


def once(operation: Callable[[], object], device: str) -> float:
    """Wall seconds of an operation, all its kernels included."""
    synchronize(device)
    start = time.perf_counter()
    operation()
    synchronize(device)
    return time.perf_counter() - start


def synchronize(device: str) -> None:
    """Wait until the device has finished all pending work."""
    if device == "cuda":
        torch.cuda.synchronize()


def once_with_memory(operation: Callable[[], object], device: str) -> tuple[float, float | None]:
    """Wall seconds, and peak device memory (MiB) beyond that allocated before; None on a CPU."""
    if device != "cuda":
        return once(operation, device), None
    before = torch.cuda.memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    seconds = once(operation, device)
    return seconds, float(torch.cuda.max_memory_allocated() - before) / 2**20
