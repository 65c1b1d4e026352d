"""CIFAR-10 photos with Quick, Draw! drawings of the same classes: real data, downloaded on request.

`dfbench data fetch cifar-quickdraw` downloads them; runs never download anything.
"""

from __future__ import annotations

from dfbench.datasets.cifar_quickdraw.dataset import open_cifar_quickdraw

__all__ = ["open_cifar_quickdraw"]
