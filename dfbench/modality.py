"""The two modalities, photos and sketches; imports no NumPy."""

from __future__ import annotations

from typing import Literal

Modality = Literal["photo", "sketch"]
MODALITIES: tuple[Modality, Modality] = ("photo", "sketch")
