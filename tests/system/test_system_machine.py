from __future__ import annotations

import subprocess
import sys

from dfbench.system.machine import peak_memory_mib

CODE = """
from dfbench.system.machine import peak_memory_mib
before = peak_memory_mib()
held = b"x" * (100 * 2**20)
del held
print(before, peak_memory_mib())
"""


def test_memory_is_that_of_the_process_and_not_of_the_one_that_started_it() -> None:
    held = b"x" * (200 * 2**20)
    child = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    before, after = map(int, child.stdout.split())
    assert 0 < before < 150
    assert before + 90 < after < before + 150
    assert peak_memory_mib() >= 200
    del held
