"""The values of each query in a run's folder, from which paired comparisons are made."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dfbench.system.files import atomic_path


def per_query_file(folder: Path, representation: str = "", reranking: str = "") -> Path:
    """The file of a representation; the name of the headline is empty.

    `reranking` is the identity of a re-ranking; without one, the file is that of the plain ranking.
    """
    parts = ("per_query", representation, f"reranked-{reranking[:16]}" if reranking else "")
    return folder / f"{'-'.join(filter(None, parts))}.npz"


def write_per_query(file: Path, values: Mapping[str, NDArray[np.float64]]) -> None:
    """Store the values `[Q]` of each query by metric, in dataset order."""
    with atomic_path(file) as temporary, temporary.open("wb") as target:
        np.savez_compressed(target, **values)  # type: ignore[arg-type]  # numpy's stub takes the names for its own flag
