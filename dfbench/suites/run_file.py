"""The file of one run: its options in TOML, under the keys that they have in a suite."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field

from dfbench.request import ExternalOptions, Limits, MachineOptions, Settings
from dfbench.suites.file import (
    PREFIXED,
    DatasetOptions,
    Name,
    Seed,
    SettingTable,
    bad_settings,
    checked_file,
    missing_plugins,
    plugin_file,
)
from dfbench.suites.positions import KeyPath
from dfbench.system.files import absolute

_FOLDER = "folder:"


class RunTable(MachineOptions, Limits):
    """Devices, threads and limits."""


class _RunKeys(DatasetOptions):
    """The content of a run file; a suite has `methods`, `datasets`, `scenarios` and `seeds`."""

    method: Name | None = None
    dataset: Name | None = None
    scenario: Name | None = None
    seed: Seed | None = None
    plugins: tuple[Name, ...] = ()
    config: SettingTable = Field(default_factory=dict)
    """Settings of the method."""
    budget: SettingTable = Field(default_factory=dict)
    teachers: SettingTable = Field(default_factory=dict)
    run: RunTable = RunTable()


_TABLES: Mapping[str, type[BaseModel]] = {"run": RunTable}


@dataclass(frozen=True)
class RunFile:
    """The options of a run file; its relative paths begin in its folder."""

    options: Mapping[str, Any]
    """Those that it gives, by their names on the command line, without settings."""
    settings: Mapping[str, str]
    """Settings by key, as `--set` takes them."""
    plugins: tuple[Path, ...]


def read_run_file(path: Path) -> RunFile:
    """Read and check a run file.

    Raises `InvalidInput` for a file that cannot be read, `InvalidSuite` with all errors, one per
    line.
    """
    keys, _ = checked_file(path, _RunKeys, "run", _TABLES, partial(_contradictions, path))
    owned = {"budget": keys.budget, "teachers": keys.teachers}
    prefixed = {f"{owner}.{k}": v for owner, table in owned.items() for k, v in table.items()}
    return RunFile(
        options=_from_folder(path.parent, _options(keys)),
        settings=dict(Settings({**keys.config, **prefixed}).from_folder(path.parent)),
        plugins=tuple(plugin_file(path, name) for name in keys.plugins),
    )


def _options(keys: _RunKeys) -> dict[str, Any]:
    named = {name: getattr(keys, name) for name in ("method", "dataset", "scenario", "seed")}
    of_machine = {name: getattr(keys.run, name) for name in keys.run.model_fields_set}
    return {k: v for k, v in named.items() if v is not None} | keys.given | of_machine


def _from_folder(base: Path, options: dict[str, Any]) -> dict[str, Any]:
    """The options with the absolute paths of image folders and of teachers' files."""
    for key in ("dataset", "alternative"):
        name = options.get(key)
        if name and name.startswith(_FOLDER) and name != _FOLDER:
            place = Path(name.removeprefix(_FOLDER)).expanduser()
            options[key] = f"{_FOLDER}{absolute(base / place)}"
    for key in ExternalOptions.model_fields:
        if (
            options.get(key)
            and (file := absolute(base / Path(options[key]).expanduser())).is_file()
        ):
            options[key] = str(file)
    return options


def _contradictions(path: Path, keys: _RunKeys) -> Iterator[tuple[KeyPath, str]]:
    yield from missing_plugins(path, keys.plugins)
    yield from bad_settings((), keys.budget, keys.teachers)
    yield from ((("config", key), PREFIXED) for key in keys.config if "." in key)
