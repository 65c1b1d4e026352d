"""Photos and sketches: the two modalities; free of NumPy."""

from __future__ import annotations

from typing import Literal

Modality = Literal["photo", "sketch"]
MODALITIES: tuple[Modality, Modality] = ("photo", "sketch")
