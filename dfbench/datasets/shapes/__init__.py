"""A dataset of drawn figures, generated locally and identical on every machine."""

from __future__ import annotations

from dfbench.datasets.shapes.dataset import open_shapes

__all__ = ["open_shapes"]
