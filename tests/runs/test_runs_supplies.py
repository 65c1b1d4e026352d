"""Declared images reach a method; what was not declared does not."""

from __future__ import annotations

from typing import Any

import pytest

PLUGIN = """
import dfbench
from dfbench import Need

class Greedy(dfbench.Method):
    name, title, version = "greedy", "Greedy", 1

    @classmethod
    def needs(cls, config):
        return frozenset({{{needs}}})

    def fit(self, setting):
        for modality in ("photo", "sketch"):
            {use}
        return dfbench.Encoders(setting.new_encoder("photo"), setting.new_encoder("sketch"))

@dfbench.hookimpl
def dfbench_methods():
    return [dfbench.MethodSpec("greedy", "Greedy", f"{{__name__}}:Greedy")]
"""
ALTERNATIVE = "assert setting.alternative_images(modality).shape == (24, 3, 32, 32)"
TRAINING = """images, labels = setting.training_images(modality)
            assert images.shape == (30, 3, 32, 32)
            assert sorted(labels.unique().tolist()) == [0, 1, 2]"""


@pytest.mark.parametrize(
    ("need", "use"), [("ALTERNATIVE_DATA", ALTERNATIVE), ("TRAINING_DATA", TRAINING)]
)
def test_declared_images_reach_the_method_and_are_recorded(
    need: str, use: str, quick_bench: Any
) -> None:
    file = quick_bench.plugin(
        PLUGIN.format(needs=f"Need.{need}", use=use), f"greedy_{need.lower()}"
    )
    record = quick_bench.record("greedy", "--plugin", str(file))
    assert record["row"]["needs"] == [need.replace("_", " ").lower()]


@pytest.mark.parametrize(
    ("need", "use"), [("ALTERNATIVE_DATA", ALTERNATIVE), ("TRAINING_DATA", TRAINING)]
)
def test_undeclared_images_do_not_reach_the_method(need: str, use: str, quick_bench: Any) -> None:
    file = quick_bench.plugin(PLUGIN.format(needs="", use=use), f"sly_{need.lower()}")
    line = quick_bench.run("greedy", "--plugin", str(file)).refused()
    assert f"Need.{need}" in line
