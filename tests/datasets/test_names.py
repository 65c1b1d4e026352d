from __future__ import annotations

import tomllib
from importlib.resources import files

import pytest

from dfbench.class_names import colliding, meaning, normalised
from dfbench.datasets.folder.opening import ClassList, matching, packaged_lists


@pytest.mark.parametrize("name", ["Alarm_Clock", "alarm-clock", " alarm  clock", "ALARM CLOCK"])
def test_spelling_of_a_name_does_not_matter(name: str) -> None:
    assert normalised(name) == "alarm clock"


def test_synonyms_collide() -> None:
    names = ["Sofa", "aeroplane", "bee", "Cat"]
    assert colliding(names, ["couch", "airplane", "cat"]) == {"Sofa", "aeroplane", "Cat"}


def test_a_thing_collides_with_its_kinds_and_they_do_not_with_each_other() -> None:
    assert colliding(["Owl", "yacht", "bee"], ["wading_bird", "ship"]) == {"Owl", "yacht"}
    assert colliding(["songbird", "cruise ship", "bee"], ["owl", "sailing boat"]) == {
        "songbird",
        "cruise ship",
    }
    assert colliding(["owl", "canoe"], ["parrot", "sailboat"]) == frozenset()


def test_a_synonym_stands_in_one_row_only_and_is_normalised() -> None:
    text = files("dfbench").joinpath("synonyms.toml").read_text(encoding="utf-8")
    names = [name for row in tomllib.loads(text)["same"] for name in row]
    assert len(names) == len(set(names))
    assert all(name == normalised(name) for name in names)
    kinds = tomllib.loads(text)["kinds"]
    listed = [*kinds, *(kind for row in kinds.values() for kind in row)]
    assert len(listed) == len({meaning(name) for name in listed})
    assert all(name == normalised(name) for name in listed)


@pytest.mark.parametrize("known", packaged_lists(), ids=lambda known: known.name)
def test_class_list_is_consistent(known: ClassList) -> None:
    assert set(known.benchmark) | set(known.alternative) <= known.folder
    assert not colliding(known.alternative, known.benchmark)
    assert known.source
    assert matching(known.folder) is known
    assert matching([*known.folder, "another"]) is None
