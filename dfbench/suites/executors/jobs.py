"""What the jobs of a Slurm cluster ask for, and their submission through submitit."""

from __future__ import annotations

import math
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dfbench.errors import DfbenchError, InvalidInput, unknown_name
from dfbench.planning.plan import Plan
from dfbench.request import Limits
from dfbench.suites.executors.task import Resources, own_resources
from dfbench.version import install_command

if TYPE_CHECKING:
    from submitit import AutoExecutor

CLUSTER = "slurm"
"""What submitit submits to."""
_TEXTS = (
    *("account", "comment", "constraint", "dependency", "exclude", "exclusive", "gres"),
    *("mail_type", "mail_user", "mem", "mem_per_cpu", "mem_per_gpu", "nodelist", "partition"),
    *("qos", "wckey"),
)
_NUMBERS = ("max_num_timeout", "signal_delay_s", "time")
_LINES = ("setup", "srun_args", "teardown")
PARAMETERS = (*_TEXTS, *_NUMBERS, *_LINES)
"""Parameters that users may set, as submitit calls them."""
_REPEATS = "max_num_timeout"
"""Parameter of submitit itself: how often a job that is out of time is requeued."""
_OPTIONS = {"cpus_per_task": "--threads", "gpus_per_node": "--devices"}
"""Parameters that follow from options."""
_GENERIC = {"time": "timeout_min", **{key: key for key in _OPTIONS}}
"""Parameters that submitit has for all clusters, and their names there."""
_MEMORY = {"mem", "mem_per_cpu", "mem_per_gpu"}
_MARGIN_MINUTES = 15
"""Time of a job beyond that of its fit: to plan, embed and rank."""
_MARGIN_GIB = 2.0
"""Memory of a job beyond that of its fit: for the process that ranks."""


@dataclass(frozen=True)
class SlurmChoice:
    """Parameters of all jobs of a suite.

    Raises `UnknownName` for one that does not exist, `InvalidInput` for a wrong value.
    """

    parameters: Mapping[str, str]
    """As given, by names of submitit."""

    def __post_init__(self) -> None:
        for key, value in self.parameters.items():
            if key in _OPTIONS:
                raise InvalidInput(f"--slurm {key}={value}; allowed: {_OPTIONS[key]} {value}")
            if key not in PARAMETERS:
                raise unknown_name("--slurm key", key, PARAMETERS, "dfbench suite run --help")
            if not value:
                raise InvalidInput(f"--slurm {key}=; allowed: --slurm {key}=VALUE")
            if key in _NUMBERS and not (value.isascii() and value.isdigit() and int(value)):
                unit = " of minutes" if key == "time" else ""
                raise InvalidInput(
                    f"--slurm {key}={value}; allowed: a whole number{unit} from 1, e.g. "
                    f"--slurm {key}=90"
                )

    def require(self) -> None:
        """Raise `DfbenchError` if submitit is not installed, or jobs cannot be submitted here."""
        if find_spec("submitit") is None:
            raise DfbenchError(
                "--executor slurm needs submitit, which is not installed; "
                f"{install_command('slurm')}"
            )
        absent = [tool for tool in ("sbatch", "srun", "sacct") if shutil.which(tool) is None]
        if CLUSTER == "slurm" and absent:
            raise DfbenchError(
                f"--executor slurm needs {', '.join(absent)} of Slurm, not found on this machine; "
                "start the suite on a login node of the cluster"
            )

    def resources(self, plan: Plan, limits: Limits) -> Resources:
        """What a job of a plan asks for. Raises `InvalidInput` without a limit of time."""
        given: dict[str, int | float | str] = {
            key: int(value) if key in _NUMBERS else value for key, value in self.parameters.items()
        }
        if limits.timeout is None and "time" not in given:
            raise InvalidInput(
                "--executor slurm without a time limit; allowed: --timeout TIME for a fit, or "
                "--slurm time=MINUTES for a job"
            )
        own = own_resources(plan)
        asked: dict[str, int | float | str] = {"cpus_per_task": own["cpus"]}
        if own["gpus"] and "gres" not in given:
            asked["gpus_per_node"] = own["gpus"]
        if limits.timeout is not None:
            asked["time"] = math.ceil(limits.timeout / 60) + _MARGIN_MINUTES
        if limits.memory_limit is not None and not _MEMORY & {*given}:
            asked["mem"] = f"{math.ceil((limits.memory_limit + _MARGIN_GIB) * 1024)}M"
        return {**asked, **given}


def job_executor(folder: Path, name: str, resources: Resources) -> AutoExecutor:
    """An executor of submitit for one job, with its files in `folder`."""
    from submitit import AutoExecutor

    shared = {_GENERIC[key]: value for key, value in resources.items() if key in _GENERIC}
    rest = {key: _value(key, value) for key, value in resources.items() if key not in _GENERIC}
    repeats = {f"{CLUSTER}_{_REPEATS}": rest.pop(_REPEATS)} if _REPEATS in rest else {}
    executor = AutoExecutor(folder, CLUSTER, **repeats)
    of_slurm = {f"slurm_{key}": value for key, value in rest.items()}
    executor.update_parameters(name=name, **shared, **of_slurm)
    return executor


def _value(key: str, value: int | float | str) -> Any:
    """A value as submitit takes it: lines of the batch script are a list."""
    if key in _LINES:
        return [value]
    return True if (key, value) == ("exclusive", "true") else value
