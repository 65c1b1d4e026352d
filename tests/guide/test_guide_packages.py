"""Packages that dfbench writes, and the one beside the guide, work where they are installed."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import tomllib
from pathlib import Path

import pytest
from bench import ALTERNATIVE, BENCHMARK, TINY, Bench

from dfbench.errors import InvalidInput
from dfbench.scaffold import new_package

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


@pytest.mark.parametrize("kind", ["method", "dataset"])
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
    assert "is there already" in bench.call("new", kind, "my-thing").refused()


@pytest.mark.parametrize("name", ["My", "my_thing", "1st", "a--b", "", "a/b"])
def test_name_that_is_none_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="lower case, digits and single hyphens"):
        new_package("method", name, tmp_path / "there")
    assert not (tmp_path / "there").exists()


def _run(*command: str | Path, env: dict[str, str], cwd: Path) -> str:
    ended = subprocess.run(
        list(map(str, command)), env=env, cwd=cwd, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


@pytest.mark.slow
def test_packages_are_installed_checked_run_and_tabled_in_a_fresh_environment(
    tmp_path: Path, cache: Path, pictures: Path, shell: dict[str, str]
) -> None:
    """Fresh but for what is heavy: torch and the like are those of this interpreter."""
    env = {**shell, "DFBENCH_CACHE": str(cache)}
    _run(sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv", env=env, cwd=tmp_path)
    python = tmp_path / "venv" / "bin" / "python"
    own, ours = "sysconfig.get_path('purelib')", sysconfig.get_path("purelib")
    site = _run(python, "-c", f"import sysconfig; print({own})", env=env, cwd=tmp_path).strip()
    Path(site, "ours.pth").write_text(f"import site; site.addsitedir({ours!r})\n")
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
