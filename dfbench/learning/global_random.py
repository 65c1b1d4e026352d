"""The random generators that everybody shares, as something a checkpoint can hold."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch


class GlobalRandomState:
    """The generators that torch, NumPy and Python share with whoever does not bring one along."""

    def state_dict(self) -> dict[str, Any]:
        """The states of all of them; torch's on the processor and on the GPU in use."""
        kind, keys, *rest = np.random.get_state(legacy=True)
        on_gpu = torch.cuda.is_initialized()  # type: ignore[no-untyped-call]  # torch's stub
        return {
            "torch": torch.get_rng_state(),
            "cuda": torch.cuda.get_rng_state() if on_gpu else None,
            "numpy": (kind, torch.from_numpy(np.array(keys, np.int64)), *rest),
            "python": random.getstate(),
        }

    def load_state_dict(self, state: Mapping[str, Any], /) -> None:
        """Continue from stored states."""
        torch.set_rng_state(state["torch"])
        if state["cuda"] is not None:
            torch.cuda.set_rng_state(state["cuda"])
        kind, keys, *rest = state["numpy"]
        np.random.set_state((kind, keys.numpy().astype(np.uint32), *rest))
        random.setstate(state["python"])
