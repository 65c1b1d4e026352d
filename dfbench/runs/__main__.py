"""`python -m dfbench.runs describe|fit FOLDER`: the worker, silent if Ctrl-C meets its imports."""

from __future__ import annotations

import sys
from pathlib import Path

try:
    from dfbench.runs.worker import main

    status = main(sys.argv[1], Path(sys.argv[2]))
except KeyboardInterrupt:
    status = 1
sys.exit(status)
