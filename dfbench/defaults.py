"""Where things lie, and which plugins count, if a user says nothing else."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from dfbench.errors import InvalidInput
from dfbench.files import absolute, entries
from dfbench.runs.request import PluginSources

PLUGINS = "DFBENCH_PLUGINS"
"""Names of plugins or distributions, separated by commas; no other is loaded."""


def user_cache() -> Path:
    """The user's cache folder."""
    from platformdirs import user_cache_path

    return absolute(user_cache_path("dfbench", appauthor=False))


def chosen_cache() -> Path:
    """The folder that `DFBENCH_CACHE` names, else the user's."""
    named = os.environ.get("DFBENCH_CACHE")
    return absolute(Path(named)) if named else user_cache()


def chosen_plugins(files: Iterable[Path] = (), folder: Path | None = None) -> PluginSources:
    """Plugin files and a folder, as absolute paths for other processes, and `DFBENCH_PLUGINS`.

    That variable set to nothing loads none but `files`. Raises `InvalidInput` for a folder that is
    not there and `FileFault` for one that cannot be read.
    """
    if folder is not None and not folder.is_dir():
        what = "is a file" if folder.exists() else "does not exist"
        raise InvalidInput(
            f"folder of plugins {str(folder)!r} {what}; allowed: a folder of Python files, with "
            "--plugins-dir DIR or DFBENCH_PLUGINS_DIR (without it: unset DFBENCH_PLUGINS_DIR)"
        )
    if folder is not None:
        entries(folder)
    names = os.environ.get(PLUGINS)
    return PluginSources(
        files=tuple(absolute(Path(file)).resolve() for file in files),
        folder=absolute(folder).resolve() if folder else None,
        only=None if names is None else tuple(filter(None, map(str.strip, names.split(",")))),
    )


def chosen_plugins_folder() -> Path | None:
    """The folder that `DFBENCH_PLUGINS_DIR` names."""
    named = os.environ.get("DFBENCH_PLUGINS_DIR")
    return Path(named) if named else None
