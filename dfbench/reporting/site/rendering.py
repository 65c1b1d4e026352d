"""Pages from the shipped templates; every text is escaped unless it is markup of ours."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

import dfbench
from dfbench.files import atomic_path
from dfbench.reporting.cells import mean_and_deviation, metric_title, short
from dfbench.reporting.layout import RANKS
from dfbench.reporting.site.addresses import COMPARISON, OVERVIEW

ASSETS = "assets"
"""Style and scripts, in the package and in the report."""


def write_page(report: Path, address: str, template: str, content: Mapping[str, Any]) -> None:
    """Write a page; its `root` is the way back to the report's folder."""
    root = "../" * address.count("/")
    text = _environment().get_template(template).render(root=root, **content)
    write_text(report / address, text)


def write_text(target: Path, text: str) -> None:
    """Write a file of text."""
    with atomic_path(target) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_assets(report: Path) -> list[str]:
    """Copy style and scripts into a report; returns their addresses."""
    addresses = []
    for asset in sorted((files(__package__) / ASSETS).iterdir(), key=lambda entry: entry.name):
        addresses.append(f"{ASSETS}/{asset.name}")
        write_text(report / addresses[-1], asset.read_text(encoding="utf-8"))
    return addresses


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("dfbench.reporting.site"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "metric_title": metric_title,
        "short": short,
        "mean_and_deviation": mean_and_deviation,
    }
    environment.globals |= {
        "version": dfbench.__version__,
        "overview": OVERVIEW,
        "comparison": COMPARISON,
        "ranks": RANKS,
    }
    return environment
