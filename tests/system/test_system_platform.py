from __future__ import annotations

import subprocess
import sys

import pytest

from dfbench.errors import DfbenchError
from dfbench.process.supervision import Supervision, supervise

_IMPORT_ALL = """
import importlib, pkgutil, sys
import filelock, psutil, torch  # which choose their own modules by the system
sys.modules.update(dict.fromkeys(["fcntl", "resource", "pwd", "grp", "termios"]))
import dfbench
for module in pkgutil.walk_packages(dfbench.__path__, "dfbench."):
    if not module.name.endswith(("__main__", "executors.ray", "suites.ray_run")):
        importlib.import_module(module.name)
"""


def test_every_module_can_be_imported_without_modules_of_posix_systems() -> None:
    subprocess.run([sys.executable, "-c", _IMPORT_ALL], check=True)


def test_run_on_windows_is_refused_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    with pytest.raises(DfbenchError, match="Windows does not have; allowed: Linux, macOS"):
        supervise([sys.executable, "-c", ""], Supervision(), lambda: None)
