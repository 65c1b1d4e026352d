"""A connection to a Ray cluster, or to a temporary one on this machine."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from dfbench.errors import DfbenchError, InvalidInput
from dfbench.version import install_command

CONNECT_SECONDS = 30.0
"""Seconds after which a cluster without an answer counts as unreachable."""
_SOCKET_SECONDS = 5.0
_ROUNDING = 1e-9
_HOST_AND_PORT = re.compile(r"(ray://)?\[?(?P<host>[^/\[\]]+?)\]?:(?P<port>\d+)")
_CONNECT = "import sys, ray; ray.init(address=sys.argv[1], log_to_driver=False)"


class Unreachable(DfbenchError):
    """A cluster that does not answer."""


@dataclass(frozen=True)
class ClusterChoice:
    """The cluster, and the GPU share of a run."""

    address: str | None
    """None starts one on this machine while the suite runs."""
    gpus_per_run: float | None
    """Share of a GPU; None means a whole GPU for runs on `cuda`, and none for others."""

    def require(self) -> None:
        """Raise `DfbenchError` if Ray is not installed."""
        if find_spec("ray") is None:
            raise DfbenchError(
                f"--executor ray needs Ray, which is not installed; {install_command('ray')}"
            )

    def gpus(self, device: str, devices: int = 1) -> float:
        """What a run takes, on so many devices. Raises `InvalidInput` for what it cannot use."""
        if self.gpus_per_run is None:
            return float(devices if device == "cuda" else 0)
        if device != "cuda":
            raise InvalidInput(
                f"--gpus-per-run {self.gpus_per_run:g} for runs on {device!r}; allowed only with "
                "--device cuda"
            )
        if devices > 1:
            raise InvalidInput(
                f"--gpus-per-run {self.gpus_per_run:g} with --devices {devices}; allowed: one of "
                "the two"
            )
        return self.gpus_per_run


@dataclass(frozen=True)
class Share:
    """The resources of a node that one run takes."""

    cpus: int
    gpus: float

    def times_in(self, resources: dict[str, float]) -> int:
        """Number of concurrent runs with these resources."""
        times = resources.get("CPU", 0.0) / self.cpus
        if self.gpus:
            times = min(times, resources.get("GPU", 0.0) / self.gpus)
        return int(times + _ROUNDING)


@dataclass(frozen=True)
class Cluster:
    """A cluster that this process is connected to."""

    nodes: tuple[dict[str, float], ...]
    """Resources of each node."""

    @property
    def cpus(self) -> int:
        """CPUs of all nodes."""
        return int(sum(node.get("CPU", 0.0) for node in self.nodes))

    @property
    def node_cpus(self) -> int:
        """CPUs of the largest node."""
        return int(max(node.get("CPU", 0.0) for node in self.nodes))

    def capacity(self, share: Share) -> int:
        """Number of concurrent runs on all nodes."""
        return sum(share.times_in(node) for node in self.nodes)

    def __str__(self) -> str:
        return "; ".join(
            f"{node.get('CPU', 0.0):g} CPUs and {node.get('GPU', 0.0):g} GPUs"
            for node in self.nodes
        )


@contextmanager
def connected(address: str | None, cpus: int) -> Iterator[Cluster]:
    """A connection to the cluster at an address; without one, a cluster of `cpus` on this machine.

    Raises `Unreachable` within `CONNECT_SECONDS` and some seconds.
    """
    # No usage statistics by default; a running cluster keeps its own setting.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    if address is not None:
        _try(address)
    import ray

    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
    # Ray always reports dead workers on standard output, which is reserved for results.
    with redirect_stdout(sys.stderr):
        try:
            if address is None:
                ray.init(address="local", num_cpus=cpus, include_dashboard=False, **quiet)
            else:
                ray.init(address=address, **quiet)
            nodes = (node["Resources"] for node in ray.nodes() if node["Alive"])
            yield Cluster(tuple(nodes))
        finally:
            ray.shutdown()


@contextmanager
def not_started(address: str | None, cpus: int, *, gpus: int) -> Iterator[Cluster]:
    """Like `connected`, but without an address the resources of the cluster that would start."""
    if address is None:
        yield Cluster(({"CPU": float(cpus), "GPU": float(gpus)},))
        return
    with connected(address, cpus) as cluster:
        yield cluster


def _try(address: str) -> None:
    """Connect from another process first: Ray waits for minutes and can only be killed."""
    parts = _HOST_AND_PORT.fullmatch(address)
    if parts is None and address != "auto":
        raise InvalidInput(
            f"--address {address!r}; allowed: HOST:PORT, ray://HOST:PORT, or auto for the cluster "
            "running on this machine"
        )
    if parts is not None:
        try:
            socket.create_connection((parts["host"], int(parts["port"])), _SOCKET_SECONDS).close()
        except (OSError, OverflowError) as fault:
            raise _unreachable(address, str(fault)) from fault
    command = [sys.executable, "-c", _CONNECT, address]
    try:
        trial = subprocess.run(
            command, capture_output=True, text=True, timeout=CONNECT_SECONDS, check=False
        )
    except subprocess.TimeoutExpired as fault:
        raise _unreachable(address, f"no answer within {CONNECT_SECONDS:g} s") from fault
    if trial.returncode:
        raise _unreachable(address, _cause(trial))


def _cause(trial: subprocess.CompletedProcess[str]) -> str:
    if "InvalidAuthToken" in trial.stderr:
        return "it requires a token: set RAY_AUTH_MODE=token, and RAY_AUTH_TOKEN if Ray has none"
    lines = trial.stderr.strip().splitlines()
    return lines[-1] if lines else f"exit status {trial.returncode}"


def _unreachable(address: str, why: str) -> Unreachable:
    return Unreachable(
        f"no Ray cluster at --address {address!r} ({why}); nothing was started; see `ray status` "
        "there, and `ray start --address` to join this machine to it"
    )
