"""Which images reach teachers, supplies and methods: looked at where they arrive."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from zoo_bench import ALTERNATIVE, BENCHMARK, LEVELS, ZooBench

from dfbench.datasets.dataset import ImageSet
from dfbench.need import Need
from dfbench.teachers import store

CLASS_OF = {level: name for name, level in LEVELS.items()}
WITNESS = """
import json
from pathlib import Path

import torch
from torch import nn

from dfbench import Encoders, Method, MethodSpec, Need, hookimpl

SEEN = Path(__file__).parent / "seen.json"


@hookimpl
def dfbench_methods():
    return [MethodSpec("witness", "Witness", "witness:Witness")]


def levels(images):
    return sorted({int(level) for level in images[:, 0, 5, 5]})


class Flat(nn.Module):
    def __init__(self, seen):
        super().__init__()
        self.seen = seen

    def forward(self, images):
        told = {*json.loads(SEEN.read_text()).get("tested", []), *levels((255 * images).round())}
        SEEN.write_text(json.dumps({**self.seen, "tested": sorted(told)}))
        return images.flatten(1)


class Witness(Method):
    name, title, version = "witness", "Witness", 1

    @classmethod
    def needs(cls, config):
        return frozenset(Need(name) for name in %(needs)r)

    def fit(self, setting):
        seen = {"classes": setting.classes, "common": setting.common_classes}
        for modality in ("photo", "sketch"):
            own = {"teacher": setting.teacher(modality).classes}
            own["records"] = setting.activation_records(modality).classes
            own["alternative"] = levels(setting.alternative_images(modality))
            own["initial"] = setting.initial_classifier(modality).classes
            images, labels = setting.training_images(modality)
            own["training"] = levels(images)
            own["labels"] = [
                [setting.classes[label], levels(images[labels == label])]
                for label in labels.unique()
            ]
            if %(unified)r:
                own["unified"] = setting.unified_teacher(modality).classes
            seen[modality] = own
        SEEN.write_text(json.dumps(seen))
        return Encoders(Flat(seen), Flat(seen))
"""
NEEDS = set(Need) - {Need.GENERATED_PAIRS}


def _witnessed(bench: ZooBench, scenario: str, *, unified: bool) -> tuple[Any, dict[str, Any]]:
    """What a method that declares every need came to see, and the record of its run."""
    needs = sorted(NEEDS if unified else NEEDS - {Need.UNIFIED_TEACHER})
    text = WITNESS % {"needs": [need.value for need in needs], "unified": unified}
    file = bench.bench.plugin(text, "witness")
    record = bench.record("witness", scenario, "--plugin", str(file))
    return json.loads((file.parent / "seen.json").read_text()), record


def _classes(levels: list[int]) -> set[str]:
    return {CLASS_OF[level] for level in levels}


@pytest.fixture
def taught(monkeypatch: pytest.MonkeyPatch) -> dict[str, set[str]]:
    """Classes of the images that each training, measuring or testing of a network was given."""
    given: dict[str, set[str]] = {}

    def watch(name: str) -> None:
        original = getattr(store, name)

        def watched(*arguments: Any) -> Any:
            data = next(a for a in arguments if isinstance(a, ImageSet | dict))
            own = arguments[0] if isinstance(arguments[0], str) else ""
            for modality, images in (data if isinstance(data, dict) else {own: data}).items():
                levels = [int(level) for level in images.images[:][:, 0, 5, 5]]
                given.setdefault(f"{name} {modality}".strip(), set()).update(_classes(levels))
            return original(*arguments)

        monkeypatch.setattr(store, name, watched)

    for network in ("teacher", "unified_teacher", "initialisation", "modality_classifier"):
        watch(f"train_{network}")
    watch("record_activations")
    watch("accuracy")
    return given


def _own_cache(bench: ZooBench) -> None:
    object.__setattr__(bench.bench, "cache", bench.bench.place / "cache")


@pytest.mark.parametrize("scenario", ["overlap=0.3", "fixed-overlap=0.5"])
def test_each_teacher_and_supply_learns_its_own_classes_only(
    scenario: str, zoo_bench: ZooBench, taught: dict[str, set[str]]
) -> None:
    _own_cache(zoo_bench)
    seen, record = _witnessed(zoo_bench, scenario, unified=False)
    division = record["division"]
    known = {
        modality: {*division["shared"], *division[f"{modality}_only"]}
        for modality in ("photo", "sketch")
    }
    assert known["photo"] != known["sketch"]
    assert (
        set(seen["classes"]) == known["photo"] | known["sketch"] == set(record["data"]["classes"])
    )
    assert seen["common"] == division["shared"]
    for modality, classes in known.items():
        own = seen[modality]
        assert set(own["teacher"]) == set(own["records"]) == classes
        assert _classes(own["training"]) == classes
        assert all(_classes(levels) == {name} for name, levels in own["labels"])
        assert _classes(own["alternative"]) == set(ALTERNATIVE) == set(own["initial"])
        assert taught[f"train_teacher {modality}"] == classes
    assert taught["accuracy"] == taught["record_activations"] == known["photo"] | known["sketch"]
    _check_common_supplies(taught, known)
    assert _classes(seen["tested"]) == set(record["data"]["classes"])


def _check_common_supplies(taught: dict[str, set[str]], known: dict[str, set[str]]) -> None:
    for modality, classes in known.items():
        assert taught[f"train_initialisation {modality}"] == set(ALTERNATIVE)
        learned = taught[f"train_modality_classifier {modality}"]
        assert learned == classes | set(ALTERNATIVE), "the leaky one, and the other"


def test_no_image_of_an_unseen_class_reaches_teacher_supply_or_method(
    zoo_bench: ZooBench, taught: dict[str, set[str]]
) -> None:
    _own_cache(zoo_bench)
    seen, record = _witnessed(zoo_bench, "unseen=0.4", unified=True)
    unseen = set(record["division"]["unseen"])
    known = set(BENCHMARK) - unseen
    assert len(unseen) == 2
    assert set(record["data"]["classes"]) == unseen == _classes(seen.pop("tested"))
    assert set().union(*taught.values()) == known | set(ALTERNATIVE)
    assert set(seen["classes"]) == set(seen["common"]) == known
    for modality in ("photo", "sketch"):
        own = seen[modality]
        assert set(own["teacher"]) == set(own["records"]) == set(own["unified"]) == known
        assert _classes(own["training"]) == known
        assert _classes(own["alternative"]) == set(own["initial"]) == set(ALTERNATIVE)
    told = json.dumps(seen)
    assert not any(name in told for name in unseen)


def test_a_job_names_no_class_and_no_scenario(zoo_bench: ZooBench) -> None:
    _, record = _witnessed(zoo_bench, "unseen=0.4", unified=True)
    (folder,) = Path(zoo_bench.bench.runs).glob("*/witness-s0-*")
    job = (folder / "job.json").read_text()
    assert "unseen" not in job
    assert not any(f'"{name}"' in job for name in record["division"]["unseen"])
