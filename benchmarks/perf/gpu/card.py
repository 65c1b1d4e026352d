"""Facts of the GPU and its throughput of matrix products, the reference of the later steps."""

from __future__ import annotations

import platform

import torch

from benchmarks.perf.gpu.journal import Journal, Request
from benchmarks.perf.gpu.timing import timed

_SIZE = {"full": 8192, "tiny": 128}


def measure(request: Request, journal: Journal) -> None:
    """Record name, memory, versions, and the throughput of matrix products by arithmetic."""
    journal.write("card", card_name(request.device))
    journal.write("versions", versions())
    if request.device == "cuda":
        free, total = torch.cuda.mem_get_info()
        journal.write("memory GiB", {"free": free / 2**30, "total": total / 2**30})
        journal.write("capability", ".".join(map(str, torch.cuda.get_device_capability())))
    journal.write("TFLOP/s", peak_throughput(request.device, _SIZE[request.scale]))


def card_name(device: str) -> str:
    """Name of the GPU, or of the processor on `cpu`."""
    if device == "cuda":
        return torch.cuda.get_device_name()
    return platform.processor() or platform.machine()


def versions() -> dict[str, str | None]:
    """Versions that influence the results of a GPU; None for missing packages."""
    try:
        import triton

        found: str | None = triton.__version__
    except ImportError:
        found = None
    return {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "cuda": torch.version.cuda,
        "triton": found,
    }


def peak_throughput(device: str, size: int) -> dict[str, float]:
    """10^12 floating-point operations per second of square matrix products, by arithmetic."""
    found = {}
    for name, dtype in (("fp32", torch.float32), ("bf16", torch.bfloat16)):
        left = torch.randn(size, size, device=device, dtype=dtype)
        out = torch.empty_like(left)
        seconds = timed(lambda a=left, b=out: torch.mm(a, a, out=b), device, rounds=5)
        found[name] = 2 * size**3 / seconds / 1e12
    return found
