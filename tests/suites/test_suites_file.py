"""Suite files that are wrong: file, line and key are named; and where keys stand."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dfbench.errors import DfbenchError
from dfbench.plugins.sources import PluginSources
from dfbench.process.messages import MethodQuestion, PluginQuestion
from dfbench.suites.file import read_suite
from dfbench.suites.positions import KeyPath, key_lines, line_of

SOUND = 'methods = ["crossx"]\ndatasets = ["shapes"]\nseeds = [0]\n'


def _written(folder: Path, text: str) -> Path:
    file = folder / "quick.toml"
    file.write_text(text, encoding="utf-8")
    return file


def _fault(folder: Path, text: str) -> str:
    with pytest.raises(DfbenchError) as raised:
        read_suite(_written(folder, text))
    return str(raised.value)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (SOUND + "sedds = [1]", "line 4, key sedds: unknown key 'sedds'; did you mean 'seeds'?"),
        (
            SOUND.replace('["shapes"]', '[\n "shapes",\n {dataset="folder:x", imagesize=32}]'),
            "line 4, key datasets[1].imagesize: unknown key 'imagesize'; did you mean 'image_size'",
        ),
        (SOUND + 'plugins = "mine.py"', "line 4, key plugins: 'mine.py'; input should be a valid"),
        (SOUND + "plugins = [3]", "line 4, key plugins[0]: 3; input should be a valid string"),
        (SOUND + 'plugins = [""]', "line 4, key plugins[0]: ''; string should have at least 1"),
        (SOUND + 'plugins = ["no.py"]', "line 4, key plugins[0]: no such plugin file: '/"),
        (SOUND + 'plugins = ["."]', "line 4, key plugins[0]: no such plugin file: '/"),
        (
            SOUND + 'plugins = ["no.py", "no.py"]',
            "line 4, key plugins[1]: the same as plugins[0]",
        ),
        (SOUND + 'plugin = ["a.py"]', "unknown key 'plugin'; did you mean 'plugins'?"),
        (SOUND + 'precision = "fp16"', "line 4, key precision: 'fp16'; did you mean 'bf16'? allow"),
        (SOUND + "[run]\ntimout = 3", "line 5, key run.timout: unknown key 'timout'; did you mean"),
        (SOUND + "[run]\njobs = 0", "line 5, key run.jobs: 0; input should be greater than or"),
        (SOUND + '[run]\ndevice = "gpu"', "key run.device: 'gpu'; did you mean 'cpu'? allowed: "),
        (SOUND.replace("[0]", '["0"]'), "line 3, key seeds[0]: '0'; allowed: an integer from 0"),
        (SOUND.replace("[0]", "[true]"), "line 3, key seeds[0]: True; allowed: an integer from 0"),
        (SOUND.replace("[0]", "[-1]"), "line 3, key seeds[0]: -1; allowed: an integer from 0 to"),
        (SOUND.replace("[0]", "3"), "line 3, key seeds: 3; input should be a valid tuple"),
        (SOUND.replace("[0]", "[]"), "line 3, key seeds: is empty; give at least one"),
        (SOUND.replace('["crossx"]', "[]"), "line 1, key methods: is empty; give at least one"),
        (SOUND.replace('["crossx"]', "[3]"), "key methods[0]: 3; allowed: a string, or a table"),
        (SOUND.replace("seeds = [0]", ""), "line 1, key seeds: is missing"),
        (SOUND.replace("[0]", "[0, 1,\n 0]"), "line 4, key seeds[2]: the same as seeds[0]"),
        (
            SOUND.replace('["crossx"]', '["crossx", {method="crossx"}]'),
            "line 1, key methods[1]: the same as methods[0]",
        ),
        (
            SOUND.replace('["shapes"]', '["shapes", "shapes"]'),
            "line 2, key datasets[1]: the same as datasets[0]",
        ),
        (
            SOUND + 'scenarios = ["closed", "open"]',
            "line 4, key scenarios[1]: unknown scenario 'open'; allowed: closed",
        ),
        (SOUND + "[budget]\nstepz = 3", "line 5, key budget.stepz: unknown setting of the budget"),
        (SOUND + '[budget]\nsteps = "many"', "line 5, key budget.steps: setting budget.steps='ma"),
        (SOUND + "[teachers]\nsteps = 0", "line 5, key teachers.steps: setting teachers.steps='0'"),
        (SOUND + "[budget]\nsteps = [1, 2]", "key budget.steps: [1, 2]; allowed: a number, a text"),
        (
            SOUND.replace('["shapes"]', '[{dataset="shapes", budget={stepz=1}}]'),
            "line 2, key datasets[0].budget.stepz: unknown setting of the budget 'stepz'",
        ),
        (
            'datasets = ["shapes"]\nseeds = [0]\n[[methods]]\nmethod = "crossx"\n'
            '[methods.config]\n"budget.steps" = 4\n',
            "line 6, key methods[0].config.budget.steps: budget and teachers are not settings of a "
            "method",
        ),
        (SOUND + "seeds = [1]", "line 4: not TOML: cannot overwrite a value"),
        (SOUND + "x = [1", "line 4: not TOML: unclosed array"),
    ],
)
def test_wrong_key_is_named_with_file_and_line(text: str, fault: str, tmp_path: Path) -> None:
    lines = [line for line in _fault(tmp_path, text).splitlines() if fault in line]
    assert len(lines) == 1, _fault(tmp_path, text)
    assert lines[0].startswith("quick.toml line ")


def test_all_wrong_keys_are_named_in_the_order_of_their_lines(tmp_path: Path) -> None:
    faults = _fault(tmp_path, SOUND + "[run]\njobs = 0\n[budgt]\n").splitlines()
    assert [fault.partition(",")[0] for fault in faults] == [
        "quick.toml line 5",
        "quick.toml line 6",
    ]


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (None, "cannot read the suite file"),
        (b"\xff", "quick.toml: it is not UTF-8 text (byte 0)"),
        (b"a\0", "quick.toml: it contains a NUL character"),
    ],
)
def test_file_that_cannot_be_read_is_one_line(
    content: bytes | None, fault: str, tmp_path: Path
) -> None:
    file = tmp_path / "quick.toml"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(DfbenchError, match=r"quick\.toml") as raised:
        read_suite(file)
    assert fault in str(raised.value)


def test_text_stands_for_an_entry_that_has_only_a_name(tmp_path: Path) -> None:
    long = SOUND.replace('["shapes"]', '[{ dataset = "shapes" }]')
    long = long.replace('["crossx"]', '[{ method = "crossx" }]')
    assert read_suite(_written(tmp_path, long)).suite == read_suite(_written(tmp_path, SOUND)).suite


DOCUMENT = '''
# a comment with [brackets] and "quotes"
title = "one # not a comment"
text = """
[not.a.table]
x = 1 ""\\""""
dates = [1979-05-27 07:32:00, 1979-05-27T07:32:00.5Z]
floats = [1.5, -2e3, inf]
literal = 'a\\'
methods = [ # here
  "a", { method = "b", config = { "quoted.key" = 1, x.y = [ [1, 2], [] ] } },

  "c",
]

[budget]
steps = 3
a."b c".d = 4

[[datasets]]
dataset = "x"
[datasets.budget]
steps = 5
[[datasets]]
[[datasets.parts]]
q = 1
[[datasets.parts]]
q = 2
[datasets.parts.deep]
z = true
'''


def _paths(content: Any, path: KeyPath = ()) -> Iterator[KeyPath]:
    items = content.items() if isinstance(content, dict) else enumerate(content)
    for key, value in items:
        yield (*path, key)
        if isinstance(value, dict | list):
            yield from _paths(value, (*path, key))


def test_every_key_of_a_document_has_the_line_on_which_it_stands() -> None:
    lines = key_lines(DOCUMENT)
    written = DOCUMENT.splitlines()
    for path in _paths(tomllib.loads(DOCUMENT)):
        line = written[line_of(lines, path) - 1]
        names = [part for part in path if isinstance(part, str)]
        assert path in lines, path
        assert names[-1] in line or isinstance(path[-1], int), (path, line)
    assert written[lines["methods", 2] - 1].strip() == '"c",'
    assert written[lines["datasets", 1, "parts", 1, "q"] - 1] == "q = 2"
    assert written[lines["datasets", 1, "parts", 1, "deep", "z"] - 1] == "z = true"
    assert line_of(lines, ("datasets", 0, "nothing")) == lines["datasets", 0]


@pytest.mark.parametrize(
    ("text", "path", "line"),
    [
        ('x = """\n[no]\na = 1\n"""\n"\\u0061b".c = 1', ("ab", "c"), 5),
        ('x = [\n["a"],\n[ "b", \'[c]\' ],\n]\n  [ t . "u.v" ]\nw = 1', ("t", "u.v", "w"), 6),
        ('x = [\n["a"],\n[ "b",\n"c" ],\n]', ("x", 1, 1), 4),
        ("x = [ # ] {\n1979-05-27 07:32:00, # ,\n+1.5e3,\n]", ("x", 1), 3),
        (
            "[[t]]\n[[t]]\n[[t.u]]\n[t.u.v]\nw = {a.b = [\n{c = 1}]}",
            ("t", 1, "u", 0, "v", "w", "a", "b", 0, "c"),
            6,
        ),
        ("a = 1\r\n[b]\r\nc = '= [b]'\r\nd=2", ("b", "d"), 4),
    ],
)
def test_lines_of_keys_in_every_form_that_toml_allows(text: str, path: KeyPath, line: int) -> None:
    tomllib.loads(text)
    assert key_lines(text)[path] == line


BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
NO_SUITE = {"questions", "pictures"}
"""What is asked of the records of suites."""
SHIPPED = sorted(file for file in BENCHMARKS.glob("*.toml") if file.stem not in NO_SUITE)


def test_suites_that_are_promised_are_shipped() -> None:
    promised = {"quick", "shapes", "paper", "references", "ablations"}
    assert promised <= {file.stem for file in SHIPPED}


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.stem)
def test_every_shipped_suite_names_rows_settings_and_datasets_that_exist(file: Path) -> None:
    from dfbench.worker.verbs import describe_plugins

    suite = read_suite(file).suite
    assert suite.title
    answer = describe_plugins(
        PluginQuestion(
            methods=tuple(
                MethodQuestion(label=entry.method, settings=entry.config, beside=False)
                for entry in suite.methods
            ),
            datasets=tuple(entry.dataset for entry in suite.datasets),
            device="cpu",
            plugins=PluginSources(),
        )
    )
    faults = [part.fault for part in (*answer.methods, *answer.datasets.values()) if part.fault]
    assert faults == []
