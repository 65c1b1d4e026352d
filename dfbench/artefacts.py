"""Where a method leaves pictures and files of a run."""

from __future__ import annotations

from pathlib import Path

from PIL import Image
from torch import Tensor

from dfbench.files import atomic_path
from dfbench.learning.pool import to_bytes


class Artefacts:
    """A run's folder of pictures; nothing in it decides a score."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def save_grid(self, name: str, images: Tensor, columns: int) -> Path:
        """Write images `[N, 3, H, W]` in [0, 1] as one PNG, row by row, `columns` wide."""
        from torchvision.utils import make_grid

        grid = make_grid(to_bytes(images).cpu(), nrow=columns, padding=1, pad_value=128)
        target = self._folder / f"{name}.png"
        with atomic_path(target) as temporary:
            Image.fromarray(grid.permute(1, 2, 0).numpy()).save(temporary, format="PNG")
        return target
