"""`dfbench new`: a plugin package to start from."""

from __future__ import annotations

from pathlib import Path

import rich_click as click

from dfbench.defaults import chosen_plugins, chosen_plugins_folder
from dfbench.plugins.scaffold import Kind, check_free, new_package
from dfbench.system.console import output

_FOLDER = click.argument("folder", metavar="[DIR]", required=False, type=click.Path(path_type=Path))


@click.group("new")
def new_group() -> None:
    """Write a small, tested plugin package to start from."""


@new_group.command()
@click.argument("name")
@_FOLDER
def method(*, name: str, folder: Path | None) -> None:
    """Write a package that offers the method NAME; it passes dfbench check as it is."""
    _write("method", name, folder, f"dfbench check {name}")


@new_group.command()
@click.argument("name")
@_FOLDER
def dataset(*, name: str, folder: Path | None) -> None:
    """Write a package that offers the dataset NAME; it works with dfbench run as it is."""
    _write("dataset", name, folder, f"dfbench run --method classifier-only --dataset {name}")


@new_group.command()
@click.argument("name")
@_FOLDER
def network(*, name: str, folder: Path | None) -> None:
    """Write a package that offers the network NAME; it passes dfbench check as it is."""
    _write("network", name, folder, f"dfbench check {name}")


@new_group.command()
@click.argument("name")
@_FOLDER
def metric(*, name: str, folder: Path | None) -> None:
    """Write a package that offers the metric NAME; it passes dfbench check as it is."""
    _write("metric", name, folder, f"dfbench check {name}")


@new_group.command()
@click.argument("name")
@_FOLDER
def reranker(*, name: str, folder: Path | None) -> None:
    """Write a package that offers the re-ranker NAME; it passes dfbench check as it is."""
    _write("reranker", name, folder, f"dfbench check {name}")


def _write(kind: Kind, name: str, folder: Path | None, trial: str) -> None:
    from dfbench.plugins.host import PluginHost

    check_free(kind, name, PluginHost.of(chosen_plugins(folder=chosen_plugins_folder())))
    written = new_package(kind, name, folder)
    for file in sorted(file for file in written.rglob("*") if file.is_file()):
        output().print(str(file), markup=False)
    output().print(f"next: pip install -e '{written}[test]' && {trial}", markup=False)
