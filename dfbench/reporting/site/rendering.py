"""Renders pages from the shipped templates and writes them; addresses of pages and files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from dfbench.records.record import Record
from dfbench.records.store import file_name
from dfbench.reporting.cells import mean_and_deviation, metric_title, short
from dfbench.reporting.tables.layout import RANKS
from dfbench.system.files import atomic_path
from dfbench.version import __version__

OVERVIEW = "index.html"
COMPARISON = "compare.html"
_KEY_LENGTH = 12
_FINGERPRINT_LENGTH = 6


def run_key(record: Record) -> str:
    """Identifier of a run in file names and in the comparison script."""
    return record.eval_id[:_KEY_LENGTH]


def run_page(record: Record) -> str:
    """Address of a run's page."""
    return f"runs/{file_name(record.method.label)}-s{record.seed}-{run_key(record)}.html"


def table_page(table: Sequence[Record]) -> str:
    """Address of the page of a dataset and scenario, given the records of its table."""
    return f"data/{_place(table[0])}.html"


def values_file(record: Record) -> str:
    """Address of the per-query values of a run."""
    return f"queries/{run_key(record)}.js"


def queries_key(record: Record) -> str:
    """Equal for runs with the same queries."""
    return f"{_place(record)}-s{record.seed}"


def queries_file(record: Record) -> str:
    """Address of the classes of the queries that runs share."""
    return f"queries/{queries_key(record)}.js"


def _place(record: Record) -> str:
    fingerprint = file_name(record.data.fingerprint)[:_FINGERPRINT_LENGTH]
    return f"{file_name(record.data.name)}-{file_name(record.scenario_title)}-{fingerprint}"


ASSETS = "assets"
"""Styles and scripts, in the package and in the report."""


def write_page(report: Path, address: str, template: str, content: Mapping[str, Any]) -> None:
    """Write a page; its variable `root` is the relative path to the report's folder."""
    root = "../" * address.count("/")
    text = _environment().get_template(template).render(root=root, **content)
    write_text(report / address, text)


def write_text(target: Path, text: str) -> None:
    """Write a text file."""
    with atomic_path(target) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_assets(report: Path) -> list[str]:
    """Copy styles and scripts into a report; returns their addresses."""
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
        "version": __version__,
        "overview": OVERVIEW,
        "comparison": COMPARISON,
        "ranks": RANKS,
    }
    return environment
