"""The expected score of a random order, against every order and against committed records."""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations
from math import comb
from pathlib import Path

import numpy as np
import pytest
import torch

import dfbench
from dfbench.datasets.dataset import ImageSet
from dfbench.evaluation import evaluate
from dfbench.evaluation.metrics import random_average_precision
from dfbench.records.store import read_record
from dfbench.runs.ranking import chance_levels, query_groups
from dfbench.scenarios.classes import ScenarioClasses

RESULTS = Path(dfbench.__file__).parents[1] / "results"


def _images(labels: list[int], classes: int) -> ImageSet:
    return ImageSet(
        images=np.zeros((len(labels), 1, 1, 1), np.uint8),
        labels=np.array(labels, np.int64),
        classes=tuple("abcdef"[:classes]),
        names=tuple(map(str, range(len(labels)))),
    )


def _over_all_orders(relevant: int, photos: int) -> Fraction:
    total = Fraction(0)
    for places in combinations(range(1, photos + 1), relevant):
        total += Fraction(sum(Fraction(i, rank) for i, rank in enumerate(places, 1)), relevant)
    return total / comb(photos, relevant)


@pytest.mark.parametrize("photos", range(1, 10))
def test_random_average_precision_is_the_mean_over_all_orders(photos: int) -> None:
    relevant = torch.arange(1, photos + 1)
    naive = [float(_over_all_orders(int(r), photos)) for r in relevant]
    assert random_average_precision(relevant, photos).numpy() == pytest.approx(naive, abs=1e-15)


def test_chance_leaves_out_queries_without_photos_and_groups_that_have_no_others() -> None:
    division = ScenarioClasses(shared=("a", "d"), photo_only=("b",), sketch_only=("c",))
    queries, gallery = _images([0, 0, 1, 2, 3], 4), _images([0, 1, 1, 0, 1, 3], 4)
    levels = chance_levels(queries, gallery, division)
    by_class = {name: float(_over_all_orders(r, 6)) for name, r in {"a": 2, "b": 3, "d": 1}.items()}
    assert levels == pytest.approx(
        {
            "": (2 * by_class["a"] + by_class["b"] + by_class["d"]) / 4,
            "shared": (2 * by_class["a"] + by_class["d"]) / 3,
            "photo-only": by_class["b"],
        },
        abs=1e-15,
    )


def test_chance_is_what_equal_embeddings_score() -> None:
    rng = np.random.default_rng(3)
    division = ScenarioClasses(shared=("a", "b"), photo_only=("c",), sketch_only=("d", "e"))
    queries = _images(list(rng.integers(0, 5, 70)), 5)
    gallery = _images([*range(5), *rng.integers(0, 5, 300)], 5)
    found = evaluate(
        np.ones((70, 1), np.float32),
        np.ones((305, 1), np.float32),
        queries.labels,
        gallery.labels,
        metrics=["map@all"],
        bootstrap=0,
        groups=query_groups(division, queries),
    )
    scores = {"": found.scores, **found.groups}
    expected = {name: score["map@all"].value for name, score in scores.items()}
    assert chance_levels(queries, gallery, division) == pytest.approx(expected, abs=1e-14)


BALANCED = {"shapes", "folder:qd_photo32"}
"""Datasets with as many test photos of one class as of another."""


@pytest.mark.parametrize("folder", sorted(p for p in RESULTS.iterdir() if p.is_dir()), ids=str)
def test_chance_of_committed_records_agrees_with_the_closed_form(folder: Path) -> None:
    for file in folder.glob("*.json"):
        record = read_record(file.read_bytes())
        photos = record.data.gallery
        if record.data.name in BALANCED:
            relevant = torch.tensor([photos // len(record.data.classes)])
            level = float(random_average_precision(relevant, photos))
            levels = [record.chance, *(group.chance for group in record.groups.values())]
            assert levels == pytest.approx([level] * len(levels), abs=1e-15)
