"""Numbers that come out the same twice."""

from __future__ import annotations

import torch


def pin_numerics(threads: int, seed: int) -> None:
    """The same numbers from the same job: fixed threads, deterministic algorithms, no TF32."""
    torch.set_num_threads(threads)
    torch.set_flush_denormal(True)
    # As use_deterministic_algorithms(True, warn_only=True), which imports the compiler first: .5 s.
    torch.set_deterministic_debug_mode("warn")
    torch.backends.cudnn.benchmark = False
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    torch.manual_seed(seed)
