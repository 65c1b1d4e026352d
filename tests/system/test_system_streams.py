"""What is printed on streams that are full, closed, unread, narrow or of few letters."""

from __future__ import annotations

import csv
import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from io import BytesIO, StringIO, TextIOWrapper
from pathlib import Path

import pytest

from dfbench.cli import main
from dfbench.system.streams import printable

ROOT = Path(__file__).parents[2]
SHOWN = ("folder-qd-tiny21", "pacs")
"""Datasets of the committed results: all kinds of tables, in a tenth of the records."""
COMMANDS = {
    "table": ["table", "--results", "records"],
    "datasets": ["table", "datasets", "--results", "records"],
    "plugins": ["list", "plugins"],
    "methods": ["list", "methods"],
    "describe": ["describe", "crossx"],
    "teachers": ["teachers", "list", "--cache", "absent"],
}
ENCODINGS = ("ascii", "latin-1", "cp1252", "koi8-r", "shift_jis")


@dataclass(frozen=True)
class Printer:
    """The command line in this process, on a standard output of a test's choice."""

    monkeypatch: pytest.MonkeyPatch

    def status(self, words: list[str], stdout: TextIOWrapper) -> object:
        """How a command ends."""
        with self.monkeypatch.context() as patch:
            patch.setattr(sys, "argv", ["dfbench", *words])
            patch.setattr(sys, "stdout", stdout)
            with pytest.raises(SystemExit) as ended:
                main()
        return ended.value.code

    def text(self, words: list[str], encoding: str = "utf-8") -> str:
        """What a command prints that ends well."""
        stream = TextIOWrapper(BytesIO(), encoding=encoding, newline="\n")
        assert self.status(words, stream) == 0
        content = stream.buffer
        assert isinstance(content, BytesIO)
        return content.getvalue().decode(encoding)


@pytest.fixture
def printer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Printer:
    monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.setenv("DFBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "records").mkdir()
    for name in SHOWN:
        (tmp_path / "records" / name).symlink_to(ROOT / "results" / name)
    return Printer(monkeypatch)


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("command", ["table", "describe"])
def test_table_is_whole_and_aligned_in_every_encoding(
    command: str, encoding: str, printer: Printer
) -> None:
    printed = printer.text(COMMANDS[command], encoding)
    plain = printer.text(COMMANDS[command])
    assert len({len(row) for row in printed.splitlines()[2:6]}) == 1
    assert re.findall("[A-Za-z_]{2,}", printed) == re.findall("[A-Za-z_]{2,}", plain)


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("command", COMMANDS)
def test_json_is_valid_and_the_same_in_every_encoding(
    command: str, encoding: str, printer: Printer
) -> None:
    words = [*COMMANDS[command], "--format", "json"]
    assert json.loads(printer.text(words, encoding)) == json.loads(printer.text(words))


@pytest.mark.parametrize("form", ["csv", "html", "markdown", "latex"])
def test_other_formats_fit_into_ascii(form: str, printer: Printer) -> None:
    text = printer.text([*COMMANDS["table"], "--format", form], "ascii")
    if form == "html":
        assert "&#177;" in text
    if form == "csv":
        assert len({len(row) for row in csv.reader(StringIO(text))}) == 1


def test_letters_that_an_encoding_lacks_are_spelt_and_none_is_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "stdout", TextIOWrapper(BytesIO(), encoding="ascii"))
    times = "\N{MULTIPLICATION SIGN}"
    assert printable(f".7 ± .1, 3 {times} 4, a…") == ".7 +- .1, 3 x 4, a..."
    assert printable("caf\xe9 \u4e2d \U0001f600") == r"caf\xe9 \u4e2d \U0001f600"
    monkeypatch.setattr(sys, "stdout", TextIOWrapper(BytesIO(), encoding="utf-8"))
    assert printable("± caf\xe9 \udcff") == "± caf\xe9 \\udcff"


FULL = {
    **COMMANDS,
    **{f: [*COMMANDS["table"], "--format", f] for f in ("json", "csv", "html", "latex")},
    "help": ["table", "--help"],
    "version": ["--version"],
}


@pytest.mark.parametrize("command", FULL)
def test_full_output_is_one_line(
    command: str, printer: Printer, capsys: pytest.CaptureFixture[str]
) -> None:
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        assert printer.status(FULL[command], full) == 2
    lines = [x for x in capsys.readouterr().err.splitlines() if x.startswith("error:")]
    assert len(lines) == 1
    assert "No space left on device" in lines[0]
    assert "same command" in lines[0]


@pytest.mark.parametrize("command", sorted(FULL.keys() - {"version"}))  # click prints it
def test_reader_that_leaves_early_ends_the_command_without_a_word(
    command: str, printer: Printer, capsys: pytest.CaptureFixture[str]
) -> None:
    representation, writing = os.pipe()
    os.close(representation)
    with os.fdopen(writing, "w", encoding="utf-8") as pipe:
        assert printer.status(FULL[command], pipe) == 141
    assert "rror" not in capsys.readouterr().err


def _shell(command: str, place: Path, shell: dict[str, str]) -> subprocess.CompletedProcess[bytes]:
    python = {"PYTHON": sys.executable, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        ["/bin/bash", "-c", f'"$PYTHON" -m dfbench {command}'],
        cwd=place,
        env={**shell, **python},
        capture_output=True,
        check=False,
    )


def test_closed_output_is_one_line(tmp_path: Path, shell: dict[str, str]) -> None:
    done = _shell("list methods >&-", tmp_path, shell)
    assert done.returncode == 2
    assert done.stderr.decode().startswith("error: standard output cannot be written (Bad file")
    assert len(done.stderr.decode().splitlines()) == 1


@pytest.mark.parametrize("sink", ["2>&-", "2>/dev/full", "2> >(true)"])
def test_standard_error_that_takes_nothing_changes_no_result(
    sink: str, tmp_path: Path, shell: dict[str, str]
) -> None:
    done = _shell(f"table {sink}", tmp_path, shell)
    assert done.returncode == 2  # there are no records, and nobody is told


def test_no_file_gets_the_descriptor_of_a_closed_stream(
    tmp_path: Path, shell: dict[str, str]
) -> None:
    (tmp_path / "p.py").write_text(
        "with open('kept', 'w') as file:\n    file.write(str(file.fileno()))\n"
    )
    _shell("list plugins --plugin p.py <&- >&- 2>&-", tmp_path, shell)
    assert int((tmp_path / "kept").read_text()) > 2


@pytest.mark.parametrize("width", ["0", "-1", "wide", "", "00"])
def test_width_that_is_none_is_passed_over(
    width: str, printer: Printer, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = printer.text(COMMANDS["describe"])
    monkeypatch.setenv("COLUMNS", width)
    assert printer.text(COMMANDS["describe"]) == plain


@pytest.mark.parametrize("command", COMMANDS)
def test_table_in_a_file_has_one_line_a_row(
    command: str, printer: Printer, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = printer.text(COMMANDS[command])
    monkeypatch.setenv("COLUMNS", "5000")
    assert printer.text(COMMANDS[command]) == plain
    assert "…" not in plain


@pytest.mark.parametrize("width", ["1", "20", "40", "80"])
def test_no_name_is_cut_however_narrow_the_terminal(
    width: str, printer: Printer, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = json.loads(printer.text([*COMMANDS["describe"], "--format", "json"]))
    names = {row["setting"] for part in told for row in part.get("settings", ())}
    monkeypatch.setenv("COLUMNS", width)
    printed = printer.text(COMMANDS["describe"])
    assert names
    assert names <= set(printed.split())
    assert "…" not in printed


def test_module_runs_as_the_command(tmp_path: Path, shell: dict[str, str]) -> None:
    assert _shell("--version", tmp_path, shell).stdout.decode().startswith("dfbench, version ")


@pytest.mark.parametrize(
    "words",
    [
        ["list", "methods"],
        ["list", "datasets"],
        ["describe", "crossx"],
        ["check", "x"],
        ["run", "--method", "crossx", "--dataset", "shapes"],
    ],
)
@pytest.mark.parametrize("source", ["variable", "option"])
def test_folder_of_plugins_that_is_not_there_is_named_in_one_line(
    words: list[str],
    source: str,
    printer: Printer,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if source == "variable":
        monkeypatch.setenv("DFBENCH_PLUGINS_DIR", "/absent/of-mine")
    else:
        words = [*words, "--plugins-dir", "/absent/of-mine"]
    assert printer.status(words, TextIOWrapper(BytesIO())) == 2
    line = capsys.readouterr().err
    assert "plugins folder '/absent/of-mine' does not exist; allowed: " in line
    assert len(line.splitlines()) == 1
