"""The machine and code versions of this process, without names or paths."""

from __future__ import annotations

import platform
import subprocess
from importlib.metadata import version
from pathlib import Path

from dfbench.records.record import Environment
from dfbench.version import __version__

_PACKAGES = ("torch", "torchvision", "numpy", "pillow")


def read_environment(device: str, threads: int) -> Environment:
    """The environment of this process, computing on `device` with `threads` threads."""
    source = Path(__file__).resolve().parents[2]
    commit = _git(source, "rev-parse", "HEAD")
    changes = _git(source, "status", "--porcelain", "--", "dfbench", "plugins", "pyproject.toml")
    return Environment(
        dfbench=__version__,
        python=platform.python_version(),
        packages={name: version(name) for name in _PACKAGES},
        device=_device_model(device),
        threads=threads,
        commit=commit,
        dirty=None if changes is None else bool(changes),
    )


def _device_model(device: str) -> str:
    if device.startswith("cuda"):
        import torch

        return torch.cuda.get_device_name(device)
    return _processor() or platform.machine()


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":")[1].strip() for line in lines if "model name" in line), "")


def _git(folder: Path, *arguments: str) -> str | None:
    if not (folder / ".git").exists():
        return None
    # Without optional locks, so that reading the tree does not block a commit.
    command = ["git", "--no-optional-locks", "-C", str(folder), *arguments]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return answer.stdout.strip()
