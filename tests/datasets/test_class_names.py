"""Names of classes, folders and images: one normal form, and only names that can be written."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import dfbench
from dfbench.class_names import (
    colliding,
    composed,
    listed_names,
    meaning,
    name_error,
    normalised,
)
from dfbench.datasets import Dataset, DatasetRequest
from dfbench.datasets.condition.folders import folder_holding
from dfbench.datasets.folder.opening import open_folder
from dfbench.datasets.known.facts import class_key
from dfbench.errors import InvalidInput
from dfbench.teachers.class_list import checked_classes, class_list

Maker = Callable[[Mapping[str, int]], Path]
NFC, NFD = "\u00e9clair", "e\u0301clair"
HANGUL = "\ud55c\uae00"


def opened(root: Path, **asked: object) -> Dataset:
    request = DatasetRequest(cache=root.parent / "cache", argument=str(root), **asked)  # type: ignore[arg-type]  # keyword arguments
    return open_folder(request)


def test_composed_and_decomposed_folders_are_one_class(make_folder: Maker) -> None:
    root = make_folder({NFC: 6, "dog": 6})
    fingerprint = opened(root).fingerprint
    (root / "sketch" / NFC).rename(root / "sketch" / NFD)
    dataset = opened(root)
    assert dataset.classes == ("dog", NFC)
    assert dataset.fingerprint == fingerprint
    (root / "photo" / NFC).rename(root / "photo" / NFD)
    assert opened(root).fingerprint == fingerprint


@pytest.mark.parametrize("name", [NFC, HANGUL, "\u212bngstr\u00f6m"])
@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_a_class_is_chosen_in_either_form(make_folder: Maker, name: str, form: str) -> None:
    asked = unicodedata.normalize(form, name)  # type: ignore[arg-type]  # one of the forms
    dataset = opened(
        make_folder({unicodedata.normalize("NFD", name): 6, "dog": 6, "cat": 6, "sun": 6}),
        classes=("dog", "cat"),
        alternative_classes=(asked, "sun"),
    )
    assert composed(name) in dataset.alternative_classes


def test_both_forms_in_one_folder_are_reported(make_folder: Maker) -> None:
    root = make_folder({NFC: 6, NFD: 6, "dog": 6})
    with pytest.raises(InvalidInput, match=r"twice, as 'e\\u0301clair' and as '\\xe9clair'"):
        opened(root)
    with pytest.raises(InvalidInput, match="two Unicode forms of the same name"):
        folder_holding(DatasetRequest(cache=root, argument=str(root)))


def test_name_of_the_dataset_is_composed(make_folder: Maker) -> None:
    root = make_folder({"cat": 6, "dog": 6})
    moved = root.rename(root.with_name(NFD))
    assert opened(moved).name == f"folder:{NFC}"


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        (os.fsdecode(b"caf\xe9"), "it is not UTF-8"),
        ("hot\ndog", "it contains the invisible character U[+]000A"),
        ("bell\x07", "it contains the invisible character U[+]0007"),
        ("cat\u200f", "it contains the invisible character U[+]200F"),
        ("\ufeffcat", "it contains the invisible character U[+]FEFF"),
        ("c\u2028at", "it contains the invisible character U[+]2028"),
        ("\u202ecat", "it contains the invisible character U[+]202E"),
        ("c\x85at", "it contains the invisible character U[+]0085"),
    ],
)
def test_names_that_cannot_be_read_or_written_are_refused(
    make_folder: Maker, name: str, reason: str
) -> None:
    root = make_folder({name: 6, "dog": 6, "cat": 6})
    with pytest.raises(InvalidInput, match=f"cannot be a class: {reason}.*--classes"):
        opened(root)
    holding = folder_holding(DatasetRequest(cache=root, argument=str(root)))
    assert any("cannot be a class" in line for line in holding.obstacles)
    assert opened(root, classes=("cat", "dog")).classes == ("cat", "dog")
    with pytest.raises(InvalidInput, match="cannot be used"):
        checked_classes(["dog", name])


@pytest.mark.parametrize(
    "name",
    [
        "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
        '5" nail',
        "a.b.",
        "caf\u00e9",
        HANGUL,
        "a" * 200,
    ],
)
def test_other_names_are_classes(make_folder: Maker, name: str) -> None:
    assert name_error(name) is None
    assert name in opened(make_folder({name: 6, "dog": 6})).classes


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Cat", "cat"),
        ("hot dog", "hot_dog"),
        ("cat ", "cat"),
        (NFC, "\u00c9CLAIR"),
        ("a  b", "a-b"),
    ],
)
def test_names_that_differ_by_spelling_are_one_class(
    make_folder: Maker, one: str, other: str
) -> None:
    with pytest.raises(InvalidInput, match=r"is the same as .*--classes"):
        opened(make_folder({one: 6, other: 6, "dog": 6}))


def test_image_whose_name_is_not_utf8_is_named_before_anything_is_trained(
    make_folder: Maker,
) -> None:
    root = make_folder({"cat": 6, "dog": 6})
    (root / "photo" / "cat" / "0.png").rename(
        os.fsdecode(os.fsencode(root / "photo" / "cat") + b"/\xe9.png")
    )
    with pytest.raises(InvalidInput, match=r"\(its path is not UTF-8\).*--skip-unreadable"):
        opened(root)
    dataset = opened(root, skip_unreadable=True)
    assert "1 unreadable image files left out" in dataset.notes
    for part in ("train", "test"):
        for name in dataset.images("photo", part).names:  # type: ignore[arg-type]  # parts
            name.encode()


def test_folder_whose_path_is_not_utf8_is_refused(make_folder: Maker) -> None:
    root = make_folder({"cat": 6, "dog": 6})
    moved = root.rename(os.fsdecode(os.fsencode(root.parent) + b"/d\xe9j\xe0"))
    with pytest.raises(InvalidInput, match=r"d\\udce9j\\udce0' is not UTF-8"):
        opened(moved)


def test_comma_in_a_name_is_quoted(make_folder: Maker) -> None:
    root = make_folder({"salt, pepper": 6, 'the "cat"': 6, "dog": 6})
    chosen = listed_names('"salt, pepper", "the ""cat"""')
    assert opened(root, classes=chosen).classes == ("salt, pepper", 'the "cat"')
    assert class_list('"Salt, Pepper",dog') == ("salt, pepper", "dog")


@given(st.lists(st.text(st.characters(codec="utf-8"), min_size=1)))
def test_quoted_names_are_read_as_they_are(names: list[str]) -> None:
    text = ",".join('"' + name.replace('"', '""') + '"' for name in names)
    assert listed_names(text) == tuple(names)


@given(st.text(st.characters(categories=["L", "N"]), min_size=1), st.sampled_from(["NFC", "NFD"]))
def test_names_compare_alike_in_every_form(name: str, form: str) -> None:
    other = unicodedata.normalize(form, name)  # type: ignore[arg-type]  # one of the forms
    assert normalised(other) == normalised(name) == normalised(normalised(name))
    assert meaning(other) == meaning(name)
    assert colliding([other], [name]) == {other}
    assert class_key(other) == class_key(name)


@given(st.text(st.characters(codec="ascii")))
def test_ascii_names_are_compared_as_before(name: str) -> None:
    assert composed(name) == name
    assert normalised(name) == " ".join(name.lower().replace("-", " ").replace("_", " ").split())


def test_labels_of_either_form_are_relevant_to_each_other() -> None:
    embeddings = np.eye(4, dtype=np.float32)
    one, other = ([name, "dog", "cat", "sun"] for name in (NFC, NFD))
    report = dfbench.evaluate(embeddings, embeddings, one, other, bootstrap=0)
    assert report.scores["map@all"].value == 1


def test_class_file_may_be_written_in_either_form(tmp_path: Path) -> None:
    (tmp_path / "classes.txt").write_text(f"{NFD}\nsalt, pepper\n", encoding="utf-8")
    assert class_list(str(tmp_path / "classes.txt")) == (NFC, "salt, pepper")
    with pytest.raises(InvalidInput, match="is in the class list"):
        checked_classes([NFC, NFD])


def test_images_are_found_whatever_form_a_file_name_has(make_folder: Maker) -> None:
    root = make_folder({"cat": 6, "dog": 6})
    Image.new("RGB", (8, 8)).save(root / "photo" / "cat" / f"{NFD}.png")
    names = opened(root).images("photo", "train").names + opened(root).images("photo", "test").names
    assert f"photo/cat/{NFD}.png" in names
