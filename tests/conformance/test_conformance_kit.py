"""Each check finds the fault it is for; a sound method passes all of them."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from bench import Bench

from dfbench.conformance.check import CHECKS, Check, check_named, chosen_checks
from dfbench.conformance.kit import Verdict, examined
from dfbench.errors import UnknownName
from dfbench.plugins.code import load_target
from dfbench.plugins.host import PluginHost
from dfbench.request.settings import Settings

SOUND = """
import torch
from torch import nn
import dfbench
from dfbench.learning.loop import RandomState


@dfbench.hookimpl
def dfbench_methods():
    return [dfbench.MethodSpec("sound", "Sound", "soundness:Sound")]


class Config(dfbench.MethodConfig):
    steps: int = 4
    '''Steps.'''


class Sound(dfbench.Method):
    name, title, version = "sound", "Sound", 1
    Config = Config

    def fit(self, setting):
        net = setting.new_module("net", lambda: nn.Linear(768, 8))
        noise = setting.generator("noise")
        state = {"net": net, "noise": RandomState(noise)}
        for _ in setting.loop("train", self.config.steps, state):
            x = torch.rand(4, 768, generator=noise)
            with torch.no_grad():
                net.weight += 0.01 * net(x).T @ x
        return dfbench.Encoders(Net(net), Net(net))


class Net(nn.Module):
    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, x):
        return self.net(x.flatten(1))
"""
FIT = "        return dfbench.Encoders(Net(net), Net(net))"
FORWARD = "        return self.net(x.flatten(1))"
INIT = "        self.net = net\n"
DEF = "    def fit(self, setting):\n"
FAULTS: dict[str, tuple[str, str, str]] = {
    "class": (DEF, "    def __init__(self):\n        pass\n\n" + DEF, "cannot take its config"),
    "construction": (
        DEF,
        "    def __init__(self, config):\n        super().__init__(Config())\n\n" + DEF,
        "with steps=5: its __init__ modifies its configuration: steps=4",
    ),
    "configuration": (
        FIT,
        "        self.config = Config(steps=9)\n" + FIT,
        "fit() changed its configuration: steps=9 where 4 was given",
    ),
    "names": ('"sound", "Sound", "soundness', '"sound", "Other", "soundness', "the title 'Other'"),
    "config": ("    '''Steps.'''", "", "setting 'steps' has no docstring"),
    "fit": (FIT, "        return net", "fit() returned Linear"),
    "needs": (
        FIT,
        "        try: setting.modality_classifier\n        except Exception: pass\n" + FIT,
        "requested modality classifier without declaring it",
    ),
    "trains": (
        DEF,
        "    @classmethod\n    def trains(cls, config):\n        return False\n\n"
        + DEF
        + "        own = setting.new_module('own', lambda: nn.Linear(1, 1))\n"
        "        torch.optim.SGD(own.parameters(), 0.1).step()\n",
        "declared not to train, and fit() took 1 optimiser steps",
    ),
    "teachers": (
        FIT,
        "        with torch.no_grad(): setting.photo_teacher.network.head.bias += 1\n" + FIT,
        "fit() altered the photo teacher",
    ),
    "global-randomness": (FIT, "        torch.rand(1)\n" + FIT, "generator of torch"),
    "embeddings": (FORWARD, FORWARD + " / 0", "not finite"),
    "batch-sizes": (FORWARD, FORWARD + ".squeeze(0)", "maps 1 images to [8]"),
    "batch-independence": (
        FORWARD,
        "        y = self.net(x.flatten(1))\n        return y - y.mean(0) if len(y) > 1 else y",
        "differ by",
    ),
    "modes": (
        INIT,
        INIT + "        self.scale = 1.0\n    def train(self, mode=True):\n"
        "        self.net.bias.data += mode\n        return super().train(mode)\n",
        "gives other embeddings after train() and eval()",
    ),
    "devices": (INIT, INIT + "        self.mean = torch.ones(3)\n", "mean is a tensor that"),
    "determinism": (FIT, "        net.bias.data.add_(next(CALLS))\n" + FIT, "two fits of one seed"),
    "resume": ('{"net": net, "noise": RandomState(noise)}', '{"net": net}', "interrupted in train"),
    "overlap": (
        FIT,
        "        {name: setting.common_classes.index(name) for name in setting.classes}\n" + FIT,
        "ValueError",
    ),
    "chance": (FORWARD, FORWARD + " * 0 + 1", "chance"),
}

BEFORE_FIT = ("class", "names", "config", "construction", "fit")
CONSTRUCTIONS = {
    "derives from the defaults": (
        "super().__init__(config)\n        self.steps = 2 * self.Config().steps",
        "its __init__ creates its own configuration, Config(steps=4)",
    ),
    "derives from settings of its own": (
        "super().__init__(config)\n        self.steps = Config(steps=config.steps + 1).steps",
        "its __init__ creates its own configuration, Config(steps=5)",
    ),
    "doubles a setting": (
        "super().__init__(Config(steps=2 * config.steps))",
        "modifies its configuration: steps=8 where 4 was given",
    ),
    "keeps none": ("self.steps = 3", "leaves no configuration in self.config"),
    "keeps its values only": (
        "super().__init__(config.model_dump())",
        "leaves no configuration in self.config",
    ),
    "takes it by another name": ("pass", "cannot take its configuration"),
}


@pytest.mark.parametrize("what", CONSTRUCTIONS)
def test_method_that_is_not_made_from_its_configuration_is_told(
    what: str, folder: Path, cache: Path, quick: dict[str, str]
) -> None:
    body, told = CONSTRUCTIONS[what]
    arguments = "self, *, settings" if "name" in what else "self, config"
    text = SOUND.replace(DEF, f"    def __init__({arguments}):\n        {body}\n\n{DEF}")
    found = verdicts(folder, cache, quick, text, only=("class", "construction"))
    failed = [v.remark for v in found.values() if v.status == "failed"]
    assert len(failed) == 1
    assert told in failed[0]


def test_attributes_derived_from_the_configuration_are_no_fault(
    folder: Path, cache: Path, quick: dict[str, str]
) -> None:
    body = "super().__init__(config)\n        self.half = config.steps / 2"
    text = SOUND.replace(DEF, f"    def __init__(self, config):\n        {body}\n\n{DEF}")
    found = verdicts(folder, cache, quick, text, only=("construction",))["construction"]
    assert (found.status, found.remark) == ("passed", "settings changed: steps")


def test_setting_without_default_is_asked_for_and_then_checked(
    folder: Path, cache: Path, quick: dict[str, str]
) -> None:
    text = SOUND.replace("steps: int = 4", "steps: int")
    found = verdicts(folder, cache, quick, text, only=("class", "names", "fit"))
    assert {v.status for n, v in found.items() if n != "class"} == {"not run"}
    assert "has no default for steps; give --set steps=VALUE" in found["class"].remark
    sys.modules.pop("soundness")
    found = verdicts(
        folder, cache, {**quick, "steps": "4"}, text, only=("config", "construction", "resume")
    )
    assert {v.status for v in found.values()} == {"passed"}
    assert found["config"].remark.endswith("without default: steps")


@pytest.mark.parametrize(
    "fault",
    [
        ('"sound", "Sound", "soundness', '"sound", "Other", "soundness'),
        ('"sound", "Sound", 1', '"sound", "Sound", 0'),
        ('"sound", "Sound", 1', '"sound", " Sound", 1'),
    ],
)
def test_fault_of_name_title_or_version_is_told_and_the_other_checks_are_made(
    fault: tuple[str, str], folder: Path, cache: Path, quick: dict[str, str]
) -> None:
    found = verdicts(folder, cache, quick, SOUND.replace(*fault))
    assert found["names"].status == "failed"
    others = {v.status for n, v in found.items() if n not in ("names", "chance")}
    assert others == {"passed"}


@pytest.fixture
def quick() -> dict[str, str]:
    return {"teachers.steps": "2", "teachers.alternative_steps": "2"}


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    sys.modules.pop("soundness", None)


def verdicts(
    folder: Path,
    cache: Path,
    settings: dict[str, str],
    text: str,
    *,
    only: tuple[str, ...] = (),
    **expected: str,
) -> dict[str, Verdict]:
    file = folder / "soundness.py"
    file.write_text("import itertools\nCALLS = itertools.count()\n" + text, encoding="utf-8")
    examination = examined(
        PluginHost([file]),
        "sound",
        settings=Settings(settings),
        expected_failures=expected,
        cache=cache,
    )
    with examination as row:
        return {check.name: row.verdict(check) for check in chosen_checks(only)}


def test_sound_method_passes_all_but_chance(
    folder: Path, cache: Path, quick: dict[str, str]
) -> None:
    found = verdicts(folder, cache, quick, SOUND)
    assert {n: v.remark for n, v in found.items() if v.status != "passed" and n != "chance"} == {}
    assert found["resume"].remark == "interrupted in train"
    assert found["overlap"].remark == "overlap=0.5"


@pytest.mark.parametrize("name", FAULTS)
def test_check_finds_the_fault_it_is_for(
    name: str, folder: Path, cache: Path, quick: dict[str, str]
) -> None:
    old, new, told = FAULTS[name]
    assert old in SOUND
    found = verdicts(folder, cache, quick, SOUND.replace(old, new))[name]
    assert found.status == "failed", found
    assert told in found.remark
    assert "\n" not in found.remark


def test_every_check_has_a_fault_that_it_finds() -> None:
    assert set(FAULTS) == {check.name for check in CHECKS}


def test_declared_need_that_is_never_asked_for_is_a_fault(
    folder: Path, cache: Path, quick: dict[str, str]
) -> None:
    needs = "    @classmethod\n    def needs(cls, config):\n"
    needs += "        return frozenset({dfbench.Need.ALTERNATIVE_DATA})\n\n"
    text = SOUND.replace("    def fit(self, setting)", needs + "    def fit(self, setting)")
    found = verdicts(folder, cache, quick, text)["needs"]
    assert "declares alternative data but never requested it" in found.remark


def test_reason_why_a_method_cannot_work_in_overlap_is_accepted(
    folder: Path, cache: Path, quick: dict[str, str]
) -> None:
    cannot = "    @classmethod\n    def cannot(cls, config, scenario):\n"
    cannot += "        return 'one class list' if scenario == 'overlap' else None\n\n"
    text = SOUND.replace("    def fit(self, setting)", cannot + "    def fit(self, setting)")
    found = verdicts(folder, cache, quick, text)["overlap"]
    assert (found.status, found.remark) == ("passed", "cannot: one class list")


def test_checks_that_a_failed_one_stands_before_are_not_run(
    folder: Path, cache: Path, quick: dict[str, str]
) -> None:
    found = verdicts(folder, cache, quick, SOUND.replace(FIT, "        1 / 0"))
    assert found["fit"].status == "failed"
    assert "ZeroDivisionError" in (found["fit"].traceback or "")
    assert {v.status for n, v in found.items() if n not in BEFORE_FIT} == {"not run"}


def test_expected_failure_is_none_and_has_to_fail(
    folder: Path, cache: Path, quick: dict[str, str]
) -> None:
    text = SOUND.replace(FORWARD, FORWARD + " * 0 + 1")
    found = verdicts(folder, cache, quick, text, chance="a constant", modes="it may")
    assert (found["chance"].status, found["chance"].remark) == ("expected", "a constant")
    assert found["modes"].status == "failed"
    assert "it passes but was expected to fail: it may" in found["modes"].remark


def test_misspelt_check_is_answered_with_a_suggestion() -> None:
    with pytest.raises(UnknownName, match="did you mean 'resume'"):
        check_named("resum")


def test_command_line_tells_verdicts_and_fails_with_status_1(
    bench: Bench, folder: Path, cache: Path, quick: dict[str, str]
) -> None:
    file = folder / "soundness.py"
    file.write_text(SOUND, encoding="utf-8")
    options: list[Any] = [part for k, v in quick.items() for part in ("--set", f"{k}={v}")]
    options += ["--cache", str(cache), "--only", "names", "--only", "modes", "--format", "json"]
    sound = bench.call("check", str(file), *options)
    assert sound.status == 0, sound.err
    (told,) = json.loads(sound.out)
    assert [c["name"] for c in told["checks"]] == ["names", "modes"]
    del sys.modules["soundness"]
    failed = bench.call(
        "check", "sound", "--plugin", str(file), "--expect-failure", "modes=x", *options
    )
    assert failed.status == 1
    assert "did you mean the method 'crossx'" in bench.call("check", "crosx").refused()
    misspelt = ("--cache", str(cache), "--set", "budget.step=3")
    assert "did you mean 'steps'" in bench.call("check", "crossx", *misspelt).refused()
    assert "no such plugin file" in bench.call("check", str(folder / "gone.py")).refused()


def test_class_is_examined_by_its_import_name(
    bench: Bench, folder: Path, monkeypatch: pytest.MonkeyPatch, cache: Path
) -> None:
    (folder / "soundness.py").write_text(SOUND, encoding="utf-8")
    monkeypatch.chdir(folder)
    told = bench.call("check", "soundness:Sound", "--only", "names", "--cache", str(cache))
    assert "passed" in told.out
    monkeypatch.setattr(sys, "path", [p for p in sys.path if p != str(folder)])


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.name)
def test_every_check_has_its_function(check: Check) -> None:
    assert callable(load_target(f"dfbench.conformance.{check.target}"))
