"""The version of dfbench, that of its metrics, and its name on the package index; free of torch."""

from __future__ import annotations

__version__ = "0.1.0"

DISTRIBUTION = "dfbench-sbir"
"""The name on the package index, where `dfbench` is another project."""


def install_command(extra: str) -> str:
    """The command that installs dfbench with what one of its extras needs.

    >>> print(install_command("ray"))
    pip install 'dfbench-sbir[ray]'
    """
    return f"pip install '{DISTRIBUTION}[{extra}]'"


METRIC_VERSION = 1
"""Raised when any number may change; part of the identity of a stored result."""
