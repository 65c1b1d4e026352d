"""What needs ask of the store of teachers, and ImageNet as an initialisation."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from colours import RECIPE, Colours, colour_store, coloured
from torchvision.models import get_model

from dfbench.errors import InvalidConfig, InvalidInput
from dfbench.learning.batches import to_unit
from dfbench.modality import MODALITIES
from dfbench.need import Need, supplied, supplies_of, supply_identity
from dfbench.networks import Normaliser, new_backbone
from dfbench.teachers.recipe import TeacherRecipe
from dfbench.teachers.stored import (
    load_backbone,
    load_joint_classifier,
    load_modality_classifier,
    load_records,
    load_teacher,
)
from dfbench.teachers.training import normaliser_of, train_unified_teacher

CPU = torch.device("cpu")
SUPPLIES = supplies_of(Need)


def _recipe(**changes: Any) -> TeacherRecipe:
    return RECIPE.model_copy(update=changes)


def _supplies(recipe: TeacherRecipe) -> dict[str, str]:
    identities = colour_store(Path(), recipe=recipe).identities
    started = recipe.initialisation != "random"
    given = [supply for supply in SUPPLIES if started or supply != "initial classifier"]
    return {supply: supply_identity(identities, supply) for supply in given}


@pytest.mark.parametrize("supply", SUPPLIES)
def test_supply_is_made_once_and_kept_under_its_identity(supply: str, tmp_path: Path) -> None:
    first = supplied(colour_store(tmp_path), supply)
    stamp = first.path.stat().st_mtime_ns
    assert (
        first.facts.identity
        == first.path.stem
        == supply_identity(colour_store(tmp_path).identities, supply)
    )
    assert first.facts.kind == supply
    assert supplied(colour_store(tmp_path), supply) == first
    assert first.path.stat().st_mtime_ns == stamp


def test_identities_of_all_supplies_differ() -> None:
    identities = colour_store(Path()).identities
    all_of_them = {*_supplies(RECIPE).values(), identities.photo, identities.sketch}
    assert len(all_of_them) == len(SUPPLIES) + 2


@pytest.mark.parametrize(
    ("changes", "changed"),
    [
        (
            {"steps": 9},
            {"unified teacher", "photo activation records", "sketch activation records"},
        ),
        (
            {"alternative_steps": 9},
            {
                *("unified teacher", "photo activation records", "sketch activation records"),
                "initial classifier",
            },
        ),
        ({"modality_steps": 9}, {"modality classifier", "leaky modality classifier"}),
        (
            {"initialisation": "random"},
            {"unified teacher", "photo activation records", "sketch activation records"},
        ),
    ],
)
def test_identity_of_a_supply_changes_with_what_decides_it(
    changes: dict[str, Any], changed: set[str]
) -> None:
    before, after = _supplies(RECIPE), _supplies(_recipe(**changes))
    assert {supply for supply in after if before[supply] != after[supply]} == changed


def test_needs_name_their_supplies() -> None:
    assert supplies_of(["activation records", "training data"]) == (
        "photo activation records",
        "sketch activation records",
    )
    assert set(supplies_of(list(Need))) == set(SUPPLIES)


def test_records_are_those_of_the_teacher_on_its_trainingcoloured(tmp_path: Path) -> None:
    store = colour_store(tmp_path)
    records = load_records(supplied(store, "sketch activation records").path)
    teacher = load_teacher(store.teacher("sketch").path)
    data = Colours().images("sketch", "train")
    features = teacher(to_unit(torch.from_numpy(data.images))).features
    for label in range(3):
        expected = features[data.labels == label].mean(dim=0)
        assert torch.allclose(records.top.mean[label], expected, atol=1e-5)
    assert records.classes == Colours.classes
    assert records.count.tolist() == [10, 10, 10]


def test_unified_teacher_learns_both_modalities_each_by_its_own_normaliser(tmp_path: Path) -> None:
    store = colour_store(tmp_path, recipe=_recipe(steps=60, batch_size=32))
    stored = supplied(store, "unified teacher")
    assert stored.facts.accuracies == {"photo": 1.0, "sketch": 1.0}
    assert stored.facts.classes == Colours.classes
    teachers = load_joint_classifier(stored.path)
    for modality in ("photo", "sketch"):
        data = Colours().images(modality, "test")
        logits = teachers[modality](to_unit(torch.from_numpy(data.images))).logits
        assert logits.argmax(dim=1).tolist() == data.labels.tolist()
        assert teachers[modality].modality == modality
    weights = [dict(teachers[m].network.named_parameters()) for m in ("photo", "sketch")]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
    means = [teachers[m].network.normaliser.mean for m in ("photo", "sketch")]
    assert not torch.equal(means[0], means[1])
    assert not any(p.requires_grad for p in teachers["photo"].parameters())


def test_unified_teacher_starts_where_the_teachers_start(tmp_path: Path) -> None:
    still = _recipe(learning_rate=1e-12, weight_decay=0.0)
    store = colour_store(tmp_path, recipe=still)
    unified = load_joint_classifier(supplied(store, "unified teacher").path)["photo"]
    teacher = load_teacher(store.teacher("photo").path)
    name = "backbone.stages.0.conv1.weight"
    weights = [network.network.state_dict()[name] for network in (unified, teacher)]
    assert torch.allclose(*weights, atol=1e-6)


def test_unified_teacher_needs_one_label_space() -> None:
    data = {
        "photo": coloured("photo", ("a", "b"), 8, 0),
        "sketch": coloured("sketch", ("a",), 8, 0),
    }
    with pytest.raises(InvalidInput, match="of the same classes"):
        train_unified_teacher(data, RECIPE, None, 0, CPU)  # type: ignore[arg-type]


def test_leaky_modality_classifier_learns_from_the_teachers_trainingcoloured(
    tmp_path: Path,
) -> None:
    store = colour_store(tmp_path, alternative=None, recipe=_recipe(modality_steps=150))
    judge = load_modality_classifier(supplied(store, "leaky modality classifier").path)
    for modality, sign in (("photo", -1), ("sketch", 1)):
        images = to_unit(torch.from_numpy(Colours().images(modality, "train").images))
        assert (sign * judge(images) > 0).float().mean() > 0.9


def test_records_or_unified_teachers_are_no_teachers(tmp_path: Path) -> None:
    store = colour_store(tmp_path)
    for supply in ("photo activation records", "unified teacher"):
        with pytest.raises(InvalidInput, match=f"contains a {supply}; a teacher is required"):
            load_teacher(supplied(store, supply).path)


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    torch.manual_seed(5)
    torch.save(get_model("resnet18", weights=None).state_dict(), tmp_path / "imagenet.pth")
    return tmp_path / "imagenet.pth"


def test_imagenet_teachers_start_from_the_weights_of_the_file(
    weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = _recipe(
        network="resnet18",
        initialisation="imagenet",
        weights=weights,
        steps=1,
        learning_rate=1e-12,
        weight_decay=0.0,
    )
    store = colour_store(tmp_path / "cache", recipe=recipe, alternative=None)
    states = [
        load_teacher(store.teacher(m).path).network.backbone.state_dict()  # type: ignore[arg-type]
        for m in ("photo", "sketch")
    ]
    published = torch.load(weights, weights_only=True)
    for state in states:
        assert torch.allclose(
            state["layer4.1.conv2.weight"], published["layer4.1.conv2.weight"], atol=1e-6
        )
    assert torch.allclose(states[0]["conv1.weight"], states[1]["conv1.weight"], atol=1e-6)
    assert store.teacher("photo").facts.image_size == 16
    said = capsys.readouterr().err
    assert said.count("imagenet.pth") == 1
    assert "3x3 stem" in said


def test_networks_from_published_weights_see_images_as_those_were_normalised(
    weights: Path, tmp_path: Path
) -> None:
    recipe = _recipe(network="resnet18", initialisation="imagenet", weights=weights)
    store = colour_store(tmp_path / "cache", recipe=recipe)
    made = [load_teacher(store.teacher(m).path) for m in MODALITIES]
    for supply in ("unified teacher", "initial classifier"):
        made += load_joint_classifier(supplied(store, supply).path).values()
    for teacher in made:
        normaliser = teacher.network.normaliser
        assert torch.allclose(normaliser.mean.ravel(), torch.tensor([0.485, 0.456, 0.406]))
        assert torch.allclose(normaliser.std.ravel(), torch.tensor([0.229, 0.224, 0.225]))


@pytest.mark.parametrize("initialisation", ["random", "alternative"])
def test_networks_of_ones_own_see_images_by_the_normaliser_of_the_modality(
    initialisation: str, tmp_path: Path
) -> None:
    store = colour_store(tmp_path, recipe=_recipe(initialisation=initialisation))
    for modality in MODALITIES:
        normaliser = load_teacher(store.teacher(modality).path).network.normaliser
        assert torch.equal(normaliser.mean, Normaliser.of(modality).mean)


@pytest.mark.parametrize(
    ("network", "mean"),
    [
        ("efficientnet-lite0", 0.5),
        ("efficientnet-lite0@32", 0.5),
        ("efficientnet-lite0@fitted", 0.5),
        ("timm:tf_efficientnet_lite0", 0.5),
        ("timm:mobilenetv3_small_050", 0.485),
        ("mobilenet_v3_large", 0.485),
    ],
)
def test_normaliser_of_published_weights_is_that_of_their_network(
    network: str, mean: float
) -> None:
    if "timm" in network or "lite" in network:
        pytest.importorskip("timm")
    start = new_backbone(network, 64)
    recipe = _recipe(network=network, initialisation="imagenet")
    for modality in MODALITIES:
        normaliser = normaliser_of(recipe, modality, start)
        assert float(normaliser.mean[0, 0]) == pytest.approx(mean)


def test_imagenet_identity_follows_the_content_of_the_file_alone(
    weights: Path, tmp_path: Path
) -> None:
    def identity(file: Path) -> str:
        recipe = _recipe(network="resnet18", initialisation="imagenet", weights=file)
        return colour_store(tmp_path, recipe=recipe).identities.photo

    copy = tmp_path / "copy.pth"
    copy.write_bytes(weights.read_bytes())
    assert identity(copy) == identity(weights)
    torch.save(get_model("resnet18", weights=None).state_dict(), copy)
    assert identity(copy) != identity(weights)


def test_weights_without_the_initialisation_that_takes_them_are_refused(weights: Path) -> None:
    store = colour_store(Path(), recipe=_recipe(weights=weights))
    with pytest.raises(InvalidConfig, match=r"--set teachers\.initialisation=imagenet"):
        _ = store.identities.photo


def test_record_tells_the_name_of_the_weights_but_not_their_folder(weights: Path) -> None:
    recipe = _recipe(weights=weights)
    assert recipe.recorded.model_dump(mode="json")["weights"] == "imagenet.pth"
    assert RECIPE.recorded == RECIPE


def test_initial_classifier_is_what_the_teachers_start_from_with_a_head_of_other_classes(
    tmp_path: Path,
) -> None:
    store = colour_store(tmp_path, recipe=_recipe(alternative_steps=60, batch_size=32))
    stored = supplied(store, "initial classifier")
    assert stored.facts.classes == ("x", "y")
    initial = load_joint_classifier(stored.path)
    for modality in ("photo", "sketch"):
        data = Colours().alternative(modality)
        logits = initial[modality](to_unit(torch.from_numpy(data.images))).logits
        assert logits.argmax(dim=1).tolist() == data.labels.tolist()
    store.teacher("photo")
    start = load_backbone(tmp_path / f"{store.identities.initialisation}.safetensors")
    own = initial["photo"].network.backbone.state_dict()
    assert all(torch.equal(own[name], value) for name, value in start.state_dict().items())


def test_initial_classifier_of_imagenet_has_the_head_of_the_file(
    weights: Path, tmp_path: Path
) -> None:
    recipe = _recipe(network="resnet18", initialisation="imagenet", weights=weights)
    store = colour_store(tmp_path / "cache", recipe=recipe, alternative=None)
    initial = load_joint_classifier(supplied(store, "initial classifier").path)["sketch"]
    published = torch.load(weights, weights_only=True)
    assert len(initial.classes) == 1000
    assert torch.equal(initial.network.head.weight, published["fc.weight"])
    assert torch.equal(initial.network.head.bias, published["fc.bias"])
    headless = {name: tensor for name, tensor in published.items() if not name.startswith("fc.")}
    torch.save(headless, weights)
    with pytest.raises(InvalidInput, match=r"imagenet\.pth .* lacks the classifier"):
        supplied(replace(store), "initial classifier")


def test_random_teachers_have_no_initial_classifier() -> None:
    store = colour_store(Path(), recipe=_recipe(initialisation="random"))
    with pytest.raises(InvalidConfig, match=r"--set teachers\.initialisation=alternative"):
        supply_identity(store.identities, "initial classifier")
