"""Licences of datasets, as their publishers state them."""

from __future__ import annotations

import tomllib
from importlib.resources import files


def licence_of(dataset: str) -> str | None:
    """The licence of a dataset's images, in one line; None if dfbench knows none."""
    text = files("dfbench.datasets").joinpath("licences.toml").read_text(encoding="utf-8")
    licence: str | None = tomllib.loads(text).get(dataset)
    return licence
