"""Validation of embeddings and labels, done once, so that the engines need no checks."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from dfbench.errors import InvalidInput

Array: TypeAlias = npt.NDArray[Any] | Tensor
"""Embeddings: a NumPy array (memory-mapped or not) or a torch tensor."""

BLOCK = 8192
"""Rows converted at a time if embeddings are not float32."""

_CACHED = 256
"""Rows summed at a time, few enough for the processor's cache."""
_ORDINARY = (2.0**-50, 2.0**50)
"""Norms whose squares and products neither overflow nor underflow float32."""
_MOST_APART = 2.0**60


@dataclass(frozen=True)
class Vectors:
    """Finite embeddings [N, D], read in blocks as float32; made by `vectors`.

    Row n is `scale[n] * source[n] - origin`, computed on access.
    """

    name: str
    source: Array
    device: torch.device
    norms: Tensor
    """Euclidean norms, [N], float64, on the device."""
    scale: Tensor | None = None
    """[N], float64; None for 1."""
    origin: Tensor | None = None
    """[D], float64; None for 0."""

    def __len__(self) -> int:
        return int(self.source.shape[0])

    @property
    def dim(self) -> int:
        """Dimension of the embeddings."""
        return int(self.source.shape[1])

    @property
    def ordinary(self) -> bool:
        """Whether products and squares of all rows stay within the range of float32."""
        return bool((_is_ordinary(self.norms) | (self.norms == 0)).all())

    @property
    def non_negative(self) -> bool:
        """Whether no component is negative."""
        return all(bool((self.rows(*at) >= 0).all()) for at in self.blocks())

    def rows(self, start: int, stop: int) -> Tensor:
        """Rows [stop - start, D], float32, on the device; a view if no conversion is needed."""
        return self._moved(self.source[start:stop], slice(start, stop))

    def take(self, index: Tensor) -> Tensor:
        """Rows [len(index), D], float32, on the device, for indices on the CPU."""
        return self._moved(self._picked(index), index)

    def exact(self, index: Tensor) -> Tensor:
        """Rows [len(index), D] in float64, without the rounding of `take`."""
        return self._precise(self._picked(index), index)

    def blocks(self) -> list[tuple[int, int]]:
        """Bounds of consecutive blocks that cover all rows."""
        return [(start, min(start + BLOCK, len(self))) for start in range(0, len(self), BLOCK)]

    def spans(self) -> list[tuple[int, int]]:
        """Bounds that cover all rows in as few pieces as memory allows: one if `rows` is a view.

        Threads synchronise at the end of each piece, so fewer pieces wait less.
        """
        unmoved = self.scale is None and self.origin is None
        ready = unmoved and _is_ready(self.source, self.device)
        return [(0, len(self))] if ready else self.blocks()

    def scaled(self, scale: Tensor) -> Vectors:
        """The same rows times `scale` [N], applied to the original embeddings before `centred`."""
        return replace(self, norms=self.norms * scale.abs(), scale=scale)

    def centred(self, origin: Tensor) -> Vectors:
        """The same rows minus `origin`, with their own norms."""
        moved = replace(self, origin=origin)
        return replace(moved, norms=moved.squares().sqrt())

    def squares(self) -> Tensor:
        """Squared norms, [N], summed in float64: exact for integers."""
        starts = range(0, len(self), _CACHED)
        rows = (self.rows(start, min(start + _CACHED, len(self))) for start in starts)
        return torch.cat([block.double().square_().sum(1) for block in rows])

    def _picked(self, index: Tensor) -> Array:
        at: Any = index.numpy() if isinstance(self.source, np.ndarray) else index
        return self.source[at]

    def _moved(self, block: Array, at: Tensor | slice) -> Tensor:
        if self.scale is None and self.origin is None:
            return _float32(block, self.device)
        if self.scale is None and self.origin is not None and block.dtype.itemsize <= 4:
            # The origin is a component of the data, exact in float32; one subtraction rounds once.
            return _float32(block, self.device) - self.origin.float()
        return self._precise(block, at).float()

    def _precise(self, block: Array, at: Tensor | slice) -> Tensor:
        rows = _tensor(block, self.device, torch.float64)
        if self.scale is not None:
            where = at.to(self.device) if isinstance(at, Tensor) else at
            rows = rows * self.scale[where, None]
        return rows if self.origin is None else rows - self.origin


def vectors(name: str, data: Array, device: torch.device) -> Vectors:
    """Check embeddings; `name` ("queries") is their name in messages.

    float32 is used unchanged; float64 is rounded to it, after scaling and centring if needed; half
    precision and integers are converted exactly (integers beyond 2^24 are rounded). Raises
    `InvalidInput` for anything but a matrix of such numbers, for no rows or no columns, and for a
    row with NaN or infinity, naming the first such row.
    """
    _check_matrix(name, data)
    unchecked = Vectors(name, data, device, torch.empty(0))
    norms = torch.cat([_norms(unchecked.rows(*at)) for at in unchecked.spans()]).double()
    strange = (~_is_ordinary(norms)).nonzero().squeeze(1).cpu()
    for index in torch.split(strange, BLOCK):
        rows = unchecked.exact(index)
        bad = (~rows.isfinite().all(1)).nonzero()
        if len(bad):
            _refuse_row(name, int(index[bad[0]]), rows[bad[0, 0]])
        largest = rows.abs().amax(1).clamp(min=torch.finfo(torch.float64).tiny)
        norms[index.to(device)] = largest * (rows / largest[:, None]).norm(dim=1)
    return Vectors(name, data, device, norms)


def check_pair(queries: Vectors, gallery: Vectors) -> None:
    """Raise `InvalidInput` unless queries and gallery have the same dimension."""
    if queries.dim != gallery.dim:
        raise InvalidInput(
            f"queries have {queries.dim} components and the gallery {gallery.dim}; they must be"
            " equal; embed both with encoders of one output size"
        )


def check_directions(checked: Vectors) -> None:
    """Raise `InvalidInput`, naming the row, if a row is zero: cosine needs a direction."""
    zero = (checked.norms == 0).nonzero()
    if len(zero):
        raise InvalidInput(
            f"{checked.name} row {int(zero[0])} is zero ({len(zero)} such rows); cosine needs a"
            " direction; drop these rows or use similarity 'inner' or 'euclidean'"
        )


def check_norms(checked: Vectors, typical: Tensor) -> None:
    """Raise `InvalidInput`, naming the row, for a norm too far above the gallery's median."""
    far = (checked.norms > _MOST_APART * typical).nonzero()
    if len(far):
        row = int(far[0])
        raise InvalidInput(
            f"{checked.name} row {row} has a norm of {float(checked.norms[row]):.3g}, the gallery's"
            f" median is about {float(typical):.3g}; allowed: at most {_MOST_APART:.3g} times that;"
            " drop the row or use similarity 'cosine'"
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
            " give one row per image"
        )
    if isinstance(data, np.ma.MaskedArray) and np.ma.getmaskarray(data).any():
        raise InvalidInput(
            f"{name} are masked in {int(np.ma.getmaskarray(data).sum())} places; allowed: finite"
            " numbers in all places; drop the rows or fill them"
        )
    if isinstance(data, Tensor) and (
        data.layout != torch.strided or data.is_meta or data.is_quantized
    ):
        kind = "on the device meta" if data.is_meta else f"a tensor of layout {data.layout}"
        raise InvalidInput(
            f"{name} are {'quantized' if data.is_quantized else kind}; allowed: a dense tensor with"
            " values; make it with .to_dense() or .dequantize()"
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


def _refuse_row(name: str, row: int, values: Tensor) -> None:
    kind = "NaN" if values.isnan().any() else "infinity"
    raise InvalidInput(
        f"{name} row {row} contains {kind}; allowed: finite numbers;"
        " look for overflow or division by zero in the encoder"
    )


def _norms(rows: Tensor) -> Tensor:
    norms: Tensor = torch.linalg.vector_norm(rows, dim=1)
    return norms


def _is_ready(source: Array, device: torch.device) -> bool:
    """Whether `_float32` would change nothing."""
    if isinstance(source, np.ndarray):
        return device.type == "cpu" and source.dtype == np.float32 and source.flags.carray
    return source.device == device and source.dtype == torch.float32


def _is_ordinary(norms: Tensor) -> Tensor:
    return (norms > _ORDINARY[0]) & (norms < _ORDINARY[1])


def _float32(block: Array, device: torch.device) -> Tensor:
    return _tensor(block, device, torch.float32)


def _tensor(block: Array, device: torch.device, dtype: torch.dtype) -> Tensor:
    if isinstance(block, np.ndarray):
        # torch rejects read-only memory and foreign byte orders; such blocks are copied.
        block = torch.from_numpy(_writable(block))
    return block.detach().to(device=device, dtype=dtype)


def _writable(block: npt.NDArray[Any]) -> npt.NDArray[Any]:
    supported = block.dtype.newbyteorder("=")
    if supported.kind == "u" and supported.itemsize > 1:
        supported = np.dtype(np.int64 if supported.itemsize < 8 else np.float64)
    if supported.kind == "f" and supported.itemsize > 8:
        supported = np.dtype(np.float64)
    return np.require(block, dtype=supported, requirements=["C", "W"])
