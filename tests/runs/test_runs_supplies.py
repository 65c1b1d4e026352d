"""What a method declared reaches it; what it did not declare does not."""

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

RECORDS = """records = setting.activation_records(modality)
            assert records.classes == ("boat", "cup", "sun")
            assert records.count.tolist() == [10, 10, 10]
            assert records.top.mean.shape == (3, 64)
            images = setting.generator("draws")
            assert records.top.sample(records.count * 0, images).shape == (3, 64)"""
UNIFIED = """unified = setting.unified_teacher(modality)
            assert unified.modality == modality
            assert unified.classes == setting.classes
            import torch
            assert unified(torch.rand(2, 3, 32, 32)).logits.shape == (2, 3)"""
INITIAL = """initial = setting.initial_classifier(modality)
            assert initial.modality == modality
            assert initial.classes == ("house", "key")
            import torch
            assert initial(torch.rand(2, 3, 32, 32)).logits.shape == (2, 2)"""
LEAKY = """import torch
            assert setting.leaky_modality_classifier(torch.rand(2, 3, 32, 32)).shape == (2,)"""
NEEDS = [
    ("ALTERNATIVE_DATA", ALTERNATIVE),
    ("TRAINING_DATA", TRAINING),
    ("ACTIVATION_RECORDS", RECORDS),
    ("UNIFIED_TEACHER", UNIFIED),
    ("INITIAL_CLASSIFIER", INITIAL),
    ("LEAKY_MODALITY_CLASSIFIER", LEAKY),
]


@pytest.mark.parametrize(("need", "use"), NEEDS)
def test_declared_supplies_reach_the_method_and_are_recorded(
    need: str, use: str, quick_bench: Any
) -> None:
    file = quick_bench.plugin(
        PLUGIN.format(needs=f"Need.{need}", use=use), f"greedy_{need.lower()}"
    )
    record = quick_bench.record("greedy", "--plugin", str(file))
    assert record["method"]["needs"] == [need.replace("_", " ").lower()]


def test_record_tells_what_was_supplied(quick_bench: Any) -> None:
    needs = "Need.UNIFIED_TEACHER, Need.ACTIVATION_RECORDS"
    file = quick_bench.plugin(PLUGIN.format(needs=needs, use="pass"), "greedy_both")
    supplies = quick_bench.record("greedy", "--plugin", str(file))["supplies"]
    assert sorted(supplies) == [
        "photo activation records",
        "sketch activation records",
        "unified teacher",
    ]
    assert sorted(supplies["unified teacher"]["accuracy"]) == ["photo", "sketch"]
    assert len({supply["identity"] for supply in supplies.values()}) == 3


@pytest.mark.parametrize(("need", "use"), NEEDS)
def test_undeclared_supplies_do_not_reach_the_method(need: str, use: str, quick_bench: Any) -> None:
    file = quick_bench.plugin(PLUGIN.format(needs="", use=use), f"sly_{need.lower()}")
    line = quick_bench.run("greedy", "--plugin", str(file)).refused()
    assert f"Need.{need}" in line
