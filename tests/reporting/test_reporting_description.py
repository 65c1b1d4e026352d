from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal, Optional

import pytest
from plugin_text import method_text
from pydantic import BaseModel, Field

from dfbench.errors import UnknownName
from dfbench.plugins.host import PluginHost
from dfbench.reporting.tables import description as module
from dfbench.reporting.tables.description import FILE, MethodFacts, method_facts, setting_rows

MODULES = """
import json, sys
from dfbench.cli import main
try:
    main()
except SystemExit as ended:
    status = ended.code
print(json.dumps([status, "torch" in sys.modules]), file=sys.stderr)
"""


@pytest.fixture(scope="module")
def host() -> PluginHost:
    return PluginHost()


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Labels of the methods whose class is imported."""
    labels: list[str] = []
    real = module._asked

    def noted(host: PluginHost, label: str) -> MethodFacts:
        labels.append(label)
        return real(host, label)

    monkeypatch.setattr(module, "_asked", noted)
    return labels


@pytest.fixture
def source(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The only file that facts come from."""
    file = tmp_path / "method.py"
    file.write_text("one")

    def files(package: str) -> Iterator[Path]:
        if package != "dfbench":
            yield from tmp_path.glob("*.py")

    monkeypatch.setattr(module, "_files", files)
    return file


def test_description_of_a_builtin_method_imports_no_torch_again(
    tmp_path: Path, shell: dict[str, str], host: PluginHost
) -> None:
    facts = method_facts(host, "crossx[bn]", tmp_path)
    ended = subprocess.run(
        [sys.executable, "-c", MODULES, "describe", "crossx[bn]", "--format", "json"],
        env={**shell, "DFBENCH_CACHE": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert json.loads(ended.stderr.splitlines()[-1]) == [0, False]
    settings, variants, *_ = json.loads(ended.stdout)
    assert [tuple(row.values()) for row in settings["settings"]] == [*facts.settings]
    assert variants["variants"] == facts.variants


def test_kept_facts_are_those_of_the_class(tmp_path: Path, host: PluginHost) -> None:
    for label in ("classifier-only", "crossx", "crossx[released]", "siamese", "meta-data"):
        first = method_facts(host, label, tmp_path)
        assert method_facts(host, label, tmp_path) == first == module._asked(host, label)


def test_facts_are_asked_again_after_any_change_of_the_code(
    tmp_path: Path, host: PluginHost, asked: list[str], source: Path
) -> None:
    cache = tmp_path / "cache"
    for _ in range(2):
        method_facts(host, "crossx", cache)
    assert asked == ["crossx"]
    method_facts(host, "mib", cache)
    method_facts(host, "crossx", cache)
    assert asked == ["crossx", "mib"], "each label once"
    changes = [
        lambda: source.write_text("other"),
        lambda: os.utime(source, ns=(1, 1)),
        lambda: source.rename(source.with_name("moved.py")),
        lambda: source.write_text("added"),
        lambda: source.unlink(),
    ]
    for number, change in enumerate(changes, 3):
        change()
        for _ in range(2):
            method_facts(host, "crossx", cache)
        assert len(asked) == number


def test_method_of_another_plugin_is_asked_each_time(tmp_path: Path, asked: list[str]) -> None:
    file = tmp_path / "facts_plugin.py"
    file.write_text(method_text("kept"))
    host = PluginHost([file], here=["facts_plugin"])
    for _ in range(2):
        assert method_facts(host, "kept", tmp_path).settings == ()
    assert asked == ["kept", "kept"]
    assert not (tmp_path / FILE).exists()


@pytest.mark.parametrize("content", [b"", b"{}", b'{"sources": 1', b"\xff"])
def test_damaged_file_is_replaced(tmp_path: Path, host: PluginHost, content: bytes) -> None:
    (tmp_path / FILE).write_bytes(content)
    facts = method_facts(host, "mib", tmp_path)
    assert json.loads((tmp_path / FILE).read_bytes())["methods"]["mib"]["title"] == facts.title


def test_description_needs_no_writable_cache(tmp_path: Path, host: PluginHost) -> None:
    (tmp_path / "file").touch()
    assert method_facts(host, "mib", tmp_path / "file").title == "MIB"


def test_unknown_label_is_refused_like_elsewhere(tmp_path: Path, host: PluginHost) -> None:
    for label in ("crosx", "crossx[none]"):
        with pytest.raises(UnknownName, match=r"did you mean|allowed"):
            method_facts(host, label, tmp_path)


class _Typed(BaseModel):
    start: Literal["teacher", "random"] = "teacher"
    weights: Path | None = None
    steps: Optional[int] = None  # noqa: UP045  # as third-party methods may write it
    rate: float = 0.1
    widths: tuple[int, ...] = ()
    share: Annotated[float, Field(ge=0, le=1)] | Literal["all"] = "all"


def test_types_of_settings_are_words_that_can_be_typed() -> None:
    assert [kind for _, _, kind, _ in setting_rows(_Typed, dict(_Typed()))] == [
        "teacher | random",
        "path | None",
        "int | None",
        "float",
        "tuple[int, ...]",
        "float | all",
    ]
