"""Little suites on the drawn folder."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from bench import ALTERNATIVE, BENCHMARK, TINY, Bench
from suite_bench import TROUPE, WriteSuite, places


@pytest.fixture
def write_suite(bench: Bench) -> WriteSuite:
    """Write a tiny suite on the drawn folder, by the texts of its methods and seeds."""

    def write(methods: str, seeds: str = "[0]", more: str = "", name: str = "suite.toml") -> Path:
        tables: dict[str, list[str]] = {"budget": [], "teachers": []}
        for key, value in TINY.items():
            owner, _, rest = key.partition(".")
            tables[owner].append(f"{rest} = {value if value.isdigit() else repr(value)}")
        file = bench.place / name
        classes, alternative = list(BENCHMARK), list(ALTERNATIVE)
        file.write_text(
            f"methods = {methods}\nseeds = {seeds}\n{more}\n"
            f"[[datasets]]\ndataset = 'folder:{bench.pictures}'\n"
            f"classes = {classes}\nalternative_classes = {alternative}\n"
            + "".join(f"[{owner}]\n" + "\n".join(rows) + "\n" for owner, rows in tables.items())
            + "[run]\ndevice = 'cpu'\nthreads = 1\n",
            encoding="utf-8",
        )
        return file

    return write


@pytest.fixture
def troupe(bench: Bench) -> tuple[str, str]:
    """The option that loads the methods."""
    return "--plugin", str(bench.plugin(TROUPE.format(marks=str(bench.place)), "troupe"))


@pytest.fixture
def start(bench: Bench, shell: dict[str, str]) -> Callable[..., subprocess.Popen[str]]:
    """Begin `dfbench suite run` in a process and a session of its own."""

    def begin(file: Path, *extra: str, first: str = "") -> subprocess.Popen[str]:
        command = [sys.executable, "-c", f"{first}\nfrom dfbench.cli import main\nmain()"]
        return subprocess.Popen(
            [*command, "suite", "run", str(file), *places(bench), *extra, "--format", "json"],
            env={**shell, "XDG_CACHE_HOME": str(bench.place / "of-workers")},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    return begin
