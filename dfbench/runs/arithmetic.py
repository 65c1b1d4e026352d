"""How a fit computes, as records and identities tell it."""

from __future__ import annotations

from typing import NamedTuple

_COMPILED = "compiled"


class Arithmetic(NamedTuple):
    """Its text, e.g. `cuda-bf16` or `cpu-fp32-compiled`, is part of a fit's identity.

    >>> str(Arithmetic("cuda", "bf16", compiled=True))
    'cuda-bf16-compiled'
    >>> Arithmetic.read("cpu-fp32")
    Arithmetic(device='cpu', precision='fp32', compiled=False)
    """

    device: str
    """`cpu` or `cuda`."""
    precision: str
    """`fp32` or `bf16`: of backbones and estimators."""
    compiled: bool = False
    """Whether torch.compile made the code of networks."""

    @classmethod
    def read(cls, text: str) -> Arithmetic:
        """What a record's `numerics` says."""
        device, precision, *rest = text.split("-")
        return cls(device, precision, _COMPILED in rest)

    def __str__(self) -> str:
        parts = (self.device, self.precision, *((_COMPILED,) if self.compiled else ()))
        return "-".join(parts)
