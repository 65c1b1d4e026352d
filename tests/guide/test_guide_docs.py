"""The documentation is complete, builds without a warning, and its examples work."""

from __future__ import annotations

import re
import runpy
import subprocess
import sys
import tomllib
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from bench import Bench

import dfbench
from dfbench.datasets.shapes import dataset
from dfbench.evaluation.definitions import METRIC_PATTERNS
from dfbench.need import Need
from dfbench.scenarios import canonical
from dfbench.suites.file import read_suite

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
REFERENCE = DOCS / "reference.py"
ARCHITECTURE = ROOT / "tests" / "test_architecture.py"


def _page(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def _blocks(name: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", _page(name), re.DOTALL)


@pytest.mark.parametrize("name", ["commands.md", "api.md"])
def test_generated_page_is_up_to_date(name: str) -> None:
    fresh = runpy.run_path(str(REFERENCE))["pages"]()
    assert _page(name) == fresh[name], "run: python docs/reference.py"


def test_reference_is_written_by_one_command(tmp_path: Path) -> None:
    script = tmp_path / REFERENCE.name
    script.write_text(REFERENCE.read_text(encoding="utf-8"), encoding="utf-8")
    subprocess.run([sys.executable, str(script)], check=True, cwd=tmp_path)
    assert {file.name for file in tmp_path.glob("*.md")} == {"commands.md", "api.md"}


def test_api_reference_has_every_module_that_plugins_may_import() -> None:
    names = runpy.run_path(str(ARCHITECTURE))
    shown = set(re.findall(r"^## (dfbench\S*)$", _page("api.md"), re.MULTILINE))
    assert set(names["PUBLIC"]) <= shown
    for package in names["PUBLIC_PACKAGES"]:
        assert any(module.startswith(f"{package}.") for module in shown)
    told = set(re.findall(r"^### dfbench\.(\w+)$", _page("api.md"), re.MULTILINE))
    assert told == {name for name in dfbench.__all__ if not name.startswith("__")}


def test_architecture_names_every_package_and_module_at_the_top() -> None:
    order = runpy.run_path(str(ARCHITECTURE))["ORDER"]
    table = _page("architecture.md").split("## Packages")[1].split("\n## ")[0]
    named = set(re.findall(r"`(\w+)`", table))
    assert {room.split(".")[0] for room in order} - {"__main__"} <= named


@pytest.mark.parametrize(
    "name", sorted(set(re.findall(r"`((?:\w+/)+\w+\.py)`", _page("architecture.md"))))
)
def test_architecture_names_files_that_are_there(name: str) -> None:
    assert (ROOT / "dfbench" / name).is_file() or (ROOT / name).is_file()


def test_architecture_names_what_its_files_contain() -> None:
    named = re.findall(r"`(\w+)` (?:in |\()`([\w/]+\.py)`", _page("architecture.md"))
    assert len(named) > 20
    lost = [
        f"{name} in {file}"
        for name, file in named
        if not re.search(rf"\b{name}\b", (ROOT / "dfbench" / file).read_text(encoding="utf-8"))
    ]
    assert lost == []


def test_picture_of_the_packages_shows_what_the_page_names() -> None:
    shown = set(re.findall(r">([\w, ]+)</text>", _page("packages.svg")))
    words = {word for text in shown for word in text.split(", ")}
    order = runpy.run_path(str(ARCHITECTURE))["ORDER"]
    packages = {r for r in order if (ROOT / "dfbench" / r).is_dir() and "." not in r}
    assert packages <= words


def test_evaluation_page_has_every_metric_and_the_values_of_its_example(tmp_path: Path) -> None:
    patterns = {pattern.replace("{k}", "K") for pattern in METRIC_PATTERNS}
    table = _page("evaluation.md").split("## Metrics")[1].split("\n### ")[0]
    assert set(re.findall(r"^\| `([^`]+)`", table, re.MULTILINE)) == patterns
    (code,) = _blocks("evaluation.md", "python")
    (tmp_path / "example.py").write_text(code, encoding="utf-8")
    names = runpy.run_path(str(tmp_path / "example.py"))
    printed = dict(
        re.findall(r"^\| `([^`]+)` \| (\.\d{3}) \|", _page("evaluation.md"), re.MULTILINE)
    )
    result = dfbench.evaluate(
        names["sketches"],
        names["photos"],
        ["cat"],
        ["cat" if relevant == "1" else "dog" for relevant in "0110100001"],
        similarity="inner",
        metrics=list(printed),
        bootstrap=0,
    )
    computed = {name: f"{score.value:.3f}"[1:] for name, score in result.scores.items()}
    assert computed == printed
    assert names["values"] == {n: float(printed[n]) for n in ("map@all", "map@5:hits", "prec@5")}


@pytest.mark.parametrize("page", ["suites.md", "tutorial.md"])
def test_suite_of_a_page_can_be_read(page: str, tmp_path: Path) -> None:
    text = _blocks(page, "toml")[0]
    for plugin in tomllib.loads(text).get("plugins", []):
        (tmp_path / plugin).write_text("")
    (tmp_path / "suite.toml").write_text(text, encoding="utf-8")
    assert read_suite(tmp_path / "suite.toml").suite.seeds == (0, 1, 2)


def test_method_of_the_tutorial_is_the_first_of_the_guide_and_joins_its_suite(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blank = np.zeros((3, 32, 32), np.uint8)
    monkeypatch.setattr(
        dataset, "drawn", lambda _, modality, *__: blank[: 3 if modality == "photo" else 1]
    )
    (code,) = _blocks("tutorial.md", "python")
    assert code.strip() in _page("plugins.md")
    suite, addition = _blocks("tutorial.md", "toml")
    (tmp_path / "untrained.py").write_text(code, encoding="utf-8")
    text = 'plugins = ["untrained.py"]\n' + suite.replace(
        "[[datasets]]", f"{addition}\n[[datasets]]"
    )
    (tmp_path / "tutorial.toml").write_text(text, encoding="utf-8")
    cache = str(tmp_path / "cache")
    planned = bench.call("suite", "plan", str(tmp_path / "tutorial.toml"), "--cache", cache)
    assert planned.status == 0, planned.err
    assert "15 runs: 15 planned" in planned.out


def test_pages_name_scenarios_and_needs_that_exist() -> None:
    for page in ("data.md", "suites.md"):
        for scenario in re.findall(r"--scenario (\S+=[\w.-]+)", _page(page)):
            assert canonical(scenario) == scenario
    teachers = _page("teachers.md").split("## Networks beyond")[1]
    needs = set(re.findall(r"^\| ([a-z -]+) \|", teachers, re.MULTILINE)) - {"need", "---"}
    assert len(needs) == 5
    assert needs <= {need.value for need in Need}


@pytest.mark.skipif(find_spec("mkdocs") is None, reason="needs mkdocs (extra docs)")
def test_documentation_builds_without_a_warning(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "-q", "-d", str(tmp_path)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    pages = {file.stem for file in DOCS.glob("*.md")} - {"index"}
    assert {file.parent.name for file in tmp_path.glob("*/index.html")} == pages
    assert not list(tmp_path.rglob("*.py"))
