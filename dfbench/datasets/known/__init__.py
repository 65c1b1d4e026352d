"""Sketchy, TU-Berlin, QuickDraw and PACS, in any of their common folder layouts.

The facts about each dataset (classes, spellings, places, splits, published counts) are stored with
their sources in the `.toml` files of this package.
"""

from __future__ import annotations

from dfbench.datasets.known.inventory import Inventory, inventory
from dfbench.datasets.known.layout import Problem
from dfbench.datasets.known.opening import (
    open_pacs,
    open_quickdraw,
    open_sketchy,
    open_sketchy_ext,
    open_tuberlin,
)
from dfbench.datasets.known.variants import VARIANTS, Variant, variant
from dfbench.datasets.known.verification import (
    class_shortfalls,
    listed_but_missing,
    total_shortfalls,
)

__all__ = [
    "VARIANTS",
    "Inventory",
    "Problem",
    "Variant",
    "class_shortfalls",
    "inventory",
    "listed_but_missing",
    "open_pacs",
    "open_quickdraw",
    "open_sketchy",
    "open_sketchy_ext",
    "open_tuberlin",
    "total_shortfalls",
    "variant",
]
