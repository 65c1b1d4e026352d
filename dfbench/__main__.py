"""`python -m dfbench`: the command line."""

from __future__ import annotations

from dfbench.cli import main

if __name__ == "__main__":
    main()
