"""The official teachers of `shapes`: whole, of the default recipe, and those of the records."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dfbench.modality import MODALITIES
from dfbench.need import supply_identity
from dfbench.plugins.code import folder_of
from dfbench.teachers.facts import official_files
from dfbench.teachers.identities import NetworkIdentities
from dfbench.teachers.recipe import TeacherRecipe
from dfbench.teachers.stored import load_modality_classifier, load_teacher, read_whole

SHAPES = "23b62eedd06209967b80495126e0c34a"
SPARE = "e62063e4032fc64c4aedd8a4939db896"
"""Fingerprints of the dataset and of its spare classes."""
FILES = official_files(folder_of("dfbench.datasets.shapes:teachers"))
RESULTS = Path(__file__).resolve().parents[2] / "results" / "shapes"


def _identities(seed: int, numerics: str = "cpu-fp32") -> NetworkIdentities:
    recipe = TeacherRecipe()
    return NetworkIdentities(SHAPES, lambda: SPARE, recipe, seed, numerics, official=FILES.keys())


@pytest.mark.parametrize("identity", FILES)
def test_official_network_is_whole_and_says_what_trained_it(identity: str) -> None:
    header = read_whole(FILES[identity])
    assert header is not None
    assert header.facts.identity == identity
    provenance = header.facts.provenance
    assert provenance["command"].startswith("dfbench teachers train --dataset shapes --seed ")
    assert len(provenance["commit"]) == 40
    assert "/" not in "".join(provenance.values())


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_default_recipe_has_official_networks_on_every_device(seed: int) -> None:
    here, elsewhere = _identities(seed), _identities(seed, "cuda-fp32")
    for modality in MODALITIES:
        assert here.teacher(modality) == elsewhere.teacher(modality)
        teacher = load_teacher(FILES[here.teacher(modality)])
        assert (teacher.modality, len(teacher.classes)) == (modality, 20)
    assert here.initialisation in FILES
    classifier = supply_identity(elsewhere, "modality classifier")
    assert not any(
        p.requires_grad for p in load_modality_classifier(FILES[classifier]).parameters()
    )


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_official_teachers_are_those_of_the_committed_records(seed: int) -> None:
    (file,) = (
        file
        for file in RESULTS.glob(f"classifier-posterior-s{seed}-*.json")
        if json.loads(file.read_text(encoding="utf-8"))["scenario"] == "closed"
    )
    teachers = json.loads(file.read_text(encoding="utf-8"))["teachers"]
    for modality in MODALITIES:
        header = read_whole(FILES[teachers[modality]["identity"]])
        assert header is not None
        assert header.facts.accuracy == teachers[modality]["accuracy"]


def test_another_seed_or_device_without_official_networks_keeps_its_identity() -> None:
    plain = NetworkIdentities(SHAPES, lambda: SPARE, TeacherRecipe(), 3, "cuda-fp32")
    assert _identities(3, "cuda-fp32").photo == plain.photo
    assert _identities(3, "cpu-fp32").photo != plain.photo
