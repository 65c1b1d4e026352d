"""Default folders and plugins, from the environment and the configuration file."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from dfbench.errors import InvalidConfig, InvalidInput, unknown_name
from dfbench.plugins.sources import PluginSources
from dfbench.system.files import absolute, entries, read_text

_KEYS = ("data-root",)
"""Keys of the configuration file."""
PLUGINS = "DFBENCH_PLUGINS"
"""Variable with the names of plugins or distributions to load, separated by commas."""


def user_cache() -> Path:
    """The user's cache folder."""
    from platformdirs import user_cache_path

    return absolute(user_cache_path("dfbench", appauthor=False))


def chosen_cache() -> Path:
    """The folder of `DFBENCH_CACHE`, else the user's cache folder."""
    named = os.environ.get("DFBENCH_CACHE")
    return absolute(Path(named)) if named else user_cache()


def chosen_plugins(files: Iterable[Path] = (), folder: Path | None = None) -> PluginSources:
    """Plugin files and a folder, as absolute paths for other processes, and `DFBENCH_PLUGINS`.

    If that variable is set but empty, only `files` are loaded. Raises `InvalidInput` for a folder
    that does not exist and `FileFault` for one that cannot be read.
    """
    if folder is not None and not folder.is_dir():
        what = "is a file" if folder.exists() else "does not exist"
        raise InvalidInput(
            f"plugins folder {str(folder)!r} {what}; allowed: a folder of Python files, with "
            "--plugins-dir DIR or DFBENCH_PLUGINS_DIR (to use none: unset DFBENCH_PLUGINS_DIR)"
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
    """The folder of `DFBENCH_PLUGINS_DIR`; None if it is unset."""
    named = os.environ.get("DFBENCH_PLUGINS_DIR")
    return Path(named) if named else None


def data_root_or_configured(given: Path | None) -> Path | None:
    """The data root of the command line or the environment, else that of the configuration file.

    Raises `InvalidConfig` if the file cannot be read, `UnknownName` for a key that is not allowed.
    """
    if given is not None:
        return absolute(given.expanduser())
    file = configuration_file()
    root = _content(file).get("data-root")
    if root is None:
        return None
    if not isinstance(root, str):
        raise InvalidConfig(f"data-root = {root!r} in '{file}'; allowed: data-root = \"PATH\"")
    return absolute(file.parent / Path(root).expanduser())


def configuration_file() -> Path:
    """Path of the configuration file; it need not exist."""
    from platformdirs import user_config_path

    return user_config_path("dfbench", appauthor=False) / "config.toml"


def _content(file: Path) -> dict[str, Any]:
    if not file.is_file():
        return {}
    import tomllib  # there rarely is a file

    try:
        content = tomllib.loads(read_text(file))
    except (OSError, ValueError) as fault:
        raise InvalidConfig(f"configuration file '{file}' cannot be read: {fault}") from fault
    for key in content:
        if key not in _KEYS:
            raise unknown_name("key of the configuration", key, _KEYS, str(file))
    return content
