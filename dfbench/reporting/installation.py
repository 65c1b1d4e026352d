"""What is installed and found on this machine: versions, devices, places, datasets, plugins."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, TypeVar

from dfbench.datasets.cifar_quickdraw.source import home_folder
from dfbench.datasets.known.layout import recognised
from dfbench.datasets.known.variants import VARIANTS
from dfbench.defaults import configuration_file, data_root_or_configured
from dfbench.errors import DfbenchError
from dfbench.plugins.host import Plugin, PluginHost
from dfbench.plugins.sources import PluginSources
from dfbench.records.environment import read_environment
from dfbench.records.store import BadRecord, ResultStore
from dfbench.system.files import check_writable, entries
from dfbench.system.machine import DiskUse, available_cores, disk_use

_Result = TypeVar("_Result")

_EXTRAS = (
    *("timm", "onnx", "onnxruntime", "ray", "pyarrow", "tensorboard"),
    *("torchmetrics", "faiss-cpu"),
)
"""Distributions of optional extras, and of test references."""
_TOLD = ("name", "distribution", "version", "state", "origin", "error", "place")


@dataclass(frozen=True)
class PlaceUse:
    """A folder that dfbench reads or writes."""

    name: str
    path: Path | None
    """None where none is set."""
    use: DiskUse | None = None
    """None for a folder that is only named."""
    note: str = ""


@dataclass
class Installation:
    """Everything that `dfbench doctor` tells."""

    versions: dict[str, str] = field(default_factory=dict)
    extras: dict[str, str | None] = field(default_factory=dict)
    """Optional packages; None for one that is not installed."""
    machine: dict[str, str] = field(default_factory=dict)
    places: list[PlaceUse] = field(default_factory=list)
    datasets: dict[str, str] = field(default_factory=dict)
    """What is found of each dataset on disk."""
    plugins: list[Plugin] = field(default_factory=list)
    variables: dict[str, str] = field(default_factory=dict)
    """Environment variables that dfbench, torch and Python read."""
    problems: list[str] = field(default_factory=list)

    def content(self) -> dict[str, Any]:
        """All of it, ready for JSON."""
        return {
            "versions": self.versions,
            "extras": self.extras,
            "machine": self.machine,
            "places": [
                {
                    "name": one.name,
                    "path": None if one.path is None else str(one.path),
                    "use": None if one.use is None else asdict(one.use),
                    "note": one.note,
                }
                for one in self.places
            ],
            "datasets": self.datasets,
            "plugins": [{key: getattr(one, key) for key in _TOLD} for one in self.plugins],
            "variables": self.variables,
            "problems": self.problems,
        }


def examine(
    sources: Callable[[], PluginSources],
    *,
    results: Path,
    runs: Path,
    cache: Path,
    data_root: Path | None,
) -> Installation:
    """Look at everything; whatever fails is a problem in the result, not an exception."""
    found = Installation()
    _versions(found)
    _machine(found)
    root = _attempt(found, "data root", lambda: data_root_or_configured(data_root))
    _places(found, results, runs, cache, root)
    _datasets(found, cache, root)
    host = _attempt(found, "plugins", lambda: PluginHost.of(sources()))
    found.plugins = host.plugins if host else []
    found.problems += [
        f"plugin {one.name!r} does not work: {one.place or one.origin}: {one.error}"
        for one in found.plugins
        if one.error
    ]
    return found


def _attempt(found: Installation, subject: str, look: Callable[[], _Result]) -> _Result | None:
    try:
        return look()
    except DfbenchError as fault:
        found.problems.append(f"{subject}: {str(fault).splitlines()[0]}")
    except Exception as fault:  # noqa: BLE001 - a broken installation may fail in any way
        found.problems.append(f"{subject}: {type(fault).__name__}: {fault}".splitlines()[0])
    return None


def _versions(found: Installation) -> None:
    code = _attempt(found, "versions", lambda: read_environment("cpu", 1))
    if code is not None:
        state = {None: "", False: "", True: ", with uncommitted changes"}[code.dirty]
        found.versions = {
            "dfbench": code.dfbench,
            **({"commit": f"{code.commit}{state}"} if code.commit else {}),
            "python": code.python,
            **code.packages,
        }
        found.machine["processor"] = code.device
    found.extras = {name: _installed(name) for name in _EXTRAS}
    found.variables = {
        name: value
        for name, value in sorted(os.environ.items())
        if name.startswith("DFBENCH_") or name in ("CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS")
    }


def _installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _machine(found: Installation) -> None:
    found.machine = {
        "system": platform.platform(),
        **found.machine,
        "cores": str(available_cores()),
    }
    if "SC_PHYS_PAGES" in os.sysconf_names:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        found.machine["memory"] = f"{memory / 2**30:.1f} GiB"
    gpus = _attempt(found, "torch", lambda: list(_gpus()))
    if gpus is not None:
        found.machine["gpus"] = "; ".join(gpus) or "none that torch can use"


def _gpus() -> Iterator[str]:
    import torch

    for index in range(torch.cuda.device_count()):
        facts = torch.cuda.get_device_properties(index)
        yield f"{facts.name}, {facts.total_memory / 2**30:.0f} GiB, CUDA {torch.version.cuda}"


def _places(found: Installation, results: Path, runs: Path, cache: Path, root: Path | None) -> None:
    counted = _attempt(found, "results", lambda: _records(results))
    told = ""
    if counted is not None:
        told = f"{counted[0]} records"
        found.problems += [f"results: {problem}" for problem in counted[1]]
    found.places = [PlaceUse("results", results, disk_use(results), told)]
    found.places.append(PlaceUse("runs", runs, disk_use(runs)))
    found.places.append(PlaceUse("cache", cache, disk_use(cache)))
    found.places += [
        PlaceUse(f"cache/{folder.name}", folder, disk_use(folder))
        for folder in _attempt(found, "cache", lambda: entries(cache)) or ()
        if folder.is_dir()
    ]
    found.places.append(PlaceUse("data root", root))
    file = configuration_file()
    found.places.append(
        PlaceUse("configuration", file, note="" if file.is_file() else "no such file")
    )
    for name, folder in (("results", results), ("runs", runs), ("cache", cache)):
        _attempt(found, name, partial(check_writable, folder / "record.json"))


def _records(results: Path) -> tuple[int, tuple[BadRecord, ...]]:
    store = ResultStore(results)
    return len(list(store)), store.problems


def _datasets(found: Installation, cache: Path, root: Path | None) -> None:
    found.datasets["shapes"] = "drawn on demand"
    home = home_folder(root, cache / "images")
    found.datasets["cifar-quickdraw"] = (
        f"in {home}" if home.is_dir() else "not found; dfbench data fetch cifar-quickdraw"
    )
    for name, variant in VARIANTS.items():
        if root is None:
            found.datasets[name] = "no data root is set"
            continue
        places = _attempt(found, f"dataset {name}", partial(recognised, variant.known, root))
        kinds = [f"{kind} ({one.place.layout})" for kind, one in (places or {}).items()]
        found.datasets[name] = ", ".join(kinds) if kinds else f"not found in {root}"
