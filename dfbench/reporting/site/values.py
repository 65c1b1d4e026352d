"""The values of queries as scripts: a page opened from a file may load scripts and nothing else."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence

import numpy as np
from jinja2.utils import htmlsafe_json_dumps
from numpy.typing import NDArray

_UNITS = 10_000
_NONE = 65_535
"""Stands for a query without photos."""
_BYTES = 5_000_000
"""What the values of all runs may take."""
_BYTES_PER_VALUE = 2 * 4 / 3


def stride_of(queries: int, runs: int) -> int:
    """Of how many queries one is kept, so that the values of `runs` runs stay small."""
    most = max(100, int(_BYTES / (max(1, runs) * _BYTES_PER_VALUE)))
    return -(-queries // most)


def values_script(key: str, values: NDArray[np.float64], stride: int) -> str:
    """A run's AP of every `stride`-th query, in ten thousandths, as 16-bit little-endian base64."""
    units = np.where(np.isnan(values), _NONE, np.rint(values * _UNITS)).astype("<u2")
    return f"dfbench.values({_literal(key)}, {_literal(_packed(units[::stride]))});\n"


def queries_script(key: str, classes: Sequence[str], labels: NDArray[np.int64], stride: int) -> str:
    """The class of every `stride`-th query, as indices into `classes`."""
    packed = _packed(labels[::stride].astype("<u2"))
    return f"dfbench.queries({_literal(key)}, {_literal(list(classes))}, {_literal(packed)});\n"


def _packed(numbers: NDArray[np.uint16]) -> str:
    return b64encode(numbers.tobytes()).decode()


def _literal(content: object) -> str:
    """JSON that neither HTML nor a script reads as anything else."""
    return str(htmlsafe_json_dumps(content))
