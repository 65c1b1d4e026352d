"""`dfbench suite plan|status`: everything is checked and shown, nothing is started."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import pytest
from bench import Bench
from plugin_text import method_text
from suite_bench import WriteSuite, places, reasons, statuses, suite

from dfbench.planning import plan as planning
from dfbench.plugins.info import MethodInfo
from dfbench.process.messages import Description, PluginQuestion
from dfbench.suites.file import DatasetEntry, RunDefaults, Suite


def test_plan_shows_every_run_and_starts_nothing(
    quick_bench: Bench, write_suite: WriteSuite
) -> None:
    file = write_suite('["classifier-only", "crossx[bn]"]', "[71, 72]")
    finished = suite(quick_bench, "plan", file)
    assert finished.status == 0, finished.err
    for text in ("crossx[bn]", "classifier-only", "planned", "?", "4 runs: 4 planned"):
        assert text in finished.out
    assert "to be trained first: 2 modality classifier, 2 photo teacher" in finished.out
    assert not quick_bench.results.exists()
    assert not quick_bench.runs.exists()
    runs = suite(quick_bench, "plan", file, "--format", "json").json["runs"]
    assert [run["status"] for run in runs] == ["planned"] * 4
    assert len({run["eval_id"] for run in runs}) == 4


def test_runs_of_one_method_are_told_apart_by_their_settings(
    quick_bench: Bench, write_suite: WriteSuite
) -> None:
    ablated = '{ method = "crossx[bn]", config = { modality = 0, rounds = 2 } }'
    file = write_suite(f'["crossx[bn]", {ablated}]')
    out = suite(quick_bench, "plan", file).out
    assert "crossx[bn] (modality=0, rounds=2)" in out
    assert re.search(r"crossx\[bn\]  ", out)
    runs = suite(quick_bench, "plan", file, "--format", "json").json["runs"]
    assert [run["method"] for run in runs] == ["crossx[bn]"] * 2
    assert [run["settings"] for run in runs] == [{}, {"modality": "0", "rounds": "2"}]


def test_plugins_are_asked_once_for_all_runs(
    quick_bench: Bench, write_suite: WriteSuite, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[PluginQuestion] = []
    real = planning.describe

    def counted(question: PluginQuestion) -> Description:
        asked.append(question)
        return real(question)

    monkeypatch.setattr(planning, "describe", counted)
    methods = '["classifier-only", "crossx", { method = "crossx", config = { rounds = 3 } }]'
    finished = suite(quick_bench, "plan", write_suite(methods, "[0, 1, 2, 3]"))
    assert finished.status == 0, finished.err
    assert [[row.label for row in question.methods] for question in asked] == [
        ["classifier-only", "crossx", "crossx"]
    ]


@pytest.mark.parametrize(
    ("methods", "fault"),
    [
        ('["classifier-only",\n"crosx"]', "line 2, key methods[1]: unknown method 'crosx'; did"),
        ('["crossx[bm]"]', "line 1, key methods[0]: unknown variant of crossx 'bm'; did you mean"),
        (
            '["crossx",\n{ method = "crossx", config = { roundz = 3 } }]',
            "line 2, key methods[1]: unknown setting of method 'crossx' 'roundz'; did you mean",
        ),
        (
            '["crossx",\n{ method = "crossx", config = { rounds = 8 } }]',
            "line 2, key methods[1]: the same run as methods[0]; name one of the two",
        ),
    ],
)
def test_method_that_is_not_to_be_had_is_named_with_its_line(
    methods: str, fault: str, quick_bench: Bench, write_suite: WriteSuite
) -> None:
    line = suite(quick_bench, "run", write_suite(methods)).refused()
    assert f"suite.toml {fault}" in line
    assert not quick_bench.runs.exists()


@pytest.mark.parametrize(
    ("dataset", "fault"),
    [
        ("shpaes", "key datasets[1]: unknown dataset 'shpaes'; did you mean 'shapes'?"),
        ("folder:nowhere/at/all", "nowhere/at/all"),
    ],
)
def test_dataset_that_is_not_to_be_had_is_named_with_its_line(
    dataset: str, fault: str, quick_bench: Bench, write_suite: WriteSuite
) -> None:
    file = write_suite('["classifier-only"]')
    text = file.read_text(encoding="utf-8")
    file.write_text(f'{text}\n[[datasets]]\ndataset = "{dataset}"\n', encoding="utf-8")
    line = suite(quick_bench, "plan", file).refused()
    assert fault in line
    assert f"suite.toml line {len(text.splitlines()) + 2}, key datasets[1]" in line


def test_network_that_is_not_to_be_had_is_named_with_its_line(
    quick_bench: Bench, write_suite: WriteSuite
) -> None:
    file = write_suite('["classifier-only"]')
    text = file.read_text(encoding="utf-8").replace("resnet-tiny", "resnet-tini")
    file.write_text(text, encoding="utf-8")
    line = suite(quick_bench, "run", file).refused()
    at = next(n for n, row in enumerate(text.splitlines(), 1) if "resnet-tini" in row)
    assert f"suite.toml line {at}, key teachers.network: unknown network 'resnet-tini'" in line
    assert not quick_bench.runs.exists()


def test_plugins_of_the_file_start_at_the_file_and_reach_every_verb_and_child(
    quick_bench: Bench, write_suite: WriteSuite, monkeypatch: pytest.MonkeyPatch
) -> None:
    (quick_bench.place / "deep").mkdir()
    quick_bench.plugin(method_text("plain"), "plainly")
    named = 'plugins = ["../plainly.py"]'
    file = write_suite('["plain"]', "[71]", named, name="deep/suite.toml")
    monkeypatch.chdir("/")
    for verb, state in (("plan", "planned"), ("run", "done"), ("status", "done")):
        finished = suite(quick_bench, verb, file, "--format", "json")
        assert finished.status == 0, finished.err
        assert statuses(finished) == {("plain", 71): state}
    twice = suite(quick_bench, "plan", file, "--plugin", str(quick_bench.place / "plainly.py"))
    assert twice.status == 0, twice.err
    table = quick_bench.call("table", "--results", str(quick_bench.results), "--suite", str(file))
    assert "Plain" in table.out, table.err


def test_broken_plugin_of_the_file_is_one_line(quick_bench: Bench, write_suite: WriteSuite) -> None:
    quick_bench.plugin("raise GeneratorExit", "shattered")
    file = write_suite('["crossx"]', "[71]", 'plugins = ["shattered.py"]')
    line = suite(quick_bench, "plan", file).refused()
    assert "shattered.py' does not work: GeneratorExit" in line


def test_path_of_a_dataset_starts_at_the_suite_file(
    quick_bench: Bench, write_suite: WriteSuite, monkeypatch: pytest.MonkeyPatch
) -> None:
    (quick_bench.place / "here").symlink_to(quick_bench.pictures)
    file = write_suite('["classifier-only"]')
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace(f"folder:{quick_bench.pictures}", "folder:here"))
    monkeypatch.chdir("/")
    assert suite(quick_bench, "plan", file).status == 0


def test_patterns_that_leave_nothing_together_are_an_error(
    quick_bench: Bench, write_suite: WriteSuite
) -> None:
    file = write_suite('["classifier-only", "crossx"]')
    line = suite(quick_bench, "plan", file, "--only", "crossx", "--except", "crossx").refused()
    assert "no run of suite.toml is left" in line
    assert "did you mean 'crossx'" in suite(quick_bench, "plan", file, "--only", "crosx").refused()


def test_row_that_cannot_work_is_skipped_with_its_reason(
    quick_bench: Bench, write_suite: WriteSuite, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(method: MethodInfo) -> None:
        if method.needs:
            raise planning.CannotRun(f"method {method.label!r} needs {method.needs[0]}")

    monkeypatch.setattr(planning, "_check_needs", refuse)
    file = write_suite('["classifier-only", "crossx"]')
    finished = suite(quick_bench, "run", file, "--format", "json")
    assert finished.status == 0, finished.err
    assert statuses(finished) == {("classifier-only", 0): "done", ("crossx", 0): "skipped"}
    assert "needs modality classifier" in reasons(finished.json)["crossx"]


def test_cost_is_estimated_from_records_of_the_same_row_and_budget(
    quick_bench: Bench, write_suite: WriteSuite
) -> None:
    one, more = write_suite('["classifier-only"]'), '["classifier-only", "classifier-logits"]'
    assert suite(quick_bench, "run", one).status == 0
    runs = suite(quick_bench, "plan", write_suite(more, "[0, 1]"), "--format", "json").json["runs"]
    known = {(run["method"], run["seed"]): run["estimated_seconds"] is not None for run in runs}
    assert known == {
        ("classifier-only", 0): False,  # done
        ("classifier-logits", 0): False,
        ("classifier-only", 1): True,
        ("classifier-logits", 1): False,
    }


def test_edited_record_is_a_failure_that_names_its_file(
    quick_bench: Bench, write_suite: WriteSuite
) -> None:
    file = write_suite('["classifier-only"]')
    assert suite(quick_bench, "run", file).status == 0
    record = next(quick_bench.results.rglob("*.json"))
    record.write_text(record.read_text().replace('"seed": 0', '"seed": 1'))
    finished = suite(quick_bench, "status", file, "--format", "json")
    assert statuses(finished) == {("classifier-only", 0): "failed"}
    assert str(record) in reasons(finished.json)["classifier-only"]


IMPORTS = """
import sys
from dfbench.cli import main
try:
    main()
except SystemExit as ended:
    print(ended.code, sorted({"torch", "torchvision", "scipy"} & set(sys.modules)), file=sys.stderr)
"""


def test_looking_up_a_suite_imports_no_torch(
    bench: Bench, write_suite: WriteSuite, shell: dict[str, str]
) -> None:
    file = write_suite('["classifier-only", "siamese[generated]"]')
    ended = subprocess.run(
        [
            sys.executable,
            "-c",
            IMPORTS,
            "suite",
            "status",
            file,
            "--format",
            "json",
            *places(bench),
        ],
        env=shell,
        capture_output=True,
        text=True,
        check=True,
    )
    assert ended.stderr.splitlines()[-1] == "0 []"
    assert json.loads(ended.stdout)["totals"]["planned"] == len(json.loads(ended.stdout)["runs"])


def test_help_tells_the_form_of_a_suite_file(quick_bench: Bench) -> None:
    finished = quick_bench.call("suite", "--help")
    assert 'datasets = ["shapes"' in finished.out
    words = set(re.findall(r"\w+", finished.out))
    for table in (Suite, DatasetEntry, RunDefaults):
        assert table.model_fields.keys() - {"title"} <= words
