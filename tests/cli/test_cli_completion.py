"""`dfbench completion`: the script of each shell, and the names that it offers."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from shutil import which

import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner

from dfbench.cli import completion as module
from dfbench.cli.app import app
from dfbench.cli.completion import completion
from dfbench.cli.completion_names import FILE, CompletionNames, stored_names

PLUGIN = """
from dfbench import Method, MethodSpec, hookimpl


class Mine(Method):
    name = "mine"
    variants = {{"fast": {{}}, "slow": {{}}}}


@hookimpl
def dfbench_methods():
    return (MethodSpec("mine", "Mine", "{module}:Mine"),)
"""
NAMES = CompletionNames(
    variants={"crossx": ("bn", "queue-only"), "mib": ()},
    settings={"crossx": ("rounds", "pair_targets"), "mib": ("weight",)},
    shared=("budget.steps", "teachers.steps"),
    datasets=("shapes", "folder:"),
)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache folder, which the environment names."""
    monkeypatch.setenv("DFBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cache").mkdir()
    return tmp_path / "cache"


def offered(*words: str) -> list[str]:
    """What a shell offers for the last of these words of a command."""
    *before, incomplete = words
    found = ShellComplete(app, {}, "dfbench", "_DFBENCH_COMPLETE").get_completions(
        before, incomplete
    )
    return [one.value for one in found]


@pytest.mark.parametrize(
    ("words", "values"),
    [
        (["comp"], ["compare", "completion"]),
        (["run", "--method", "c"], ["crossx"]),
        (["run", "--method", "crossx[q"], ["crossx[queue-only]"]),
        (["describe", "m"], ["mib"]),
        (["plot", "bars", "--method", "m"], ["mib"]),
        (["table", "--method", "crossx[b"], ["crossx[bn]"]),
        (["compare", "mib", "cr"], ["crossx"]),
        (["run", "--dataset", ""], ["shapes", "folder:"]),
        (["table", "--dataset", "sh"], ["shapes"]),
        (["data", "verify", "f"], ["folder:"]),
        (["run", "--method", "crossx[bn]", "--set", "r"], ["rounds="]),
        (["run", "--method", "mib", "--set", ""], ["weight=", "budget.steps=", "teachers.steps="]),
        (["run", "--set", "b"], ["budget.steps="]),
        (["run", "--device", "c"], ["cpu", "cuda"]),
        (["run", "--method", "x"], []),
        (["run", "--method", "nothing[x"], []),
    ],
)
def test_names_are_offered_where_they_are_taken(
    cache: Path, words: list[str], values: list[str]
) -> None:
    (cache / FILE).write_text(NAMES.model_dump_json(), encoding="utf-8")
    assert offered(*words) == values


def test_runs_are_offered_from_the_results_folder_that_was_named(cache: Path) -> None:
    for folder, name in (
        ("results", "mib-seed0-00aa11bb22cc"),
        ("other", "crossx-seed1-00ffee112233"),
    ):
        (cache.parent / folder / "shapes").mkdir(parents=True)
        (cache.parent / folder / "shapes" / f"{name}.json").touch()
    (cache.parent / "results" / "shapes" / "notes.json").touch()
    assert offered("query", "--run", "") == ["00aa11bb22cc"]
    assert offered("export", "--results", "other", "--run", "00f") == ["00ffee112233"]
    assert offered("query", "--run", "ff") == []


@pytest.mark.parametrize("content", [None, "{", '{"variants": 3}'])
def test_without_names_in_the_cache_methods_and_datasets_are_offered(
    cache: Path, content: str | None
) -> None:
    if content is not None:
        (cache / FILE).write_text(content, encoding="utf-8")
    assert offered("run", "--method", "cross") == ["crossx", "crossx-data"]
    assert offered("run", "--dataset", "sh") == ["shapes"]


def test_nothing_is_offered_and_nothing_printed_where_plugins_do_not_work(
    cache: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DFBENCH_PLUGINS_DIR", str(cache / "absent"))
    assert offered("run", "--method", "c") == []
    assert capfd.readouterr() == ("", "")


def test_command_keeps_variants_and_settings_and_asks_again_for_changed_plugins(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plugin = cache.parent / "mine.py"
    plugin.write_text(PLUGIN.format(module="mine"), encoding="utf-8")
    monkeypatch.syspath_prepend(cache.parent)
    call = ["bash", "--cache", str(cache), "--plugin", str(plugin)]
    assert CliRunner().invoke(completion, call).exit_code == 0
    names = stored_names(cache)
    assert names is not None
    assert names.variants["mine"] == ("fast", "slow")
    assert "bn" in names.variants["crossx"]
    assert "rounds" in names.settings["crossx"]
    assert "budget.steps" in names.shared
    asked = []
    monkeypatch.setattr(module, "_asked", lambda *_: asked.append(1) or names)
    CliRunner().invoke(completion, call)
    assert asked == []
    os.utime(plugin, (1, 1))
    CliRunner().invoke(completion, call)
    assert asked == [1]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_script_calls_dfbench_for_its_shell(
    cache: Path, shell: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_asked", lambda *_: NAMES)
    finished = CliRunner().invoke(completion, [shell, "--cache", str(cache)])
    assert finished.exit_code == 0
    assert f"_DFBENCH_COMPLETE={shell}_complete" in finished.output
    if shell == "bash":
        subprocess.run([str(which("bash")), "-n"], input=finished.output, text=True, check=True)


def test_unknown_shell_is_refused_with_the_nearest() -> None:
    finished = CliRunner().invoke(completion, ["bsh"])
    assert finished.exit_code == 2
    assert "Did you mean 'bash'?" in finished.output


def _completed(words: str) -> tuple[list[str], set[str]]:
    """What the shell is offered for the last of some words, and the modules imported for it."""
    script = (
        "import sys; sys.argv = ['dfbench']\n"
        "from dfbench.cli import main\n"
        "try: main()\n"
        "finally: print(*sys.modules, file=sys.stderr)"
    )
    finished = subprocess.run(
        [sys.executable, "-c", script],
        env={
            **os.environ,
            "COMP_WORDS": words,
            "COMP_CWORD": str(words.count(" ")),
            "_DFBENCH_COMPLETE": "bash_complete",
        },
        capture_output=True,
        text=True,
        check=True,
    )
    return finished.stdout.split(), set(finished.stderr.split())


def test_completion_imports_no_torch(cache: Path) -> None:
    (cache / FILE).write_text(NAMES.model_dump_json(), encoding="utf-8")
    offered, imported = _completed("dfbench run --method crossx --set ro")
    assert offered == ["plain,rounds="]
    assert not {"torch", "pandas", "numpy", "rich.console"} & imported


@pytest.mark.parametrize("beginning", ["", "t", "c", "re"])
def test_completion_of_a_command_imports_none(beginning: str) -> None:
    offered, imported = _completed(f"dfbench {beginning}")
    assert offered == [
        f"plain,{name}" for name in sorted(app.commands) if name.startswith(beginning)
    ]
    modules = {name for name in imported if name.startswith("dfbench.cli.")}
    assert modules == {"dfbench.cli.app"}
    assert not {"pydantic", "pluggy"} & imported
