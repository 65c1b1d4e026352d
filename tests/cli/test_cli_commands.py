from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from bench import Bench
from click.testing import CliRunner

from dfbench.cli.app import app

IMPORTS = """
import json
import sys

from dfbench.cli import main

try:
    main()
except SystemExit as ended:
    status = ended.code
print(json.dumps({"status": status, "modules": sorted(sys.modules)}), file=sys.stderr)
"""
HEAVY = {
    *("torch", "torchvision", "numpy", "scipy", "matplotlib", "pandas", "PIL"),
    *("jinja2", "requests", "safetensors", "tabulate", "dfbench_baselines.classifiers"),
    *("psutil", "filelock", "dfbench.planning", "dfbench.process.messages"),
    *("dfbench.process.supervision", "dfbench.cli.completion_names"),
}
"""What no light command needs."""
MODELS = {"dfbench.records", "dfbench.process", "dfbench.need", "dfbench.budget"}
"""What those need that read records or plan runs."""
OPTIONS = {"pydantic", "dfbench.request"}
"""What those need that have options of a run."""


@pytest.mark.parametrize(
    ("command", "heavy"),
    [
        ("--help", HEAVY | MODELS | OPTIONS | {"pluggy", "dfbench.hookspecs"}),
        ("--version", HEAVY | MODELS | OPTIONS | {"pluggy", "dfbench.hookspecs"}),
        ("list --help", HEAVY | MODELS | OPTIONS),
        ("describe --help", HEAVY | MODELS | OPTIONS),
        ("list methods", HEAVY | MODELS | OPTIONS),
        ("list datasets", HEAVY | MODELS | OPTIONS),
        ("list networks", HEAVY | MODELS | OPTIONS),
        ("list metrics", HEAVY | MODELS | OPTIONS),
        ("list rerankers", HEAVY | MODELS | OPTIONS),
        ("list plugins", HEAVY | MODELS | OPTIONS),
        ("describe map@all", HEAVY | MODELS | OPTIONS),
        ("run --help", HEAVY | MODELS),
        ("suite status --help", HEAVY | MODELS),
        ("teachers list --help", HEAVY | MODELS),
        ("watch --help", HEAVY | MODELS | {"dfbench.request.run"}),
        ("compare --help", HEAVY | MODELS | {"dfbench.request.run"}),
        ("plot bars --help", HEAVY | MODELS | {"dfbench.request.run"}),
        ("report --help", HEAVY | MODELS | {"dfbench.request.run"}),
        ("table --help", HEAVY | MODELS | {"dfbench.request.run"}),
        (
            "table --results RESULTS",
            HEAVY | {"dfbench.request.run", "dfbench.reporting.comparisons"},
        ),
    ],
)
def test_light_command_imports_nothing_heavy(
    command: str, heavy: set[str], recorded: Path, shell: dict[str, str]
) -> None:
    arguments = [str(recorded) if part == "RESULTS" else part for part in command.split()]
    ended = subprocess.run(
        [sys.executable, "-c", IMPORTS, *arguments], env=shell, capture_output=True, text=True
    )
    told = json.loads(ended.stderr.splitlines()[-1])
    assert told["status"] == 0, ended.stderr
    assert heavy & set(told["modules"]) == set()
    assert ended.stdout


def test_help_of_the_program_says_of_each_command_what_its_own_help_does() -> None:
    shown = " ".join(CliRunner().invoke(app, ["--help"], terminal_width=200).output.split())
    for name, command in app.commands.items():
        assert f"{name} {command.get_short_help_str(200)}" in shown


@pytest.fixture
def recorded(quick_bench: Bench) -> Path:
    """A folder with one record."""
    quick_bench.record("classifier-only")
    return quick_bench.results


def test_run_prints_a_table_of_scores_and_where_things_lie(quick_bench: Bench) -> None:
    finished = quick_bench.run("classifier-posterior")
    assert finished.status == 0
    for text in ("Classifier Posterior", "map@all", "prec@200", "acc@1", "teacher accuracy"):
        assert text in finished.out
    assert "record: " in finished.err
    assert "pictures: " in finished.err
    assert "\x1b" not in finished.out + finished.err


def test_rows_that_give_context_run_before_the_one_asked_for(quick_bench: Bench) -> None:
    arguments = [part for part in quick_bench.arguments("crossx") if part != "--alone"]
    finished = quick_bench.call(*arguments)
    assert finished.status == 0, finished.err
    titles = [
        line for line in finished.out.splitlines() if "Classifier" in line or "CrossX" in line
    ]
    assert "Classifier Only" in titles[0]
    assert "zero-step" in "".join(titles[:-1])
    assert "zero-step" not in titles[-1]
    assert len(list(quick_bench.results.rglob("*.json"))) == 5


def test_settings_of_a_row_are_not_forced_on_the_rows_beside_it(quick_bench: Bench) -> None:
    arguments = [part for part in quick_bench.arguments("crossx") if part != "--alone"]
    assert quick_bench.call(*arguments, "--set", "one_hot=2").status == 0
    configs = {
        record["method"]["name"] + str(record["method"]["variant"]): record["method"]["config"]
        for record in (json.loads(p.read_text()) for p in quick_bench.results.rglob("*.json"))
    }
    assert configs["crossxNone"]["one_hot"] == 2
    assert configs["crossxzero-step"]["one_hot"] == 1
    assert configs["classifier-onlyNone"] == {}


def test_json_goes_to_standard_output_alone(quick_bench: Bench) -> None:
    finished = quick_bench.run("classifier-only", "--format", "json")
    assert finished.json["method"]["name"] == "classifier-only"


def test_list_names_broken_plugins_with_their_fault(quick_bench: Bench) -> None:
    file = quick_bench.plugin("def f(:\n")
    for what in ("plugins", "methods", "datasets"):
        finished = quick_bench.call("list", what, "--plugin", str(file))
        assert finished.status == 0
        assert "SyntaxError" in (finished.out if what == "plugins" else finished.err)
    rows = quick_bench.call("list", "plugins", "--plugin", str(file), "--format", "json").json
    assert {row["name"] for row in rows[0]["plugins"]} >= {"baselines", "datasets", "someplugin"}


def test_folder_of_plugins_is_taken_from_the_environment(
    quick_bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = quick_bench.place / "plugins"
    folder.mkdir()
    (folder / "envplugin.py").write_text("raise ValueError('from the environment')\n")
    monkeypatch.setenv("DFBENCH_PLUGINS_DIR", str(folder))
    assert "from the environment" in quick_bench.call("list", "plugins").out


@pytest.mark.parametrize("form", ["text", "markdown", "json"])
def test_list_has_every_face(form: str, quick_bench: Bench) -> None:
    out = quick_bench.call("list", "methods", "--format", form).out
    assert "crossx" in out
    assert "classifier-posterior" in out


def test_describe_shows_settings_with_their_meaning_variants_and_needs(quick_bench: Bench) -> None:
    out = quick_bench.call("describe", "crossx").out
    for text in ("rounds", "crossx[bn]", "batch_norm=3.0", "modality classifier", "budget.steps"):
        assert text in out
    settings = quick_bench.call("describe", "crossx", "--format", "json").json[0]["settings"]
    assert all(row["meaning"] for row in settings)


def test_table_has_every_face(recorded: Path, quick_bench: Bench) -> None:
    arguments = ("table", "--results", str(recorded), "--format")
    assert "Classifier Only" in quick_bench.call(*arguments, "text").out
    markdown = quick_bench.call(*arguments, "markdown").out
    assert markdown.startswith("### folder:pictures, closed, 3 classes")
    rows = quick_bench.call(*arguments, "json").json[0]["rows"]
    assert [row["method"] for row in rows] == ["classifier-only"]


def test_version_is_that_of_the_distribution(quick_bench: Bench) -> None:
    import dfbench

    assert dfbench.__version__ in quick_bench.call("--version").out
