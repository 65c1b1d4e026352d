"""`dfbench data`: what lies on disk of a dataset."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click

from dfbench.cli.configuration import data_root_option, data_root_or_configured
from dfbench.cli.options import format_option
from dfbench.console import print_json

if TYPE_CHECKING:
    from dfbench.datasets.condition import Holding

_FOLDER = "folder"


@click.group("data")
def data_group() -> None:
    """Look after the images of a dataset."""


@data_group.command()
@click.argument("dataset")
@data_root_option
@click.option("--classes", help="Classes, separated by commas, or all: those that are there.")
@click.option("--decode", is_flag=True, help="Decode every image: finds truncated ones.")
@click.option("--duplicates", is_flag=True, help="Compare contents: finds files that are equal.")
@format_option("text", "json")
def verify(
    *,
    dataset: str,
    data_root: Path | None,
    classes: str | None,
    decode: bool,
    duplicates: bool,
    form: str,
) -> None:
    """Say what of DATASET is there, and what is wrong with it.

    DATASET is a published one or folder:PATH. Exit status: 0 if `dfbench run` can use it as it is,
    1 if not, 2 if there is no such dataset, folder or class, or nothing of the dataset in it.
    """
    from dfbench.datasets.condition import Looks, examined
    from dfbench.reporting.condition import condition_content, condition_layouts
    from dfbench.reporting.layout import print_layouts

    condition = examined(_holding(dataset, data_root, _names(classes)), Looks(decode, duplicates))
    if form == "json":
        print_json(condition_content(condition))
    else:
        print_layouts(condition_layouts(condition), form)
    sys.exit(0 if condition.usable else 1)


def _names(text: str | None) -> tuple[str, ...] | None:
    if text is None:
        return None
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _holding(dataset: str, data_root: Path | None, classes: tuple[str, ...] | None) -> Holding:
    name, _, argument = dataset.partition(":")
    if name == _FOLDER:
        from dfbench.datasets.folder_holding import folder_holding

        return folder_holding(argument, classes)
    from dfbench.datasets.known.holding import known_holding

    return known_holding(dataset, data_root_or_configured(data_root), classes)
