"""What the shell offers for names: methods, variants, settings, datasets and runs; without torch.

Variants and settings need the code of methods, which imports torch. They come from a file that
`dfbench completion` keeps in the cache folder; without it only methods and datasets are offered.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click
from pydantic import BaseModel, ConfigDict, ValidationError

from dfbench.defaults import chosen_cache, chosen_plugins, chosen_plugins_folder
from dfbench.errors import DfbenchError

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

FILE = "completion.json"
_RUN = re.compile(r"(?P<title>.+)-(?P<identity>[0-9a-f]{8,})")


class CompletionNames(BaseModel):
    """The names that plugins offer."""

    model_config = ConfigDict(defer_build=True)  # every command imports this module

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


def complete_method(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Methods, and after a bracket the variants of one."""
    del ctx, param
    names = _names()
    name, bracket, _ = incomplete.partition("[")
    if bracket:
        return _offered((f"{name}[{one}]" for one in names.variants.get(name, ())), incomplete)
    return _offered(names.variants, incomplete)


def complete_dataset(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Datasets."""
    del ctx, param
    return _offered(_names().datasets, incomplete)


def complete_setting(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Settings of the method that was named before, of the budget and of the teachers."""
    del param
    names = _names()
    method = str(ctx.params.get("method") or "").partition("[")[0]
    keys = (*names.settings.get(method, ()), *names.shared)
    return _offered((f"{key}=" for key in keys), incomplete)


def complete_run(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Identities of the records in the results folder, each with its method and seed."""
    from click.shell_completion import CompletionItem

    del param
    results = Path(str(ctx.params.get("results") or "results"))
    return [
        CompletionItem(identity, help=title)
        for identity, title in _runs(results)
        if identity.startswith(incomplete)
    ]


def _runs(results: Path) -> Iterator[tuple[str, str]]:
    try:
        files = sorted(results.glob("*/*.json"))
    except OSError:
        return
    for file in files:
        match = _RUN.fullmatch(file.stem)
        if match:
            yield match["identity"], f"{file.parent.name}, {match['title']}"


def _names() -> CompletionNames:
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


def _offered(names: Iterable[str], incomplete: str) -> list[str]:
    return [name for name in names if name.startswith(incomplete)]
