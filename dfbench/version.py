"""Versions of dfbench and its metrics, and its name on the package index; imports no torch."""

from __future__ import annotations

__version__ = "0.1.0"

DISTRIBUTION = "dfbench-sbir"
"""Name on the package index, where `dfbench` is another project."""


def install_command(extra: str) -> str:
    """The command that installs dfbench with one of its extras.

    >>> print(install_command("ray"))
    pip install 'dfbench-sbir[ray]'
    """
    return f"pip install '{DISTRIBUTION}[{extra}]'"


METRIC_VERSION = 1
"""Increased when any metric value may change; part of the identity of a stored result."""
