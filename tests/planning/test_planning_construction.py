"""A method is built from its configuration: as planned, as recorded, as it fits."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from bench import ALTERNATIVE, BENCHMARK, TINY, Bench

import dfbench
from dfbench.planning import plan

DERIVED = """
import dfbench
from pydantic import Field, field_validator
from torch import nn


class Config(dfbench.MethodConfig):
    width: int = Field(default=2, ge=1)
    '''Width.'''
    shapes: tuple[str, ...] = ("a", "b")
    '''Shapes.'''


class Derived(dfbench.Method):
    name, title, version = "derived", "Derived", 1
    Config = Config
    variants = {"wide": {"width": 5}}

    def __init__(self, config):
        super().__init__(config)
        self.twice = 2 * config.width

    def fit(self, setting):
        told = {"twice": self.twice, "width": self.config.width, "kind": type(self.config).__name__}
        setting.artefacts.save_json("told", told)
        return dfbench.Encoders(nn.Flatten(), nn.Flatten())


@dfbench.hookimpl
def dfbench_methods():
    return [dfbench.MethodSpec("derived", "Derived", f"{__name__}:Derived")]
"""
REQUIRED = DERIVED.replace("Field(default=2, ge=1)", "Field(ge=1)")


def told(bench: Bench) -> Any:
    """What the one run's method told of itself when it fitted."""
    (file,) = bench.runs.glob("*/*/**/told.json")
    return json.loads(file.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("text", "label", "settings", "width"),
    [
        (DERIVED, "derived", [], 2),
        (DERIVED, "derived", ["width=3"], 3),
        (DERIVED, "derived[wide]", [], 5),
        (REQUIRED, "derived", ["width=3"], 3),
        (REQUIRED, "derived[wide]", [], 5),
        (REQUIRED, "derived[wide]", ["width=7"], 7),
    ],
)
def test_method_fits_with_the_settings_that_its_record_tells(
    text: str, label: str, settings: list[str], width: int, quick_bench: Bench
) -> None:
    file = quick_bench.plugin(text, "derivation")
    options = [part for setting in settings for part in ("--set", setting)]
    record = quick_bench.record(label, "--plugin", str(file), *options)
    assert record["method"]["config"] == {"width": width, "shapes": ["a", "b"]}
    assert told(quick_bench) == {"twice": 2 * width, "width": width, "kind": "Config"}


def test_process_of_a_method_builds_it_from_its_settings(bench: Bench) -> None:
    file = bench.plugin(REQUIRED, "derivation")
    bench.record("derived", "--plugin", str(file), "--set", "width=3")
    assert told(bench)["twice"] == 6


def test_setting_without_default_is_asked_for(quick_bench: Bench) -> None:
    file = quick_bench.plugin(REQUIRED, "derivation")
    refused = quick_bench.run("derived", "--plugin", str(file)).refused()
    assert "method 'derived' has no default for width; give --set width=VALUE" in refused
    described = quick_bench.call("describe", "derived", "--plugin", str(file))
    sys.modules.pop("derivation", None)
    assert described.status == 0, described.err
    assert "--set width=VALUE" in described.out


FAULTS = {
    "takes nothing": (
        "    def __init__(self):\n        super().__init__(Config())",
        "cannot take its configuration .*let it be __init__.self, config.",
    ),
    "keeps the defaults": (
        "    def __init__(self, config):\n        super().__init__(Config())",
        "modifies its configuration: width=2 where 3 was given",
    ),
    "keeps nothing": (
        "    def __init__(self, config):\n        self.twice = 2",
        "leaves no configuration in self.config",
    ),
    "keeps another copy": (
        "    def __init__(self, config):\n"
        "        super().__init__(config.model_copy(update={'width': config.width + 1}))",
        "modifies its configuration: width=4 where 3 was given",
    ),
}
INIT = "    def __init__(self, config):\n        super().__init__(config)\n"
INIT += "        self.twice = 2 * config.width"


@pytest.mark.parametrize("what", FAULTS)
def test_method_that_is_not_made_from_its_configuration_is_refused_before_it_fits(
    what: str, quick_bench: Bench
) -> None:
    init, fault = FAULTS[what]
    file = quick_bench.plugin(DERIVED.replace(INIT, init), "derivation")
    refused = quick_bench.run("derived", "--plugin", str(file), "--set", "width=3")
    assert re.search(f"method 'derived' cannot be made: .*{fault}", refused.refused())
    assert not quick_bench.results.exists()


def test_settings_that_validation_changes_again_are_refused(quick_bench: Bench) -> None:
    validator = "\n\n    @field_validator('width')\n    @classmethod\n"
    validator += "    def doubled(cls, value):\n        return 2 * value"
    text = DERIVED.replace("    '''Shapes.'''", "    '''Shapes.'''" + validator)
    file = quick_bench.plugin(text, "derivation")
    refused = quick_bench.run("derived", "--plugin", str(file), "--set", "width=3").refused()
    assert "its Config is not the same after a round trip through JSON: width=" in refused


def test_object_of_a_method_is_fitted_with_its_configuration(
    quick_bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    (quick_bench.place / "derivation_module.py").write_text(REQUIRED, encoding="utf-8")
    monkeypatch.syspath_prepend(quick_bench.place)
    from derivation_module import Config, Derived  # type: ignore[import-not-found]

    run = dfbench.run(
        Derived(Config(width=9)),
        f"folder:{quick_bench.pictures}",
        classes=BENCHMARK,
        alternative_classes=ALTERNATIVE,
        settings=TINY,
        device="cpu",
        threads=1,
        results=quick_bench.results,
        runs=quick_bench.runs,
        cache=quick_bench.cache,
    )
    assert run.record.method.config["width"] == 9
    assert told(quick_bench)["twice"] == 18


@pytest.mark.parametrize("key", ["budget.stps", "teachers.stpes"])
def test_unknown_shared_setting_is_refused_before_plugins_are_asked(
    key: str, quick_bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan, "describe", lambda _: pytest.fail("plugins were asked"))
    refused = quick_bench.run("classifier-only", "--set", f"{key}=3").refused()
    assert "did you mean 'steps'" in refused


def test_refused_request_imports_no_torch_into_the_process_of_the_command(
    shell: dict[str, str], tmp_path: Path
) -> None:
    code = (
        "import sys\n"
        "from dfbench.cli import main\n"
        "sys.argv = 'dfbench run --method crossx --dataset shapes --set round=3'.split()\n"
        "try:\n    main()\n"
        "except SystemExit as ended:\n    print(ended.code, 'torch' in sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**shell, "DFBENCH_CACHE": str(tmp_path)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["2", "False"]
    assert "did you mean 'rounds'" in done.stderr
