"""Errors a person can mend: printed as one line, exit status 2, no traceback."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


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
