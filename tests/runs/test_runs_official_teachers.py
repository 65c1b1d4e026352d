"""Teachers that a dataset provides: used, passed over, trained in their place, refused if damaged.

`dfbench teachers train` trains them at tiny size, and a dataset plugin hands them out.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import pytest
from bench import TINY, Bench, Finished

from dfbench import DatasetSpec
from dfbench.errors import PluginFault

DATASET = """
from pathlib import Path

import numpy as np

from dfbench import DatasetSpec, hookimpl
from dfbench.datasets.dataset import ImageSet


@hookimpl
def dfbench_datasets():
    teachers = f"{__name__}:teachers"
    return [DatasetSpec("hues", "plain colours", f"{__name__}:Hues", teachers=teachers)]


class Hues:
    name, fingerprint, image_size, splits, notes = "hues", "hues of 16 px", 16, {}, ()
    classes, alternative_classes = ("blue", "green", "red"), ("dark", "pale")

    def __init__(self, request):
        del request

    def images(self, modality, part):
        return self._set(modality, self.classes, 24 if part == "train" else 9)

    def alternative(self, modality):
        return self._set(modality, self.alternative_classes, 16)

    def _set(self, modality, classes, count):
        labels = np.arange(count) % len(classes)
        pixels = np.random.RandomState(count).randint(0, 60, (count, 3, 16, 16))
        pixels[np.arange(count), labels] += 190 if modality == "photo" else 90
        names = tuple(map(str, range(count)))
        return ImageSet(pixels.astype(np.uint8), labels.astype(np.int64), classes, names)
"""
TEACHERS = {key: value for key, value in TINY.items() if key.startswith("teachers.")}


class Hues:
    """The dataset plugin, and the folder of its teachers, at first empty."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.plugin = bench.plugin(DATASET, "hues")
        self.provided = bench.place / "teachers"
        self.provided.mkdir()

    def options(self, cache: str, *extra: str) -> tuple[str, ...]:
        settings = (part for k, v in TEACHERS.items() for part in ("--set", f"{k}={v}"))
        where = ("--plugin", str(self.plugin), "--cache", str(self.bench.place / cache))
        machine = ("--device", "cpu", "--threads", "1")
        return ("--dataset", "hues", *where, *machine, *settings, *extra)

    def train(self, cache: str, *extra: str) -> list[dict[str, Any]]:
        options = self.options(cache, "--format", "json", *extra)
        done = self.bench.call("teachers", "train", *options)
        assert done.status == 0, done.err
        found: list[dict[str, Any]] = done.json
        return found

    def run(self, cache: str, *extra: str) -> Finished:
        places = ("--results", str(self.bench.results), "--runs", str(self.bench.runs))
        options = self.options(cache, *places, "--format", "json", "--alone", *extra)
        return self.bench.call("run", "--method", "classifier-only", *options)

    def record(self, cache: str, *extra: str) -> dict[str, Any]:
        done = self.run(cache, *extra)
        assert done.status == 0, done.err
        record: dict[str, Any] = done.json
        return record

    def cached(self, cache: str) -> set[str]:
        return {file.stem for file in (self.bench.place / cache / "teachers").glob("*.safetensors")}


@pytest.fixture
def hues(quick_bench: Bench) -> Iterator[Hues]:
    """The dataset with official teachers of seed 0, trained at tiny size."""
    found = Hues(quick_bench)
    needs = ("--need", "modality classifier")
    found.train("makers", *needs, "--out", str(found.provided))
    yield found
    sys.modules.pop("hues", None)  # the next test has a file of this name elsewhere


def _identities(record: dict[str, Any]) -> set[str]:
    return {teacher["identity"] for teacher in record["teachers"].values()}


def test_official_teachers_are_used_and_recorded(hues: Hues) -> None:
    provided = {file.stem for file in hues.provided.iterdir()}
    assert provided == hues.cached("makers")
    assert len(provided) == 4  # with the initialisation and the modality classifier
    record = hues.record("fresh")
    assert hues.cached("fresh") == set()
    assert _identities(record) < provided
    assert not record["train_teachers"]
    listed = hues.bench.call(
        *("teachers", "list", "--plugin", str(hues.plugin), "--format", "json"),
        *("--cache", str(hues.bench.place / "fresh")),
    ).json
    theirs = [one for one in listed if one["provider"] == "hues"]
    checksums = {one["identity"]: one["checksum"] for one in theirs}
    assert checksums.keys() == provided
    for teacher in record["teachers"].values():
        assert teacher["official"]["checksum"] == checksums[teacher["identity"]]
        command = teacher["official"]["provenance"]["command"]
        assert command.startswith("dfbench teachers train --dataset hues --seed 0 --threads 1")
        assert str(hues.bench.place) not in command
    (classifier,) = (one for one in theirs if one["kind"] == "modality classifier")
    assert classifier["provenance"]["command"].endswith("--need 'modality classifier'")


def test_official_teachers_that_are_trained_again_give_the_same_scores(hues: Hues) -> None:
    official = hues.record("fresh")
    for file in hues.provided.iterdir():
        file.unlink()
    trained = hues.record("fresh", "--force")
    assert trained["teachers"]["photo"]["official"] is None
    assert _identities(trained) == _identities(official)
    assert trained["digests"] == official["digests"]
    assert trained["fit_id"] == official["fit_id"]


@pytest.mark.parametrize(
    "other",
    [
        ("--seed", "1"),
        ("--set", "teachers.steps=3"),
        ("--set", "teachers.initialisation=random"),
        ("--scenario", "overlap=0.4"),
        ("--image-size", "16", "--set", "teachers.learning_rate=0.05"),
    ],
)
def test_another_recipe_seed_or_scenario_trains_its_own(hues: Hues, other: tuple[str, ...]) -> None:
    record = hues.record("fresh", *other)
    assert {teacher["official"] for teacher in record["teachers"].values()} == {None}
    assert _identities(record) <= hues.cached("fresh")


def test_teachers_trained_in_place_of_official_ones_have_their_own_identity(hues: Hues) -> None:
    official = hues.record("fresh")
    forced = {entry["identity"] for entry in hues.train("fresh", "--force")}
    assert forced.isdisjoint(_identities(official))
    before = hues.cached("fresh")
    assert forced < before
    record = hues.record("fresh", "--train-teachers")
    assert _identities(record) == forced
    assert hues.cached("fresh") == before
    assert record["train_teachers"]
    assert record["teachers"]["photo"]["official"] is None
    assert record["fit_id"] != official["fit_id"]
    assert _identities(hues.record("fresh")) == _identities(official)


def test_forced_training_repeats_what_the_cache_has(hues: Hues) -> None:
    files = hues.bench.place / "fresh" / "teachers"
    hues.train("fresh", "--seed", "3")
    before = {file: file.stat().st_ino for file in files.glob("*.safetensors")}
    hues.train("fresh", "--seed", "3")
    assert before == {file: file.stat().st_ino for file in before}
    hues.train("fresh", "--seed", "3", "--force")
    assert all(file.stat().st_ino != inode for file, inode in before.items())
    assert before.keys() == set(files.glob("*.safetensors"))


@pytest.mark.parametrize("damage", ["a bit", "cut", "empty", "text", "another network"])
def test_damaged_official_teacher_is_refused_with_one_line(hues: Hues, damage: str) -> None:
    official = hues.record("fresh")["teachers"]
    file = hues.provided / f"{official['photo']['identity']}.safetensors"
    content = bytearray(file.read_bytes())
    if damage == "a bit":
        content[-1] ^= 1
    elif damage == "cut":
        del content[-100:]
    elif damage == "another network":
        content[:] = (hues.provided / f"{official['sketch']['identity']}.safetensors").read_bytes()
    else:
        content[:] = b"" if damage == "empty" else b"these are no weights"
    file.write_bytes(content)
    line = hues.run("fresh", "--force").refused()
    assert f"{str(file)!r}, an official network of the dataset, is damaged" in line
    assert "--train-teachers" in line
    assert _identities(hues.record("fresh", "--train-teachers")) <= hues.cached("fresh")


def test_official_teacher_may_be_named_like_any_other(hues: Hues) -> None:
    official = hues.record("fresh")["teachers"]
    named = [w for m, t in official.items() for w in (f"--{m}-teacher", t["identity"][:12])]
    record = hues.record("fresh", "--force", *named)
    assert _identities(record) == {teacher["identity"] for teacher in official.values()}
    assert record["teachers"]["photo"]["external"]
    line = hues.run("fresh", "--train-teachers", *named).refused()
    assert "--train-teachers cannot be combined with --photo-teacher" in line


def test_dataset_without_its_folder_of_teachers_is_refused(hues: Hues) -> None:
    for file in hues.provided.iterdir():
        file.unlink()
    hues.provided.rmdir()
    assert "'hues:teachers' names no folder" in hues.run("fresh").refused()
    cache = ("--cache", str(hues.bench.place / "fresh"))
    listed = hues.bench.call("teachers", "list", "--plugin", str(hues.plugin), *cache)
    assert "left out: dataset 'hues'" in listed.err
    assert "provided by shapes" in listed.out


def test_official_folder_is_not_filled_with_networks_trained_in_place_of_its_own(
    hues: Hues,
) -> None:
    options = hues.options("fresh", "--force", "--out", str(hues.provided))
    line = hues.bench.call("teachers", "train", *options).refused()
    assert "--out with --force; allowed: either" in line


@pytest.mark.parametrize(
    "folder", ["teachers", "", "hues:", ":teachers", "a:b:c", "hues:../other", "hues:a/b", 3]
)
def test_folder_of_teachers_that_is_no_folder_of_a_module_is_refused(folder: Any) -> None:
    with pytest.raises(PluginFault, match=r"teachers=.*allowed: None, or 'module:folder'"):
        DatasetSpec("hues", "plain colours", "hues:Hues", teachers=folder)


def test_unknown_need_is_named_with_the_nearest(bench: Bench) -> None:
    line = bench.call("teachers", "train", "--dataset", "shapes", "--need", "modality").refused()
    assert "unknown need 'modality'" in line
    assert "modality classifier" in line
