"""Reproducible numerics."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch


def pin_numerics(threads: int, seed: int) -> None:
    """Make results reproducible: fixed threads, deterministic algorithms, no TF32."""
    torch.set_num_threads(threads)
    torch.set_flush_denormal(True)
    # As use_deterministic_algorithms(True, warn_only=True), which imports the compiler first: .5 s.
    torch.set_deterministic_debug_mode("warn")
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # else its sums have no fixed order
    torch.backends.cudnn.benchmark = False
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    torch.manual_seed(seed)


@contextmanager
def pinned_numerics(threads: int, seed: int) -> Iterator[None]:
    """`pin_numerics` within the block, for a process that dfbench does not own."""
    before = torch.get_num_threads(), torch.get_deterministic_debug_mode()
    flags: tuple[tuple[object, str], ...] = (
        (torch.backends.cudnn, "benchmark"),
        (torch.backends.cudnn, "allow_tf32"),
        (torch.backends.cuda.matmul, "allow_tf32"),
    )
    values = [getattr(owner, name) for owner, name in flags]
    with torch.random.fork_rng():
        pin_numerics(threads, seed)
        try:
            yield
        finally:
            torch.set_num_threads(before[0])
            torch.set_deterministic_debug_mode(before[1])
            torch.set_flush_denormal(False)  # cannot be queried; this is torch's initial state
            for (owner, name), value in zip(flags, values, strict=True):
                setattr(owner, name, value)
