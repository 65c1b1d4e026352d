"""CIFAR-10 photos with Quick, Draw! drawings of the same classes: real data, fetched by command.

`dfbench data fetch cifar-quickdraw` brings them; a run never downloads anything by itself.
"""

from __future__ import annotations

from dfbench.datasets.cifar_quickdraw.dataset import open_cifar_quickdraw

__all__ = ["open_cifar_quickdraw"]
