"""The command line, one module per command."""

from __future__ import annotations

from dfbench.cli.app import main

__all__ = ["main"]
