"""`python -m dfbench`: the command line."""

from dfbench.cli import main

main()
