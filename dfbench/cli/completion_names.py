"""The names that plugins offer to a shell, kept in the cache folder by `dfbench completion`.

Variants and settings need the code of methods, which imports torch. They come from that file;
without it only methods and datasets are known.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from dfbench.defaults import chosen_cache, chosen_plugins, chosen_plugins_folder
from dfbench.errors import DfbenchError

FILE = "completion.json"


class CompletionNames(BaseModel):
    """The names that plugins offer."""

    model_config = ConfigDict(defer_build=True)

    plugins: tuple[tuple[str, str, float], ...] = ()
    """Origin, version and change time of the plugins that were asked."""
    variants: dict[str, tuple[str, ...]] = {}
    """By method."""
    settings: dict[str, tuple[str, ...]] = {}
    """By method."""
    shared: tuple[str, ...] = ()
    """Settings of the budget and the teachers, with their prefixes."""
    datasets: tuple[str, ...] = ()


def stored_names(cache: Path) -> CompletionNames | None:
    """The names in the cache folder; None without a file that this version can read."""
    try:
        return CompletionNames.model_validate_json((cache / FILE).read_bytes())
    except (OSError, ValidationError):
        return None


def known_names() -> CompletionNames:
    """What the shell can be told; nothing where a plugin or folder does not work."""
    try:
        found = stored_names(chosen_cache())
        return found or _without_code()
    except DfbenchError:
        return CompletionNames()


def _without_code() -> CompletionNames:
    from dfbench.plugins.host import PluginHost

    host = PluginHost.of(chosen_plugins((), chosen_plugins_folder()))
    return CompletionNames(
        variants=dict.fromkeys(host.methods, ()), datasets=tuple(dataset_names(host))
    )


def dataset_names(host: Any) -> Iterator[str]:
    """Datasets of a plugin host; one that takes an argument ends in a colon."""
    for name, offer in host.datasets.items():
        yield f"{name}:" if offer.spec.argument else name
