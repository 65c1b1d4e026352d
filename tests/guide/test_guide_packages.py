"""Packages that dfbench writes, and the one beside the guide, work where they are installed."""

from __future__ import annotations

import re
import runpy
import shutil
import subprocess
import sys
import sysconfig
import tomllib
from pathlib import Path
from typing import Literal

import pytest
from bench import ALTERNATIVE, BENCHMARK, TINY, Bench
from plugin_text import method_text

import dfbench
from dfbench.errors import InvalidInput
from dfbench.plugins.scaffold import new_package
from dfbench.version import DISTRIBUTION

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "plugins" / "example"
FILES = {
    *(".gitignore", "README.md", "pyproject.toml", ".github/workflows/tests.yml"),
    *("src/dfbench_my_thing/__init__.py", "src/dfbench_my_thing/py.typed"),
    "tests/test_dfbench_my_thing.py",
}


def test_every_package_and_template_of_dfbench_is_installed() -> None:
    tools = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
    there = {f.parent.relative_to(ROOT) for f in (ROOT / "dfbench").rglob("__init__.py")}
    listed = set(tools["setuptools"]["packages"])
    assert {".".join(folder.parts) for folder in there} <= listed
    assert "templates/*/*.txt" in tools["setuptools"]["package-data"]["dfbench"]


@pytest.mark.parametrize("kind", ["method", "dataset", "network", "metric", "reranker"])
def test_new_package_has_all_its_files_and_no_gap(
    kind: str, bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    told = bench.call("new", kind, "my-thing")
    folder = tmp_path / "dfbench-my-thing"
    written = {f.relative_to(folder).as_posix(): f for f in folder.rglob("*") if f.is_file()}
    assert written.keys() == FILES | {f"src/dfbench_my_thing/{kind}.py"}
    assert all("$" not in file.read_text(encoding="utf-8") for file in written.values())
    assert "pip install -e 'dfbench-my-thing[test]'" in told.out
    assert "already exists" in bench.call("new", kind, "my-thing").refused()


@pytest.mark.parametrize("kind", ["network", "metric", "reranker"])
def test_new_part_passes_its_own_test_as_it_is(
    kind: Literal["network", "metric", "reranker"], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = new_package(kind, f"own-{kind}", tmp_path / "package")
    monkeypatch.syspath_prepend(folder / "src")
    (file,) = folder.glob("tests/test_*.py")
    tests = {n: f for n, f in runpy.run_path(str(file)).items() if n.startswith("test_")}
    assert len(tests) == 1
    for test in tests.values():
        test()


@pytest.mark.parametrize("name", ["My", "my_thing", "1st", "a--b", "", "a/b"])
def test_name_that_is_none_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="lower-case letters, digits and single hyphens"):
        new_package("method", name, tmp_path / "there")
    assert not (tmp_path / "there").exists()


@pytest.mark.parametrize("name", ["none", "true", "class", "json", "colorsys", "sbir", "x" * 65])
def test_name_that_makes_no_package_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"allowed: .*e\.g\. dfbench new dataset my-dataset"):
        new_package("dataset", name, tmp_path / "there")
    assert not (tmp_path / "there").exists()


@pytest.mark.parametrize(
    ("kind", "name", "owner"),
    [
        ("method", "crossx", "the method of plugin 'baselines'"),
        ("method", "classifier-only", "the method of plugin 'baselines'"),
        ("dataset", "shapes", "the dataset of plugin 'datasets'"),
        ("dataset", "sketchy-ext", "the dataset of plugin 'datasets'"),
        ("method", "datasets", "an installed plugin"),
        ("dataset", "benchmarks", "a module 'dfbench_benchmarks' is installed"),
        ("method", "mine", "the method of plugin 'myfile' (- -)"),
        ("method", "a.b", "lower-case"),
    ],
)
def test_name_that_is_taken_is_refused(
    kind: str, name: str, owner: str, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    (bench.place / "plugins").mkdir()
    bench.plugin(method_text("mine"), "myfile").rename(bench.place / "plugins" / "myfile.py")
    monkeypatch.setenv("DFBENCH_PLUGINS_DIR", str(bench.place / "plugins"))
    monkeypatch.chdir(bench.place)
    line = bench.call("new", kind, name).refused()
    assert owner in line
    assert f"dfbench new {kind} my-{kind}" in line
    assert not (bench.place / f"dfbench-{name}").exists()


def test_a_dataset_may_have_the_name_of_a_method(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(bench.place)
    assert bench.call("new", "dataset", "crossx").status == 0


def test_distribution_has_one_name_in_code_and_packages() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["name"] == DISTRIBUTION
    example = tomllib.loads((EXAMPLE / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert example["dependencies"] == [f"{DISTRIBUTION}>={dfbench.__version__}"]


def test_nothing_tells_to_install_the_stranger_that_is_called_dfbench() -> None:
    """On the package index `dfbench` is another project."""
    names = ("dfbench", "plugins", "benchmarks", "docs", "tests")
    files = [ROOT / "README.md", ROOT / "pyproject.toml"]
    files += [file for name in names for file in (ROOT / name).rglob("*") if file.is_file()]
    wrong = re.compile(r"""(install\s+['"]?|['"])dfbench\s*(\[[a-z]|[<>=~!]=)""")
    texts = {file: file.read_bytes().decode(errors="ignore") for file in files}
    assert not [file for file, text in texts.items() if wrong.search(text)]


def test_new_package_is_installed_with_its_dependencies_beside_a_wheel_of_dfbench(
    tmp_path: Path, shell: dict[str, str]
) -> None:
    """Without an index: a dependency on any other name than the wheel's could not be met."""
    source, wheels = tmp_path / "source", tmp_path / "wheels"
    left_out = shutil.ignore_patterns("__pycache__", "*.egg-info", "build")
    for name in ("dfbench", "plugins", "benchmarks"):
        shutil.copytree(ROOT / name, source / name, ignore=left_out)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    pip = (sys.executable, "-m", "pip")
    quiet = ("-q", "--disable-pip-version-check", "--no-index", "--no-build-isolation")
    build = (*pip, "wheel", *quiet, "--no-deps", "-w", wheels, source)
    _run(*build, env=shell, cwd=tmp_path)
    (wheel,) = wheels.iterdir()
    python = _environment(tmp_path, shell)
    install = (*pip, "--python", python, "install", *quiet)
    _run(*install, "--no-deps", "--ignore-installed", wheel, env=shell, cwd=tmp_path)
    package = new_package("method", "my-method", tmp_path / "method")
    _run(*install, package, env=shell, cwd=tmp_path)
    code = "import dfbench; print(dfbench.__file__); from dfbench.cli import main; main()"
    listed = _run(python, "-c", code, "list", "plugins", env=shell, cwd=tmp_path)
    where, _, listed = listed.partition("\n")
    assert Path(where).is_relative_to(tmp_path / "venv")
    assert re.search(rf"baselines +{DISTRIBUTION} +\S+ +works", listed)
    assert re.search(r"my-method +dfbench-my-method +0\.1\.0 +works", listed)
    # Its templates and its pages are in the wheel too.
    _run(python, "-c", code, "new", "dataset", "my-data", env=shell, cwd=tmp_path)


def _environment(place: Path, env: dict[str, str]) -> Path:
    """The Python of an environment that is fresh but for what is heavy: torch and the like."""
    _run(sys.executable, "-m", "venv", "--without-pip", place / "venv", env=env, cwd=place)
    python = place / "venv" / "bin" / "python"
    own, ours = "sysconfig.get_path('purelib')", sysconfig.get_path("purelib")
    site = _run(python, "-c", f"import sysconfig; print({own})", env=env, cwd=place).strip()
    Path(site, "ours.pth").write_text(f"import site; site.addsitedir({ours!r})\n")
    return python


def _run(*command: str | Path, env: dict[str, str], cwd: Path) -> str:
    ended = subprocess.run(
        list(map(str, command)), env=env, cwd=cwd, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


PARTS = """
[build-system]
requires = ["setuptools>=77"]
build-backend = "setuptools.build_meta"

[project]
name = "my-parts"
version = "1.0"

[project.entry-points.dfbench]
two-layers = "two_layers"
reciprocal = "reciprocal"
centred = "centred"

[tool.setuptools]
py-modules = ["two_layers", "reciprocal", "centred"]
"""


@pytest.mark.slow
def test_package_of_network_metric_and_reranker_comes_works_and_goes_without_a_trace(
    tmp_path: Path, cache: Path, pictures: Path, shell: dict[str, str]
) -> None:
    """A package as plugins/README.md tells to write it."""
    env = {**shell, "DFBENCH_CACHE": str(cache)}
    python = _environment(tmp_path, env)
    package = tmp_path / "package"
    package.mkdir()
    text = (ROOT / "plugins" / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n# (\w+\.py): [^\n]*\n(.*?)```", text, re.DOTALL)
    for name, content in (*blocks, ("pyproject.toml", PARTS)):
        (package / name).write_text(content, encoding="utf-8")
    pip = (sys.executable, "-m", "pip", "--python", python, "-q", "--disable-pip-version-check")

    def dfbench(*arguments: str) -> str:
        code = "from dfbench.cli import main; main()"
        return _run(python, "-c", code, *arguments, env=env, cwd=tmp_path)

    def listed() -> list[str]:
        return [dfbench("list", kind) for kind in ("plugins", "networks", "metrics", "rerankers")]

    before = listed()
    site = Path(_run(python, "-c", _SITE, env=env, cwd=tmp_path).strip())
    files = sorted(site.rglob("*"))
    install = ("install", "--no-deps", "--no-build-isolation", package)
    _run(*pip, *install, env=env, cwd=tmp_path)
    assert all(
        name in text
        for text, name in zip(listed()[1:], ("two-layers", "mrr", "centred"), strict=True)
    )
    for name in ("two-layers", "mrr", "centred"):
        assert " passed" in dfbench("check", name)
    tiny = {**TINY, "teachers.network": "two-layers"}
    settings = [p for k, v in tiny.items() for p in ("--set", f"{k}={v}")]
    data = ("--dataset", f"folder:{pictures}", "--classes", ",".join(BENCHMARK))
    run = ("run", "--method", "classifier-only", *data, *settings)
    dfbench(*run, "--rerank", "centred")
    dfbench("rescore", "--metric", "mrr")
    table = dfbench("table", "--metric", "map@all", "--metric", "mrr")
    _run(*pip, "uninstall", "-y", "my-parts", env=env, cwd=tmp_path)
    assert listed() == before
    assert sorted(site.rglob("*")) == files
    assert dfbench("table", "--metric", "map@all", "--metric", "mrr") == table
    assert "centred *" in table
    assert "Mrr" in table


_SITE = "import sysconfig; print(sysconfig.get_path('purelib'))"


@pytest.mark.slow
def test_packages_are_installed_checked_run_and_tabled_in_a_fresh_environment(
    tmp_path: Path, cache: Path, pictures: Path, shell: dict[str, str]
) -> None:
    env = {**shell, "DFBENCH_CACHE": str(cache)}
    python = _environment(tmp_path, env)
    # A copy, because the build leaves its things beside the sources.
    example = tmp_path / "example"
    for file in EXAMPLE.rglob("*"):
        if file.is_file() and not {"build", "__pycache__"} & set(file.parts):
            target = example / file.relative_to(EXAMPLE)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(file.read_bytes())
    packages = [
        example,
        new_package("method", "my-method", tmp_path / "method"),
        new_package("dataset", "my-data", tmp_path / "dataset"),
    ]
    pip = (sys.executable, "-m", "pip", "--python", python, "install", "-q")
    options = ("--no-deps", "--no-build-isolation", "--disable-pip-version-check")
    _run(*pip, *options, *packages, env=env, cwd=tmp_path)

    def dfbench(*arguments: str) -> str:
        code = "from dfbench.cli import main; main()"
        return _run(python, "-c", code, *arguments, env=env, cwd=tmp_path)

    listed = dfbench("list", "plugins")
    assert "dfbench-zskd" in listed
    assert "methods: my-method" in listed
    assert "datasets: my-data" in listed
    for package in packages:
        told = _run(python, "-m", "pytest", "-p", "no:cacheprovider", env=env, cwd=package)
        assert " passed" in told
        assert "skipped" not in told
    settings = [p for k, v in TINY.items() for p in ("--set", f"{k}={v}")]
    data = (f"folder:{pictures}", "--classes", ",".join(BENCHMARK))
    spare = ("--alternative-classes", ",".join(ALTERNATIVE))
    small = ("--set", "steps=2", "--set", "per_class=2")
    dfbench("run", "--method", "zskd", "--dataset", *data, *spare, *small, *settings)
    dfbench("run", "--method", "my-method", "--dataset", "my-data", *settings)
    table = dfbench("table")
    assert "ZSKD" in table
    assert "My Method" in table
