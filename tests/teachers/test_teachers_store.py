from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from colours import RECIPE, Colours, colour_store, coloured
from safetensors.torch import save_file

from dfbench.datasets.alternative import AlternativeImages
from dfbench.errors import InvalidInput
from dfbench.learning.batches import to_unit
from dfbench.need import supplied, supply_identity
from dfbench.networks import Classifier, Normaliser
from dfbench.system.file_errors import DiskFull
from dfbench.teachers.facts import weights_hash
from dfbench.teachers.stored import NetworkFacts, load_teacher, read_facts, save_tensors
from dfbench.teachers.training import accuracy, train_modality_classifier, train_teacher


def test_teacher_learns_its_classes() -> None:
    data = Colours()
    recipe = RECIPE.model_copy(update={"steps": 40})
    network = train_teacher(
        "photo", data.images("photo", "train"), recipe, None, 0, torch.device("cpu")
    )
    assert accuracy(network, data.images("photo", "test"), torch.device("cpu")) == 1.0
    assert not network.training


@pytest.mark.parametrize("steps", [1, 2, 4, 5, 6])
def test_any_number_of_steps_can_be_trained(steps: int) -> None:
    recipe = RECIPE.model_copy(update={"steps": steps})
    data = Colours().images("photo", "train")
    network = train_teacher("photo", data, recipe, None, 0, torch.device("cpu"))
    assert all(tensor.isfinite().all() for tensor in network.state_dict().values())


def test_modality_classifier_learns_from_fewer_images_than_half_a_batch() -> None:
    few = {m: coloured(m, ("x", "y"), n, n) for m, n in (("photo", 10), ("sketch", 7))}
    few["sketch"].images[:] = 255
    recipe = RECIPE.model_copy(update={"modality_steps": 60, "batch_size": 128})
    judge = train_modality_classifier(few, recipe, 0, torch.device("cpu"))
    photos, sketches = (to_unit(torch.from_numpy(few[m].images)) for m in ("photo", "sketch"))
    assert (judge(photos) < 0).all()
    assert (judge(sketches) > 0).all()


def test_same_seed_gives_the_same_weights_whatever_was_drawn_before(tmp_path: Path) -> None:
    one = colour_store(tmp_path / "a").teacher("photo")
    torch.rand(7)
    two = colour_store(tmp_path / "b").teacher("photo")
    weights = [load_teacher(network.path).state_dict() for network in (one, two)]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
    assert one.facts.identity == two.facts.identity == one.path.stem


def test_stored_teacher_is_not_trained_again(tmp_path: Path) -> None:
    first = colour_store(tmp_path).teacher("photo")
    stamp = first.path.stat().st_mtime_ns
    again = colour_store(tmp_path).teacher("photo")
    assert again == first
    assert first.path.stat().st_mtime_ns == stamp


@pytest.mark.parametrize(
    "changes",
    [
        {"seed": 1},
        {"numerics": "cuda-fp32"},
        {"recipe": RECIPE.model_copy(update={"steps": 3})},
        {"recipe": RECIPE.model_copy(update={"network": "resnet-mini"})},
        {"recipe": RECIPE.model_copy(update={"initialisation": "random"})},
        {"recipe": RECIPE.model_copy(update={"alternative_steps": 9})},
    ],
)
def test_identity_of_a_teacher_changes_with_what_decides_its_weights(
    changes: dict[str, Any], tmp_path: Path
) -> None:
    base, other = colour_store(tmp_path), colour_store(tmp_path, **changes)
    assert base.identities.teacher("photo") != other.identities.teacher("photo")


def test_identity_of_a_teacher_leaves_out_what_does_not_touch_it(tmp_path: Path) -> None:
    base = colour_store(tmp_path)
    other = colour_store(tmp_path, recipe=RECIPE.model_copy(update={"modality_steps": 9}))
    random = RECIPE.model_copy(update={"initialisation": "random"})
    few = colour_store(tmp_path, recipe=random)
    many = colour_store(tmp_path, recipe=random.model_copy(update={"alternative_steps": 9}))
    assert base.identities.teacher("photo") == other.identities.teacher("photo")
    classifiers = [supply_identity(s.identities, "modality classifier") for s in (base, other)]
    assert classifiers[0] != classifiers[1]
    assert few.identities.teacher("photo") == many.identities.teacher("photo")
    assert base.identities.teacher("photo") != base.identities.teacher("sketch")


def test_teachers_need_no_alternative_images_if_they_start_randomly(tmp_path: Path) -> None:
    random = RECIPE.model_copy(update={"initialisation": "random"})
    asked: list[str] = []

    def ask() -> AlternativeImages:
        asked.append("alternative images")
        raise InvalidInput("there are none")

    assert colour_store(tmp_path, recipe=random, alternative=ask).teacher("photo").facts.classes
    assert not asked
    with pytest.raises(InvalidInput, match="there are none"):
        colour_store(tmp_path, alternative=ask).teacher("photo")


def test_loaded_teacher_is_frozen_in_evaluation_mode_for_good(tmp_path: Path) -> None:
    teacher = load_teacher(colour_store(tmp_path).teacher("photo").path)
    before = {name: tensor.clone() for name, tensor in teacher.state_dict().items()}
    teacher.train()
    images = torch.rand(4, 3, 16, 16).requires_grad_()
    teacher(images).logits.sum().backward()
    assert images.grad is not None
    assert not any(p.requires_grad for p in teacher.parameters())
    assert not any(module.training for module in teacher.modules())
    assert all(torch.equal(before[name], tensor) for name, tensor in teacher.state_dict().items())


def test_damaged_or_foreign_file_in_the_cache_is_no_network(tmp_path: Path) -> None:
    whole = colour_store(tmp_path).teacher("photo").path
    content = whole.read_bytes()
    for name, damaged in {
        "short": content[: len(content) // 2],
        "empty": b"",
        "noise": b"\xff" * 200,
        "pickle": pickle.dumps({"a": 1}),
    }.items():
        file = tmp_path / name
        file.write_bytes(damaged)
        assert read_facts(file) is None
    foreign = tmp_path / "foreign.safetensors"
    save_file({"a": torch.zeros(1)}, foreign)
    assert read_facts(foreign) is None
    save_file({"a": torch.zeros(1)}, foreign, {"dfbench": "{}"})
    assert read_facts(foreign) is None
    assert read_facts(tmp_path / "absent") is None
    with pytest.raises(InvalidInput, match="not a network stored by dfbench"):
        load_teacher(foreign)


def test_damaged_teacher_is_trained_again(tmp_path: Path) -> None:
    first = colour_store(tmp_path).teacher("photo")
    content = first.path.read_bytes()
    first.path.write_bytes(content[:100])
    assert colour_store(tmp_path).teacher("photo").facts.accuracy == first.facts.accuracy
    assert len(first.path.read_bytes()) == len(content)


def test_network_of_another_kind_is_no_teacher(tmp_path: Path) -> None:
    classifier = supplied(colour_store(tmp_path), "modality classifier")
    with pytest.raises(InvalidInput, match="modality classifier; a teacher is required"):
        load_teacher(classifier.path)


def test_full_disk_leaves_no_half_teacher(tmp_path: Path, full_disk: Any) -> None:
    network = Classifier("resnet-tiny", Normaliser.of("photo"), 2, 16)
    full_disk(10_000)
    facts = NetworkFacts("teacher", "resnet-tiny", "i", 0.0, 0.5, "photo", ("a", "b"))
    with pytest.raises(DiskFull):
        save_tensors(tmp_path / "t.safetensors", network.state_dict(), facts)
    assert list(tmp_path.iterdir()) == []


def test_hash_of_weights_depends_on_the_tensors_alone(tmp_path: Path) -> None:
    def saved(name: str, seconds: float, tensors: dict[str, torch.Tensor]) -> str:
        facts = NetworkFacts("teacher", "resnet-tiny", "i", seconds, 0.5, "photo", ("a", "b"))
        save_tensors(tmp_path / name, tensors, facts)
        return weights_hash(tmp_path / name)

    weights = {"a": torch.ones(2, 3), "b": torch.zeros(4)}
    found = saved("first", 1.0, weights)
    assert saved("slower", 2.0, dict(reversed(weights.items()))) == found
    last = torch.tensor([0.0, 0.0, 0.0, 1e-7])
    others = [{**weights, "b": last}, {"a": weights["a"].T, "b": weights["b"]}]
    renamed = {"a": weights["a"], "c": weights["b"]}
    assert found not in {saved("other", 1.0, tensors) for tensors in [*others, renamed]}
