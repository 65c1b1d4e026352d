"""Pictures and files that a method saves with its run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from PIL import Image
from safetensors.torch import save
from torch import Tensor

from dfbench.errors import InvalidInput
from dfbench.learning.pool import to_bytes
from dfbench.need import PAIRS_FILE
from dfbench.system.files import atomic_path, write_json


class Artefacts:
    """A run's pictures and generated pairs; they do not affect its score."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def save_grid(self, name: str, images: Tensor, columns: int) -> Path:
        """Write images `[N, 3, H, W]` in [0, 1] as one PNG grid with `columns` columns."""
        from torchvision.utils import make_grid

        grid = make_grid(to_bytes(images).cpu(), nrow=columns, padding=1, pad_value=128)
        return self.save_image(name, Image.fromarray(grid.permute(1, 2, 0).numpy()))

    def save_image(self, name: str, image: Image.Image) -> Path:
        """Write a picture as `name.png`."""
        target = self._folder / "pictures" / f"{name}.png"
        with atomic_path(target) as temporary:
            image.save(temporary, format="PNG")
        return target

    def save_json(self, name: str, content: Any) -> Path:
        """Write the numbers behind a picture as `name.json`."""
        target = self._folder / "pictures" / f"{name}.json"
        write_json(target, content)
        return target

    def save_pairs(self, photos: Tensor, sketches: Tensor) -> Path:
        """Write generated pairs, uint8 `[N, 3, H, W]` each, for other methods to train on.

        `photos[i]` and `sketches[i]` are a pair. Images with equal channels are stored as one
        channel. Raises `InvalidInput` for other dtypes and shapes.
        """
        if len({photos.dtype, sketches.dtype, torch.uint8}) > 1 or photos.shape != sketches.shape:
            given = ", ".join(f"{t.dtype} {list(t.shape)}" for t in (photos, sketches))
            raise InvalidInput(f"save_pairs() of {given}; allowed: two uint8 [N, 3, H, W]")
        if photos.ndim != 4 or not len(photos):
            raise InvalidInput(
                f"save_pairs() of {list(photos.shape)}; allowed: [N, 3, H, W], N > 0"
            )
        target = self._folder / PAIRS_FILE
        with atomic_path(target) as temporary:
            temporary.write_bytes(save({"photo": _slim(photos), "sketch": _slim(sketches)}))
        return target


def _slim(images: Tensor) -> Tensor:
    grey = bool((images == images[:, :1]).all())
    return (images[:, :1] if grey else images).cpu().contiguous()
