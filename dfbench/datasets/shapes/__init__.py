"""Drawn figures as a dataset: made on the spot, the same on every machine."""

from __future__ import annotations

from dfbench.datasets.shapes.dataset import open_shapes

__all__ = ["open_shapes"]
