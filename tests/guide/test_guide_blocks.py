"""What the guide says besides methods: its commands, its test, its dataset, its script."""

from __future__ import annotations

import re
import runpy
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from bench import ALTERNATIVE, BENCHMARK, TINY, Bench

import dfbench
from dfbench import hookspecs
from dfbench.conformance.check import CHECKS
from dfbench.conformance.dataset import check_dataset
from dfbench.datasets import DatasetRequest
from dfbench.errors import InvalidInput

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "plugins.md"
TEXT = GUIDE.read_text(encoding="utf-8")
SHORT = (GUIDE.parents[1] / "plugins" / "README.md").read_text(encoding="utf-8")
PARTS = {"two_layers.py": 6, "reciprocal.py": 6, "centred.py": 9}
"""Networks, metrics and re-rankers, with the number of their checks."""
BLOCKS = dict(re.findall(r"```python\n# (\w+\.py)\n(.*?)```", TEXT, re.DOTALL))
COMMANDS = [
    line
    for block in re.findall(r"```\n(dfbench .*?)```", TEXT, re.DOTALL)
    for line in block.strip().splitlines()
]


TINY_ESTIMATORS = {"warm_up": "2", "estimator_batch": "8"}
"""Settings with which the estimators of a built-in method train for a moment."""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with all files of the guide, the working one."""
    folder = tmp_path / "here"
    folder.mkdir()
    for name, text in BLOCKS.items():
        (folder / name).write_text(text, encoding="utf-8")
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(folder)
    yield folder
    for name in BLOCKS:
        sys.modules.pop(Path(name).stem, None)


def tiny(arguments: list[str], bench: Bench) -> list[str]:
    """A run of the guide in a moment, upon drawn images in the place of `shapes`."""
    given = {text.partition("=")[0] for text in arguments}
    named = arguments[arguments.index("--method") + 1]
    tiny = TINY | (TINY_ESTIMATORS if named == "unimodal-distillation" else {})
    settings = [p for k, v in tiny.items() if k not in given for p in ("--set", f"{k}={v}")]
    arguments = [*arguments, *settings, "--device", "cpu", "--threads", "1"]
    arguments += ["--cache", str(bench.cache)]
    if arguments[arguments.index("--dataset") + 1] == "shapes":
        arguments += ["--dataset", f"folder:{bench.pictures}", "--classes", ",".join(BENCHMARK)]
        arguments += ["--alternative-classes", ",".join(ALTERNATIVE)]
    return arguments


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("command", [c for c in COMMANDS if c.split()[1] != "check"])
def test_command_of_the_guide_does_what_it_says(command: str, quick_bench: Bench) -> None:
    arguments = shlex.split(command)[1:]
    if arguments[0] == "run":
        arguments = tiny(arguments, quick_bench)
    elif arguments[0] in ("table", "rescore"):
        before = tiny(shlex.split(COMMANDS[0])[1:], quick_bench)
        assert quick_bench.call(*before).status == 0
        if arguments[0] == "table" and "mrr" in arguments:
            added = next(c for c in COMMANDS if c.startswith("dfbench rescore"))
            assert quick_bench.call(*shlex.split(added)[1:]).status == 0
    finished = quick_bench.call(*arguments)
    assert finished.status == 0, finished.err
    assert finished.out


@pytest.mark.usefixtures("here")
def test_check_of_the_guide_finds_the_one_fault_that_it_tells(bench: Bench) -> None:
    command = next(c for c in COMMANDS if c.split()[1] == "check")
    quick = ("--set", "teachers.steps=2", "--set", "teachers.alternative_steps=2")
    finished = bench.call(*shlex.split(command)[1:], "--cache", str(bench.cache), *quick)
    assert finished.status == 1, finished.err
    verdicts = dict(re.findall(r"^(passed|failed|not run) +([a-z-]+)", finished.out, re.MULTILINE))
    assert verdicts["failed"] == "chance"
    assert finished.out.count("failed  ") == 1


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("name", PARTS)
def test_parts_of_the_guide_pass_their_checks(name: str, bench: Bench) -> None:
    assert f"dfbench check {name}" in COMMANDS
    _check(bench, name)


@pytest.mark.parametrize("name", PARTS)
def test_ten_line_parts_pass_their_checks(name: str, here: Path, bench: Bench) -> None:
    short = dict(re.findall(r"```python\n# (\w+\.py): [^\n]*\n(.*?)```", SHORT, re.DOTALL))
    assert short.keys() == PARTS.keys()
    (here / name).write_text(short[name], encoding="utf-8")
    _check(bench, name)


def _check(bench: Bench, name: str) -> None:
    finished = bench.call("check", name)
    assert finished.status == 0, finished.out
    assert f"{PARTS[name]} passed" in finished.out


def test_dataset_of_the_guide_keeps_the_rules(here: Path, tmp_path: Path) -> None:
    opening = runpy.run_path(str(here / "stripes.py"))["open_stripes"]
    check_dataset(opening, DatasetRequest(cache=tmp_path))


def test_script_of_the_guide_runs_a_class_and_prints_a_table(
    quick_bench: Bench,
    here: Path,
    cache: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = dfbench.run

    def tiny(method: Any, dataset: str, *, seed: int, settings: dict[str, Any]) -> Any:
        assert dataset == "shapes"
        return real(
            method,
            f"folder:{quick_bench.pictures}",
            seed=seed,
            settings={**TINY, **settings},
            classes=BENCHMARK,
            alternative_classes=ALTERNATIVE,
            device="cpu",
            threads=1,
            cache=cache,
        )

    monkeypatch.setattr(dfbench, "run", tiny)
    names = runpy.run_path(str(here / "use.py"))
    run, frame = names["run"], names["frame"]
    assert run.record.budget.embedding_dim == 64
    assert run.record.method.label == "untrained"
    assert list(frame["map@all"]) == [run.record.metrics["map@all"].value]


@pytest.mark.usefixtures("here")
def test_object_is_run_with_its_own_configuration(quick_bench: Bench, cache: Path) -> None:
    from blobs import Blobs, BlobsConfig

    run = dfbench.run(
        Blobs(BlobsConfig(cells=2)),
        f"folder:{quick_bench.pictures}",
        settings=TINY,
        classes=BENCHMARK,
        alternative_classes=ALTERNATIVE,
        device="cpu",
        threads=1,
        results=quick_bench.results,
        runs=quick_bench.runs,
        cache=cache,
    )
    assert run.record.method.config == {"cells": 2}
    assert run.path.parent.is_relative_to(quick_bench.results)
    assert not run.reused


@pytest.mark.slow
def test_test_of_the_guide_fails_as_expected_and_passes_otherwise(
    here: Path, shell: dict[str, str], cache: Path
) -> None:
    command = [sys.executable, "-m", "pytest", "-v", "-p", "no:cacheprovider", "test_untrained.py"]
    ended = subprocess.run(
        command,
        cwd=here,
        env={**shell, "DFBENCH_CACHE": str(cache)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout
    assert f"{len(CHECKS) - 1} passed, 1 xfailed" in ended.stdout
    assert "test_conformance[untrained.py-resume] PASSED" in ended.stdout


def test_public_names_are_those_of_the_package_and_all_of_them_exist() -> None:
    public = {name for name in dfbench.__all__ if not name.startswith("_")}
    assert all(hasattr(dfbench, name) for name in public)
    used = set(re.findall(r"\bdfbench\.([A-Za-z]\w*)", "".join(BLOCKS.values())))
    modules = {"datasets", "learning", "conformance", "networks", "evaluation"}
    assert used - modules <= public, "the guide uses what is not public"
    assert public - {"DfbenchError"} <= set(re.findall(r"\b\w+\b", TEXT)), "the guide leaves out"


def test_specifications_tell_every_hook_that_the_guide_names() -> None:
    hooks = {name for name in vars(hookspecs) if name.startswith("dfbench_")}
    assert hooks == set(
        re.findall(r"\bdfbench_(?:methods|datasets|networks|metrics|rerankers)\b", TEXT)
    )
    named = set(re.findall(r"def (dfbench_\w+)\(", "".join(BLOCKS.values())))
    assert named == hooks


@pytest.mark.parametrize(
    ("method", "told"),
    [
        (3, "method 3; allowed: the name of a method"),
        (int, "method <class 'int'>; allowed: the name of a method"),
        (type("Local", (), {}), "a subclass of dfbench.Method"),
    ],
)
def test_what_is_no_method_is_refused(method: Any, told: str) -> None:
    with pytest.raises(InvalidInput, match=re.escape(told)):
        dfbench.run(method, "shapes")


@pytest.mark.parametrize(
    ("module", "name", "told"),
    [
        ("__main__", "Mine", "is defined in a script or notebook"),
        ("untrained", "make.<locals>.Mine", "is defined in a function or class"),
    ],
)
def test_class_that_no_other_process_can_import_is_refused(
    module: str, name: str, told: str
) -> None:
    from dfbench.method import Method

    mine = type("Mine", (Method,), {"name": "mine", "__module__": module, "__qualname__": name})
    with pytest.raises(InvalidInput, match=told):
        dfbench.run(mine, "shapes")


def test_importing_dfbench_imports_neither_torch_nor_pandas(shell: dict[str, str]) -> None:
    code = "import sys, dfbench; assert not {'torch', 'pandas', 'numpy'} & set(sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], env=shell, check=False).returncode == 0
