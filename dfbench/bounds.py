"""Bounds of the numbers that users give, and the error for those outside."""

from __future__ import annotations

from numbers import Integral, Real

from dfbench.errors import InvalidInput

LARGEST_SEED = 2**63 - 1
"""The largest integer that every generator and file format in use holds."""
MOST_THREADS = 4096
LARGEST_IMAGE = 4096
"""Pixels of height and width."""
LONGEST = 1e9
"""Seconds of a time limit; what threads can wait for."""
MOST_STEPS = 10**9
"""Of a training loop; years on any machine."""


def whole_number(name: str, given: object, low: int, high: int) -> int:
    """The integer that was given for `name`, from `low` to `high`.

    NumPy's integers are taken too. Raises `InvalidInput` for another type and another value.
    """
    whole = isinstance(given, Integral) and not isinstance(given, bool)
    value = int(str(given)) if whole else low - 1
    if low <= value <= high:
        return value
    raise InvalidInput(f"{name} is {given!r:.60}; allowed: an integer from {low} to {high}")


def checked_seconds(name: str, given: float | None) -> float | None:
    """A time limit, or None for none. Raises `InvalidInput` for what is neither."""
    if given is None or (isinstance(given, Real) and 0 < given <= LONGEST):
        return given
    raise InvalidInput(
        f"{name} is {given!r:.60}; allowed: more than 0 and up to {LONGEST:g} seconds, or None"
    )


def checked_seed(given: object) -> int:
    """A seed. Raises `InvalidInput` for what is none."""
    return whole_number("seed", given, 0, LARGEST_SEED)
