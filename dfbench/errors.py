"""Errors that a user can fix (one line, exit status 2, no traceback), and checks of numbers."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import SequenceMatcher, get_close_matches
from numbers import Integral


class DfbenchError(Exception):
    """An error outside dfbench's own code; its text is the complete message to the user."""


class UnknownName(DfbenchError):
    """A name that is not registered."""


class UndeclaredNeed(DfbenchError):
    """A method used an input beyond the two teachers that its `needs` does not declare."""


class InvalidConfig(DfbenchError):
    """A setting that a method's `Config` does not have, or a value it does not allow."""


class InvalidInput(DfbenchError):
    """Data (images, embeddings, labels, files) or an option that cannot be used."""


class Diverged(DfbenchError):
    """A training run whose loss is no longer finite."""


class PluginFault(DfbenchError):
    """A plugin that broke its contract; the text names the plugin and the error."""


class ProcessEnded(DfbenchError):
    """A process that did not end with an answer."""

    def __init__(self, reason: str, advice: str, peak_memory_mib: float) -> None:
        super().__init__(f"{reason}; {advice}")
        self.reason = reason
        """The message without the advice, which differs for a run of a suite."""
        self.peak_memory_mib = peak_memory_mib
        """Peak memory measured."""


class RunTimeout(ProcessEnded):
    """The process exceeded its time limit and was killed."""


class MemoryExceeded(ProcessEnded):
    """The process exceeded its memory limit and was killed."""


def unknown_name(kind: str, given: str, allowed: Iterable[str], remedy: str) -> UnknownName:
    """The error for an unknown name: what was given, what is allowed, what to do.

    >>> print(unknown_name("method", "crosx", ["crossx", "mib"], "dfbench list methods"))
    unknown method 'crosx'; did you mean 'crossx'? allowed: crossx, mib (see: dfbench list methods)
    """
    names = sorted(allowed)
    close = get_close_matches(given, names, n=1, cutoff=0.5)
    hint = f"; did you mean {close[0]!r}?" if close else ";"
    return UnknownName(
        f"unknown {kind} {given!r}{hint} allowed: {', '.join(names) or 'none'} (see: {remedy})"
    )


def unknown_beginning(kind: str, given: str, names: Iterable[str], remedy: str) -> UnknownName:
    """The error for a text that no name begins with, of names too many to list.

    >>> print(unknown_beginning("run", "crosx", ["crossx-s0-1f", "mib-s0-2a"], "dfbench table"))
    unknown run 'crosx'; nearest: crossx-s0-1f, mib-s0-2a; allowed: the beginning of a name (see: dfbench table)
    """  # noqa: E501  # the doctest's output is one line
    likeness = {name: SequenceMatcher(None, given, name[: len(given)]).ratio() for name in names}
    nearest = sorted(likeness, key=lambda name: (-likeness[name], name))[:_NEAREST]
    return UnknownName(
        f"unknown {kind} {given!r}; nearest: {', '.join(nearest) or 'none'}; allowed: the "
        f"beginning of a name (see: {remedy})"
    )


_NEAREST = 3
LARGEST_SEED = 2**63 - 1
"""The largest integer that all random generators and file formats in use support."""
MOST_THREADS = 4096
LARGEST_IMAGE = 4096
"""Maximum height and width in pixels."""
LONGEST = 1e9
"""Maximum time limit in seconds; threads cannot wait much longer."""
MOST_STEPS = 10**9
"""Maximum steps of a training loop; years on any machine."""


def whole_number(name: str, given: object, low: int, high: int) -> int:
    """`given` as an integer from `low` to `high`; `name` appears in the error.

    NumPy integers are accepted. Raises `InvalidInput` for other types and values.
    """
    whole = isinstance(given, Integral) and not isinstance(given, bool)
    value = int(str(given)) if whole else low - 1
    if low <= value <= high:
        return value
    raise InvalidInput(f"{name} is {given!r:.60}; allowed: an integer from {low} to {high}")


def checked_seed(given: object) -> int:
    """A seed. Raises `InvalidInput` for anything else."""
    return whole_number("seed", given, 0, LARGEST_SEED)
