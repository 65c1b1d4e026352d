"""The page on embeddings of one's own: its script and commands, in its order."""

from __future__ import annotations

import re
import runpy
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from dfbench.cli.evaluate import evaluate

PAGE = Path(__file__).resolve().parents[2] / "docs" / "embeddings.md"
TEXT = PAGE.read_text(encoding="utf-8")


def test_script_and_commands_of_the_page_work_and_print_what_it_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    script = "\n".join(re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL))
    Path("script.py").write_text(script, encoding="utf-8")
    names = runpy.run_path("script.py")
    assert "map@all: model_a - model_b = +" in capsys.readouterr().out
    (one,) = [d for d in names["several"].differences if d.metric == "map@all"]
    paired = names["difference"]
    assert (one.value, one.low, one.high) == pytest.approx((paired.value, paired.low, paired.high))
    printed = ""
    for block in re.findall(r"```\n(dfbench evaluate .*?)```", TEXT, re.DOTALL):
        for command in block.strip().splitlines():
            finished = CliRunner().invoke(evaluate, [*shlex.split(command)[2:], "--device", "cpu"])
            assert finished.exit_code == 0, (command, finished.output, finished.exception)
            printed += finished.output
    (shown,) = re.findall(r"```text\n(.*?)```", TEXT, re.DOTALL)
    lines = {line.rstrip() for line in printed.splitlines()}
    for line in shown.splitlines():
        assert line in lines
    assert Path("curves.png").stat().st_size > 1000
