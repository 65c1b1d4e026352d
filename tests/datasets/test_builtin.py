from __future__ import annotations

import subprocess
import sys
from importlib import import_module

import pytest

from dfbench.datasets.builtin import dfbench_datasets


def test_every_target_leads_to_a_function() -> None:
    for spec in dfbench_datasets():
        module, _, attribute = spec.target.partition(":")
        assert callable(getattr(import_module(module), attribute))


@pytest.mark.parametrize(
    ("module", "heavy"),
    [
        ("builtin", "numpy"),
        ("builtin", "torch"),
        ("folder", "torch"),
        ("known", "torch"),
        ("shapes", "torch"),
        ("alternative", "torch"),
    ],
)
def test_importing_is_light(module: str, heavy: str) -> None:
    code = f"import sys, dfbench.datasets.{module}; sys.exit({heavy!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
