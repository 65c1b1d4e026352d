"""Embeddings and labels as given, checked once, so that the engines can trust them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from dfbench.errors import InvalidInput

Array: TypeAlias = npt.NDArray[Any] | Tensor
"""Embeddings as the user has them: a NumPy array (memory-mapped or not) or a torch tensor."""

BLOCK = 8192
"""Rows that are converted at a time when embeddings are not float32 already."""

_LARGEST_NORM = 1e18
_SMALLEST_NORM = 1e-18


@dataclass(frozen=True)
class Vectors:
    """Finite embeddings [N, D], read in blocks as float32; made by `vectors`."""

    name: str
    source: Array
    device: torch.device
    norms: Tensor
    """Euclidean norms, [N], float32, on the device."""
    origin: Tensor | None = None
    """Subtracted from every row, [D], float32; None for no shift."""

    def __len__(self) -> int:
        return int(self.source.shape[0])

    @property
    def dim(self) -> int:
        """Components of a row."""
        return int(self.source.shape[1])

    def rows(self, start: int, stop: int) -> Tensor:
        """Rows [stop - start, D], float32, on the device; a view where nothing has to be done."""
        block = _float32(self.source[start:stop], self.device)
        return block if self.origin is None else block - self.origin

    def take(self, index: Tensor) -> Tensor:
        """Rows [len(index), D], float32, on the device, for indices on the CPU."""
        at: Any = index.numpy() if isinstance(self.source, np.ndarray) else index
        block = _float32(self.source[at], self.device)
        return block if self.origin is None else block - self.origin

    def blocks(self) -> list[tuple[int, int]]:
        """Bounds of consecutive blocks that cover all rows."""
        return [(start, min(start + BLOCK, len(self))) for start in range(0, len(self), BLOCK)]

    def spans(self) -> list[tuple[int, int]]:
        """Bounds that cover all rows in as few pieces as memory allows: one, if `rows` is a view.

        Threads meet at the end of every piece, so fewer pieces wait less.
        """
        ready = self.origin is None and _is_ready(self.source, self.device)
        return [(0, len(self))] if ready else self.blocks()

    def centred(self, origin: Tensor) -> Vectors:
        """The same rows minus `origin`, with their own norms."""
        moved = Vectors(self.name, self.source, self.device, self.norms, origin)
        norms = torch.cat([_norms(moved.rows(*bounds)) for bounds in self.blocks()])
        return Vectors(self.name, self.source, self.device, norms, origin)

    def mean(self) -> Tensor:
        """Mean row, [D], float32, summed in float64."""
        sums = [self.rows(*bounds).double().sum(0) for bounds in self.blocks()]
        return (torch.stack(sums).sum(0) / len(self)).float()


def vectors(name: str, data: Array, device: torch.device) -> Vectors:
    """Check embeddings; `name` ("queries") is what messages call them.

    float32 is used as it is; float64 is rounded to it; half precision and integers are converted
    exactly (integers beyond 2^24 are rounded). Raises `InvalidInput` for anything that is not a
    matrix of such numbers, for no rows or no columns, and for a row with NaN, infinity or a norm
    of 1e18 and above, naming the first such row.
    """
    _check_matrix(name, data)
    unchecked = Vectors(name, data, device, torch.empty(0))
    norms = torch.cat([_norms(unchecked.rows(*bounds)) for bounds in unchecked.spans()])
    bad = (~(norms < _LARGEST_NORM)).nonzero()
    if len(bad):
        _refuse_row(unchecked, int(bad[0]))
    return Vectors(name, data, device, norms)


def check_pair(queries: Vectors, gallery: Vectors) -> None:
    """Raise `InvalidInput` unless queries and gallery have equally many components."""
    if queries.dim != gallery.dim:
        raise InvalidInput(
            f"queries have {queries.dim} components and the gallery {gallery.dim}; they must be"
            " equal; embed both with encoders of one output size"
        )


def check_directions(checked: Vectors) -> None:
    """Raise `InvalidInput`, naming the row, if a row is zero and so has no direction for cosine."""
    zero = (checked.norms < _SMALLEST_NORM).nonzero()
    if len(zero):
        raise InvalidInput(
            f"{checked.name} row {int(zero[0])} is zero ({len(zero)} such rows); cosine needs a"
            " direction; drop these rows or use similarity 'inner' or 'euclidean'"
        )


def _check_matrix(name: str, data: Array) -> None:
    if not isinstance(data, np.ndarray | Tensor):
        raise InvalidInput(
            f"{name} are a {type(data).__name__}; allowed: a NumPy array or a torch tensor [N, D];"
            " wrap them in numpy.asarray"
        )
    if data.ndim != 2 or 0 in data.shape:
        raise InvalidInput(
            f"{name} have shape {tuple(data.shape)}; allowed: [N, D] with N, D >= 1;"
            " give one row for each image"
        )
    real = (
        data.dtype.kind in "fiu"
        if isinstance(data, np.ndarray)
        else not (data.dtype.is_complex or data.dtype == torch.bool)
    )
    if not real:
        raise InvalidInput(
            f"{name} have dtype {data.dtype}; allowed: real floating point or integers;"
            " convert them to float32"
        )


def _refuse_row(unchecked: Vectors, row: int) -> None:
    values = unchecked.rows(row, row + 1)
    if values.isfinite().all():
        raise InvalidInput(
            f"{unchecked.name} row {row} has a norm of {_LARGEST_NORM:g} or more; allowed: below;"
            " rescale the embeddings"
        )
    kind = "NaN" if values.isnan().any() else "infinity"
    raise InvalidInput(
        f"{unchecked.name} row {row} holds {kind} (as float32); allowed: finite numbers;"
        " look for overflow or division by zero in the encoder"
    )


def _norms(rows: Tensor) -> Tensor:
    norms: Tensor = torch.linalg.vector_norm(rows, dim=1)
    return norms


def _is_ready(source: Array, device: torch.device) -> bool:
    """Whether `_float32` has nothing to do."""
    if isinstance(source, np.ndarray):
        return device.type == "cpu" and source.dtype == np.float32 and source.flags.carray
    return source.device == device and source.dtype == torch.float32


def _float32(block: Array, device: torch.device) -> Tensor:
    if isinstance(block, np.ndarray):
        # torch refuses read-only memory and foreign byte orders; such blocks are copied.
        block = torch.from_numpy(_writable(block))
    return block.detach().to(device=device, dtype=torch.float32)


def _writable(block: npt.NDArray[Any]) -> npt.NDArray[Any]:
    supported = block.dtype.newbyteorder("=")
    if supported.kind == "u" and supported.itemsize > 1:
        supported = np.dtype(np.int64)
    if supported.kind == "f" and supported.itemsize > 8:
        supported = np.dtype(np.float64)
    return np.require(block, dtype=supported, requirements=["C", "W"])
