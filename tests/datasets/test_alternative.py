from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from publisher import Publisher, little_files, little_source
from trees import miniature, sketch_lvm

from dfbench.class_names import meaning, normalised
from dfbench.datasets import Dataset, DatasetRequest
from dfbench.datasets.alternative import alternative_source
from dfbench.datasets.cifar_quickdraw.dataset import opened_from
from dfbench.datasets.cifar_quickdraw.source import NAME as CIFAR
from dfbench.datasets.folder.opening import open_folder
from dfbench.datasets.known import VARIANTS, variant
from dfbench.datasets.known.opening import open_known
from dfbench.datasets.shapes import open_shapes
from dfbench.errors import InvalidInput

Maker = Callable[..., Path]


def folder(root: Path, **asked: object) -> Dataset:
    request = DatasetRequest(cache=root.parent / "cache", argument=str(root), **asked)  # type: ignore[arg-type]  # keyword arguments
    return open_folder(request)


def unused() -> Dataset:
    raise AssertionError("shapes must not be opened")


def test_spare_classes_come_first(make_folder: Maker) -> None:
    dataset = folder(
        make_folder({"cat": 4, "dog": 4, "eel": 3, "fox": 2}), alternative_classes=("eel", "fox")
    )
    found = alternative_source(dataset, None, unused)
    assert found.source == "folder:animals (spare)"
    assert found.classes == ("eel", "fox")
    assert np.bincount(found.images("sketch").labels).tolist() == [3, 2]


def test_shapes_stand_in_less_what_the_benchmark_has(make_folder: Maker) -> None:
    dataset = folder(make_folder({"heart": 4, "Spectacles": 4}))
    spare = folder(
        make_folder({"a": 2, "b": 2, "heart": 2, "glasses": 2, "owl": 2}, name="spare"),
        classes=("a", "b"),
        alternative_classes=("heart", "glasses", "owl"),
    )
    with pytest.raises(InvalidInput, match="1 classes that 'folder:animals' does not have"):
        alternative_source(dataset, None, lambda: spare)


def test_another_dataset_gives_training_and_spare_images(make_folder: Maker) -> None:
    dataset = folder(make_folder({"couch": 4, "dog": 4}))
    other = folder(
        make_folder({"sofa": 10, "eel": 10, "fox": 10, "owl": 3}, name="other"),
        alternative_classes=("owl",),
    )
    found = alternative_source(dataset, other, unused)
    images = found.images("photo")
    assert found.source == "folder:other"
    assert found.classes == images.classes == ("eel", "fox", "owl")
    assert np.bincount(images.labels).tolist() == [8, 8, 3]
    assert len(images.images) == len(images.names) == len(images) == 19
    for name, label in zip(images.names, images.labels, strict=True):
        assert name.split("/")[1] == images.classes[label]
    assert not set(images.names) & set(other.images("photo", "test").names)


def test_fingerprint_tells_the_source_and_its_classes(make_folder: Maker) -> None:
    other = folder(make_folder({"sofa": 4, "eel": 4, "fox": 4}, name="other"))
    prints = {
        alternative_source(folder(make_folder(counts, name=name)), other, unused).fingerprint
        for name, counts in (("x", {"a": 3, "b": 3}), ("y", {"sofa": 3, "b": 3}))
    }
    assert len(prints) == 2


def test_another_image_size_is_refused(make_folder: Maker) -> None:
    dataset = folder(make_folder({"cat": 4, "dog": 4}))
    other = folder(make_folder({"eel": 4, "fox": 4}, name="other"), image_size=48)
    with pytest.raises(InvalidInput, match=r"48 px.*32 px.*--image-size"):
        alternative_source(dataset, other, unused)


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Dataset]:
    """Every published dataset, all its classes, few images."""
    place = tmp_path_factory.mktemp("published")
    datasets = {}
    for name in ("sketchy", "sketchy-ext", "tuberlin", "quickdraw", "pacs"):
        mini = miniature(variant(name).known.classes, 2, 2, added=1 if "sketchy" in name else 0)
        sketch_lvm(place / name, mini)
        request = DatasetRequest(cache=place / "cache", root=place / name, image_size=8)
        datasets[name] = open_known(request, name=name)
    little = Publisher(little_files())
    for path, content in little.files.items():
        file = place / CIFAR / path.rpartition("/")[2]
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(content)
    request = DatasetRequest(cache=place / "cache", root=place, image_size=8)
    datasets[CIFAR] = opened_from(little_source(little), request)
    return datasets


@pytest.mark.parametrize("name", sorted({CIFAR, *(kind.name for kind in VARIANTS.values())}))
@pytest.mark.parametrize("other", ["sketchy-ext", "tuberlin", "quickdraw"])
def test_published_datasets_share_no_class_with_their_alternative(
    name: str, other: str, published: dict[str, Dataset]
) -> None:
    dataset, source = published[name], published[other]
    if name != CIFAR and variant(name).dataset == variant(other).dataset:
        with pytest.raises(InvalidInput, match="have 0 classes"):
            alternative_source(dataset, source, unused)
        return
    found = alternative_source(dataset, source, unused)
    assert len(found.classes) >= 14
    for same in (normalised, meaning):
        assert not {same(c) for c in found.classes} & {same(c) for c in dataset.classes}
    for modality in ("photo", "sketch"):
        images = found.images(modality)  # type: ignore[arg-type]  # a modality
        assert {name.split("/")[1] for name in images.names} == set(found.classes)


@pytest.mark.parametrize(
    ("name", "other", "left_out"),
    [
        ("sketchy", "tuberlin", "beer-mug|suv|revolver|tennis-racket|rooster|hot-dog"),
        ("sketchy", "tuberlin", "mouse (animal)|pumpkin|crocodile|panda|pigeon|barn|monkey"),
        ("sketchy", "quickdraw", "crocodilian|car|motorcycle|monkey|hot-air_balloon|palm tree"),
        ("tuberlin", "sketchy", "crocodilian|racket|pistol|hotdog|turtle|hermit_crab|cabin|ape"),
        ("quickdraw", "tuberlin", "ship|crocodile|race car|motorbike|mouse (animal)|teddy-bear"),
        ("cifar-quickdraw", "sketchy", "car_(sedan)|pickup_truck|sailboat|songbird|owl|duck|swan"),
        ("cifar-quickdraw", "quickdraw", "car|cruise ship|sailboat|penguin|parrot"),
        ("cifar-quickdraw", "tuberlin", "ship|truck|van|suv|race car|speed-boat|canoe|pigeon"),
        ("pacs", "cifar-quickdraw", "dog|horse"),
        ("pacs", "tuberlin", "barn|house|person sitting|person walking|horse"),
    ],
)
def test_near_synonyms_are_left_out(
    name: str, other: str, left_out: str, published: dict[str, Dataset]
) -> None:
    found = alternative_source(published[name], published[other], unused)
    assert set(left_out.split("|")) <= set(published[other].classes)
    assert not set(left_out.split("|")) & set(found.classes)


def test_names_that_only_look_alike_stay(published: dict[str, Dataset]) -> None:
    found = alternative_source(published["sketchy"], published["tuberlin"], unused)
    assert {"computer-mouse", "baseball bat", "bottle opener", "wheelbarrow"} <= set(found.classes)


def test_pacs_takes_its_alternative_from_shapes_at_its_own_size(
    published: dict[str, Dataset], shapes: Dataset, shapes_cache: Path
) -> None:
    found = alternative_source(
        published["pacs"],
        None,
        lambda: open_shapes(DatasetRequest(cache=shapes_cache, image_size=8)),
    )
    assert found.source == "shapes (spare)"
    assert found.classes == shapes.alternative_classes
    assert found.images("photo").images.shape[1:] == (3, 8, 8)
