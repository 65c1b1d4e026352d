"""What the shell offers for names: methods, variants, settings, datasets and runs; without torch.

Every command names these functions, and few calls are completions: what they need is imported
when one is called.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from dfbench.cli.completion_names import CompletionNames

_RUN = re.compile(r"(?P<title>.+)-(?P<identity>[0-9a-f]{8,})")


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
    from dfbench.cli.completion_names import known_names

    return known_names()


def _offered(names: Iterable[str], incomplete: str) -> list[str]:
    return [name for name in names if name.startswith(incomplete)]
