"""Plugins that go to another folder, or change what paths are made from, while a command runs."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

import pytest
from bench import ALTERNATIVE, BENCHMARK, TINY, Bench
from plugin_text import method_text

import dfbench
from dfbench.cli.parameters import AbsolutePath
from dfbench.defaults import (
    chosen_cache,
    chosen_plugins,
    chosen_plugins_folder,
    data_root_or_configured,
)
from dfbench.errors import DfbenchError
from dfbench.request import DataChoice, Places
from dfbench.request.settings import Settings
from dfbench.runs.execute import execute

GONE = "import os, tempfile\n{}place = tempfile.mkdtemp()\n{}os.chdir(place)\n{}os.rmdir(place)"
FORWARD = """import os
        class Mover(nn.Module):
            def forward(self, x):
                os.chdir("/")
                return x.flatten(1)
        return Encoders(Mover(), Mover())"""
METHODS = {
    "goes elsewhere when imported": ("import os\nos.chdir('/')", "pass"),
    "goes elsewhere when it fits": ("import os", "os.chdir('/')"),
    "goes elsewhere when it embeds": ("", FORWARD),
    "goes into a folder that it removes": ("", GONE.format(*[" " * 8] * 3)),
    "changes home, temporary folder and search path": (
        "import os, sys",
        "os.environ.update(HOME='/nowhere', TMPDIR='nowhere', XDG_CACHE_HOME='nowhere')\n"
        "        sys.path[:] = [p for p in sys.path if os.path.isabs(p)]; os.chdir('/')",
    ),
}
DATASET = """
import os
import dfbench
from dfbench.datasets.folder.opening import open_folder

@dfbench.hookimpl
def dfbench_datasets():
    return [dfbench.DatasetSpec("moving", "moves", f"{__name__}:open_moving", argument="PATH")]

def open_moving(request):
    os.chdir("/")
    return open_folder(request)
"""


@pytest.fixture
def relative(
    quick_bench: Bench, shell: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> list[str]:
    """Options that name all folders from the folder in which the command starts."""
    for name in ("HOME", "TMPDIR", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, shell.get(name, ""))  # what a method sets here ends with the test
        if name not in shell:
            monkeypatch.delenv(name)
    monkeypatch.chdir(quick_bench.place)
    monkeypatch.setenv("DFBENCH_CACHE", "ignored")
    cache = os.path.relpath(quick_bench.cache)
    return ["--results", "results", "--runs", "runs", "--cache", cache]


@pytest.mark.parametrize("what", METHODS)
def test_run_ends_where_it_was_started_although_a_method(
    what: str, quick_bench: Bench, relative: list[str]
) -> None:
    head, body = METHODS[what]
    quick_bench.plugin(method_text("mover", body, head=head), "mover")
    dataset = f"folder:{os.path.relpath(quick_bench.pictures)}"
    options = ["--plugin", "mover.py", "--dataset", dataset, *relative]
    finished = quick_bench.run("mover", *options, "--format", "json")
    assert finished.status == 0, finished.err
    assert finished.json["method"]["name"] == "mover"
    assert len(list(quick_bench.results.glob("*/*.json"))) == 1
    assert len(list(quick_bench.runs.glob("*/*/labels.npz"))) == 1


def test_run_ends_where_it_was_started_although_a_dataset_goes_elsewhere(
    quick_bench: Bench, relative: list[str]
) -> None:
    quick_bench.plugin(DATASET, "moving")
    dataset = f"moving:{os.path.relpath(quick_bench.pictures)}"
    options = ["--plugin", "moving.py", "--dataset", dataset, *relative]
    started_in = Path.cwd()
    finished = quick_bench.run("classifier-only", *options)
    assert finished.status == 0, finished.err
    assert Path.cwd() == started_in
    assert len(list(quick_bench.results.glob("*/*.json"))) == 1


def test_process_of_a_method_that_goes_elsewhere_finds_its_run(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(bench.place)
    head, body = "import os\nos.chdir('/')", GONE.format(*[" " * 8] * 3)
    bench.plugin(method_text("mover", body, head=head), "mover")
    options = ("--plugin", "mover.py", "--results", "results", "--runs", "runs")
    assert bench.record("mover", *options)["method"]["name"] == "mover"
    assert len(list(bench.results.glob("*/*.json"))) == 1


def test_suite_ends_where_it_was_started_although_a_method_goes_elsewhere(
    quick_bench: Bench, relative: list[str]
) -> None:
    head, body = METHODS["goes elsewhere when imported"]
    quick_bench.plugin(method_text("mover", body, head=head), "mover")
    settings = "\n".join(
        f"[{owner}]\n"
        + "\n".join(
            f'{key.partition(".")[2]} = "{value}"'
            for key, value in TINY.items()
            if key.startswith(owner)
        )
        for owner in ("budget", "teachers")
    )
    (quick_bench.place / "grid.toml").write_text(
        f'methods = ["mover", "classifier-only"]\nseeds = [0]\n'
        f'datasets = [{{ dataset = "folder:{quick_bench.pictures}", '
        f"classes = {list(BENCHMARK)}, alternative_classes = {list(ALTERNATIVE)} }}]\n{settings}\n"
        '[run]\ndevice = "cpu"\nthreads = 1\n',
        encoding="utf-8",
    )
    finished = quick_bench.call("suite", "run", "grid.toml", "--plugin", "mover.py", *relative)
    assert finished.status == 0, finished.err
    assert len(list(quick_bench.results.glob("*/*.json"))) == 2


def test_runs_from_python_stay_where_they_were_made(
    quick_bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(seed: int) -> Any:
        return dfbench.run(
            "classifier-only",
            f"folder:{os.path.relpath(quick_bench.pictures)}",
            seed=seed,
            classes=BENCHMARK,
            alternative_classes=ALTERNATIVE,
            settings=TINY,
            threads=1,
            device="cpu",
            cache=os.path.relpath(quick_bench.cache),
        )

    made = []
    for seed, name in enumerate(("here", "there")):
        (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path / name)
        made.append(run(seed))
    monkeypatch.chdir("/")
    assert [one.path.is_relative_to(tmp_path / "here") for one in made] == [True, False]
    assert all(one.path.is_file() and (one.folder / "labels.npz").is_file() for one in made)


def test_command_in_a_folder_that_was_removed_is_refused_in_one_line(
    quick_bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = quick_bench.place / "removed"
    folder.mkdir()
    monkeypatch.chdir(folder)
    folder.rmdir()
    for arguments in (
        ("table",),
        ("report",),
        ("suite", "plan", "grid.toml"),
        ("run", "--method", "crossx", "--dataset", "shapes"),
    ):
        assert "current folder, which has been removed" in quick_bench.call(*arguments).refused()


def test_cache_is_that_of_the_user_although_a_plugin_changes_the_environment(
    quick_bench: Bench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "own"))
    head = f"import os\nos.environ['XDG_CACHE_HOME'] = {str(tmp_path / 'other')!r}"
    file = quick_bench.plugin(method_text("mover", "pass", head=head), "mover")
    assert quick_bench.call("check", str(file), "--only", "names").status == 0
    assert (tmp_path / "own" / "dfbench").is_dir()
    assert not (tmp_path / "other").exists()


def test_files_of_a_run_can_be_read_whatever_umask_its_method_sets(faulty: Any) -> None:
    umask = os.umask(0o022)
    os.umask(umask)
    faulty.behaves(
        "os.umask(0o777)\n"
        "        setting.artefacts.save_json('told', {'a': 1})\n"
        "        for _ in setting.loop('train', 2, {}):\n"
        "            pass"
    )
    run = execute(faulty.plan)
    files = [path for path in run.folder.rglob("*") if path.name != ".lock"]
    assert any(path.name == "told.json" for path in files)
    for path in files:
        expected = (0o777 if path.is_dir() else 0o666) & ~umask
        assert stat.S_IMODE(path.stat().st_mode) == expected, path


@pytest.mark.parametrize(
    "body", ["import shutil; shutil.rmtree(sys.argv[2])", "os.rename(sys.argv[2], HERE / 'moved')"]
)
def test_run_whose_folder_is_removed_ends_with_a_message(body: str, faulty: Any) -> None:
    faulty.behaves(body)
    with pytest.raises(DfbenchError, match="was removed during the run"):
        execute(faulty.plan)
    assert faulty.results == []


def test_folders_named_by_the_environment_are_seen_from_where_the_command_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("CACHE", "DATA", "PLUGINS_DIR"):
        monkeypatch.setenv(f"DFBENCH_{name}", name.lower())
    monkeypatch.chdir(tmp_path)
    (tmp_path / "plugins_dir").mkdir()
    assert chosen_cache() == tmp_path / "cache"
    assert chosen_plugins(folder=chosen_plugins_folder()).folder == tmp_path / "plugins_dir"
    assert data_root_or_configured(Path(os.environ["DFBENCH_DATA"])) == tmp_path / "data"


def test_home_is_that_of_the_start_and_names_with_a_tilde_are_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    paths = {"~/x": "home/x", "a/~/x": "a/~/x", "~nobody-here/x": "~nobody-here/x"}
    for given, expected in paths.items():
        assert AbsolutePath().convert(given, None, None) == tmp_path / expected


def test_requests_hold_absolute_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    places = Places(results=Path("r"), runs=Path("x/../y"), cache=Path("/c"))
    assert places.results == tmp_path / "r"
    assert places.runs == tmp_path / "x" / ".." / "y"  # x may be a link
    assert places.cache == Path("/c")
    data = DataChoice(name="folder:a", root=Path("d"))
    assert (data.base, data.root) == (tmp_path, tmp_path / "d")
    weights = {"teachers.weights": "w.pt", "teachers.steps": "3"}
    assert Settings(weights).from_folder() == weights | {"teachers.weights": str(tmp_path / "w.pt")}
