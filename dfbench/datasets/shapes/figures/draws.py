"""Random numbers that are bit-identical across machines, numpy versions and runs."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

_T = TypeVar("_T")
_BLOCK = 96
_UNIT = 1 / (1 << 53)


class Draws:
    """An endless stream of uniform numbers, one stream per tuple of `key` parts.

    Built on the raw 64-bit output of PCG64, whose stream numpy guarantees. numpy's distributions
    may change between versions and are not used.
    """

    def __init__(self, *key: str | int) -> None:
        text = "/".join(str(part) for part in key)
        digest = blake2b(text.encode(), digest_size=16).digest()
        self._bits = np.random.PCG64(int.from_bytes(digest, "big"))
        self._block: list[float] = []

    def array(self, *shape: int) -> NDArray[np.float64]:
        """Uniform numbers in [0, 1), multiples of 2^-53."""
        size = 1
        for extent in shape:
            size *= extent
        raw = self._bits.random_raw(size) >> np.uint64(11)
        return (raw.astype(np.float64) * _UNIT).reshape(shape)

    def uniform(self) -> float:
        """One uniform number in [0, 1)."""
        if not self._block:
            self._block = self.array(_BLOCK).tolist()
        return self._block.pop()

    def between(self, low: float, high: float) -> float:
        """One uniform number in [low, high)."""
        return low + (high - low) * self.uniform()

    def around_zero(self, reach: float) -> float:
        """A number in (-reach, reach) with a triangular density around zero."""
        return (self.uniform() - self.uniform()) * reach

    def chance(self, probability: float) -> bool:
        """True with the given probability."""
        return self.uniform() < probability

    def integer(self, low: int, high: int) -> int:
        """A uniform integer from low to high, both included."""
        return low + int(self.uniform() * (high - low + 1))

    def pick(self, options: Sequence[_T]) -> _T:
        """One of the options, chosen uniformly."""
        return options[self.integer(0, len(options) - 1)]
