"""Errors that a user can mend (one line, exit status 2, no traceback), and checked numbers."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from numbers import Integral


class DfbenchError(Exception):
    """A mistake outside dfbench's own code; its text is the whole message to the user."""


class UnknownName(DfbenchError):
    """A name that nothing is registered under."""


class UndeclaredNeed(DfbenchError):
    """A method touched something beyond the two teachers that its `needs` does not declare."""


class InvalidConfig(DfbenchError):
    """A setting that a method's `Config` does not have, or a value it does not allow."""


class InvalidInput(DfbenchError):
    """Data (images, embeddings, labels, files) that cannot be worked with."""


class Diverged(DfbenchError):
    """A training whose loss is no longer a finite number."""


class PluginFault(DfbenchError):
    """A plugin that broke its contract; the text names the plugin and the fault."""


def unknown_name(kind: str, given: str, allowed: Iterable[str], remedy: str) -> UnknownName:
    """Build the error for a misspelt name: what was given, what is allowed, what to do.

    >>> print(unknown_name("method", "crosx", ["crossx", "mib"], "dfbench list methods"))
    unknown method 'crosx'; did you mean 'crossx'? allowed: crossx, mib (see: dfbench list methods)
    """
    names = sorted(allowed)
    close = get_close_matches(given, names, n=1, cutoff=0.5)
    hint = f"; did you mean {close[0]!r}?" if close else ";"
    return UnknownName(
        f"unknown {kind} {given!r}{hint} allowed: {', '.join(names) or 'none'} (see: {remedy})"
    )


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


def checked_seed(given: object) -> int:
    """A seed. Raises `InvalidInput` for what is none."""
    return whole_number("seed", given, 0, LARGEST_SEED)
