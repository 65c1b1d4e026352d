"""The user's configuration file, and the data root that it may name."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import rich_click as click

from dfbench.cli.path import AbsolutePath
from dfbench.errors import InvalidConfig, unknown_name
from dfbench.files import absolute
from dfbench.text_file import read_text

Command = Callable[..., Any]
_KEYS = ("data-root",)


def data_root_option(command: Command) -> Command:
    """Add `--data-root`, the folder of published datasets."""
    option = click.option(
        "--data-root",
        type=AbsolutePath(),
        envvar="DFBENCH_DATA",
        show_envvar=True,
        metavar="PATH",
        help="Folder in which published datasets lie, in any of the usual layouts; default: "
        'data-root = "PATH" in dfbench/config.toml of the user\'s configuration folder.',
    )
    return option(command)


def data_root_or_configured(given: Path | None) -> Path | None:
    """The data root of the command line or the environment, else that of the configuration file.

    Raises `InvalidConfig` if the file cannot be read, `UnknownName` for a key it may not have.
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
    """Where the configuration file is looked for; it need not exist."""
    from platformdirs import user_config_path

    return user_config_path("dfbench", appauthor=False) / "config.toml"


def _content(file: Path) -> dict[str, Any]:
    if not file.is_file():
        return {}
    try:
        content = tomllib.loads(read_text(file))
    except (OSError, ValueError) as fault:
        raise InvalidConfig(f"configuration file '{file}' cannot be read: {fault}") from fault
    for key in content:
        if key not in _KEYS:
            raise unknown_name("key of the configuration", key, _KEYS, str(file))
    return content
