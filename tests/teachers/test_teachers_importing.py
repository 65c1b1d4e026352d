"""Checkpoints made elsewhere: taken as they are, or refused with what is wrong with them."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from dfbench.errors import InvalidInput
from dfbench.networks import Classifier, Normaliser
from dfbench.teachers.class_list import (
    TeacherDescription,
    channel_values,
    checked_classes,
    class_list,
)
from dfbench.teachers.facts import IMPORTED
from dfbench.teachers.importing import imported_teacher
from dfbench.teachers.stored import load_teacher, save_tensors
from dfbench.teachers.weights.fitting import published_names

SAID = TeacherDescription(
    modality="sketch",
    network="resnet-tiny",
    classes=("sun", "boat", "cup"),
    mean=(0.5, 0.5, 0.5),
    std=(0.2, 0.3, 0.4),
    image_size=24,
)
State = dict[str, Tensor]


@pytest.fixture(scope="module")
def owned() -> Classifier:
    """A classifier as its owner has it, with weights of its own."""
    torch.manual_seed(0)
    network = Classifier(SAID.network, Normaliser(SAID.mean, SAID.std), 3, SAID.image_size)
    network.train()
    network(torch.rand(8, 3, 24, 24))
    return network.eval()


@pytest.fixture
def state(owned: Classifier) -> State:
    """Its weights by their published names."""
    own = owned.state_dict()
    return {name: own[place].clone() for name, place in published_names(owned).items()}


def _refused(state: Any, place: Path, **said: Any) -> str:
    file = place / "mine.pth"
    torch.save(state, file)
    with pytest.raises(InvalidInput) as raised:
        imported_teacher(file, replace(SAID, **said))
    line = str(raised.value)
    assert "\n" not in line
    return line


def test_imported_teacher_answers_as_its_owner_knows_it_whatever_the_order_of_labels(
    owned: Classifier, state: State, tmp_path: Path
) -> None:
    torch.save(state, tmp_path / "mine.pth")
    teacher, facts = imported_teacher(tmp_path / "mine.pth", SAID)
    assert teacher.classes == facts.classes == ("boat", "cup", "sun")
    images = torch.rand(4, 3, 24, 24)
    with torch.no_grad():
        logits = teacher(images).logits
        assert torch.equal(logits, owned(images)[:, [1, 2, 0]])
        assert torch.equal(teacher(images).features, owned.features(images))


def test_stored_teacher_keeps_normaliser_and_size(state: State, tmp_path: Path) -> None:
    torch.save(state, tmp_path / "mine.pth")
    teacher, facts = imported_teacher(tmp_path / "mine.pth", SAID)
    save_tensors(tmp_path / "kept.safetensors", teacher.network.state_dict(), facts)
    kept = load_teacher(tmp_path / "kept.safetensors")
    larger = torch.rand(4, 3, 50, 50)
    with torch.no_grad():
        assert torch.allclose(kept(larger).logits, teacher(larger).logits, atol=1e-5)
        assert kept(larger).logits.shape == (4, 3)
    assert kept.classes == teacher.classes
    assert torch.equal(kept.network.normaliser.std, teacher.network.normaliser.std)  # type: ignore[arg-type]


def test_identity_is_that_of_the_teacher_and_not_of_its_file(state: State, tmp_path: Path) -> None:
    torch.save({"model": {f"module.{k}": v for k, v in state.items()}}, tmp_path / "a.pth")
    save_file(state, tmp_path / "b.safetensors")
    rows = [1, 0, 2]
    swapped = state | {k: state[k][rows].clone() for k in ("head.weight", "head.bias")}
    torch.save(swapped, tmp_path / "c.pth")
    found = [
        imported_teacher(tmp_path / "a.pth", SAID),
        imported_teacher(tmp_path / "b.safetensors", SAID),
        imported_teacher(tmp_path / "c.pth", replace(SAID, classes=("boat", "sun", "cup"))),
    ]
    assert len({facts.identity for _, facts in found}) == 1
    assert {facts.kind for _, facts in found} == {IMPORTED}
    _, other = imported_teacher(tmp_path / "a.pth", replace(SAID, std=(0.2, 0.2, 0.2)))
    assert other.identity != found[0][1].identity
    _, other = imported_teacher(tmp_path / "c.pth", SAID)
    assert other.identity != found[0][1].identity


def test_wrappings_are_taken_off_and_told(
    state: State, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.save({"state_dict": {f"module.{k}": v for k, v in state.items()}}, tmp_path / "mine.pth")
    imported_teacher(tmp_path / "mine.pth", SAID)
    told = capsys.readouterr().err
    assert "weights found under 'state_dict'" in told
    assert "'module.' removed" in told


def test_counters_that_old_files_lack_are_not_missed(state: State, tmp_path: Path) -> None:
    old = {k: v for k, v in state.items() if not k.endswith("num_batches_tracked")}
    assert len(old) < len(state)
    torch.save(old, tmp_path / "mine.pth")
    assert imported_teacher(tmp_path / "mine.pth", SAID)[1].classes == ("boat", "cup", "sun")


def test_missing_and_extra_tensors_are_named_with_the_nearest(state: State, tmp_path: Path) -> None:
    state["stages.0.conv_1.weight"] = state.pop("stages.0.conv1.weight")
    line = _refused(state, tmp_path)
    assert (
        "1 tensors are missing ('stages.0.conv1.weight', nearest 'stages.0.conv_1.weight')" in line
    )
    assert (
        "1 are not in the network ('stages.0.conv_1.weight', nearest 'stages.0.conv1.weight')"
        in line
    )


def test_tensors_of_another_shape_are_named_with_both_shapes(state: State, tmp_path: Path) -> None:
    state["stem.0.weight"] = torch.zeros(16, 1, 3, 3)
    assert "'stem.0.weight' is 16x1x3x3, expected 16x3x3x3" in _refused(state, tmp_path)


def test_weights_of_quite_another_network_are_refused_in_one_short_line(tmp_path: Path) -> None:
    line = _refused({f"layer{i}.weight": torch.zeros(1) for i in range(200)}, tmp_path)
    assert "200 are not in the network" in line
    assert "and 197 more" in line
    assert len(line) < 1000


def test_original_stem_on_small_images_is_answered_with_the_network_that_has_it(
    tmp_path: Path,
) -> None:
    from torchvision.models import get_model

    with torch.device("meta"):
        shapes = get_model("resnet18", weights=None, num_classes=3).state_dict()
    original = {name: torch.zeros(tensor.shape) for name, tensor in shapes.items()}
    line = _refused(original, tmp_path, network="resnet18", image_size=32)
    assert "'conv1.weight' is 64x3x7x7, expected 64x3x3x3" in line
    assert "--network torchvision:resnet18" in line


def test_class_list_of_another_length_than_the_outputs_is_refused(
    state: State, tmp_path: Path
) -> None:
    line = _refused(state, tmp_path, classes=("a", "b"))
    assert "has 3 classes ('head.weight' is 3x64), but the class list has 2" in line


@pytest.mark.parametrize(
    ("value", "told"), [(float("nan"), "not finite"), (0.0, "the same for all images")]
)
def test_network_that_says_nothing_is_refused(
    value: float, told: str, state: State, tmp_path: Path
) -> None:
    state["head.weight"] = torch.full_like(state["head.weight"], value)
    assert told in _refused(state, tmp_path)


class Canary:
    """Touches a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("suffix", ["pth", "safetensors"])
def test_code_in_a_checkpoint_never_runs(suffix: str, state: State, tmp_path: Path) -> None:
    canary, trap = tmp_path / "sung", tmp_path / f"trap.{suffix}"
    torch.save({"state_dict": state, "callback": Canary(canary)}, trap)
    with pytest.raises(InvalidInput, match="never executed"):
        imported_teacher(trap, SAID)
    assert not canary.exists()
    pickle.loads(pickle.dumps(Canary(canary)))  # noqa: S301  # the trap would have worked
    assert canary.exists()


def test_files_that_hold_no_weights_are_refused(state: State, tmp_path: Path) -> None:
    assert "contains no state dict" in _refused([1, 2], tmp_path)
    assert "contains no state dict" in _refused({"epoch": 3}, tmp_path)
    with pytest.raises(InvalidInput, match="no file"):
        imported_teacher(tmp_path / "absent.pth", SAID)
    (tmp_path / "text.pth").write_text("weights")
    with pytest.raises(InvalidInput, match=r"is text \(it starts 'weights'\)"):
        imported_teacher(tmp_path / "text.pth", SAID)
    torch.save(state, tmp_path / "mine.pth")
    teacher, facts = imported_teacher(tmp_path / "mine.pth", SAID)
    save_tensors(tmp_path / "kept.safetensors", teacher.network.state_dict(), facts)
    with pytest.raises(InvalidInput, match="stored by dfbench; use it directly"):
        imported_teacher(tmp_path / "kept.safetensors", SAID)


def test_class_list_comes_from_a_file_or_a_text_in_one_spelling(tmp_path: Path) -> None:
    (tmp_path / "classes.txt").write_text("Alarm_Clock\nsun\n\n boat \n", encoding="utf-8")
    assert class_list(str(tmp_path / "classes.txt")) == ("alarm clock", "sun", "boat")
    assert class_list("Sun, boat") == ("sun", "boat")
    with pytest.raises(InvalidInput, match="cannot be read"):
        class_list(str(tmp_path / "absent.txt"))


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (("sun", "boat", "sun"), "'sun' is in the class list twice"),
        (("alarm-clock", "sun", "Alarm_Clock"), "also as 'alarm-clock'"),
        (("sun",), "of 1 names"),
        ((), "of 0 names"),
    ],
)
def test_class_lists_with_doubles_or_too_few_names_are_refused(
    names: tuple[str, ...], told: str
) -> None:
    with pytest.raises(InvalidInput, match=told):
        checked_classes(names)


@pytest.mark.parametrize(
    ("name", "values", "told"),
    [
        ("std", (0.2, 0.0, 0.2), "--std 0; allowed: values above 0"),
        ("std", (58.4,), "by 255"),
        ("std", (float("nan"),), "--std nan"),
        ("mean", (123.7, 116.3, 103.5), "by 255"),
        ("mean", (0.5, 0.5), "with 2 values"),
    ],
)
def test_normalisers_that_cannot_be_meant_are_refused(
    name: str, values: tuple[float, ...], told: str
) -> None:
    with pytest.raises(InvalidInput, match=told):
        channel_values(name, values)


def test_one_value_stands_for_all_channels() -> None:
    assert channel_values("std", (0.25,)) == (0.25, 0.25, 0.25)
