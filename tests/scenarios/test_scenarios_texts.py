"""Scenarios as users write them."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from types import SimpleNamespace
from typing import Any, cast

import pytest

from dfbench.datasets.dataset import ClassSplit, Dataset
from dfbench.errors import InvalidInput, UnknownName
from dfbench.scenarios import Scenario, canonical, parse_scenario
from dfbench.scenarios.classes import divided

CLASSES = ("ant", "bee", "cat", "dog", "eel", "fox")


def _dataset(splits: Mapping[str, ClassSplit] | None = None, **changes: Any) -> Dataset:
    facts = {"name": "zoo", "classes": CLASSES, "splits": splits or {}, **changes}
    return cast("Dataset", SimpleNamespace(**facts))


def _split(name: str, seen: tuple[str, ...], unseen: tuple[str, ...]) -> dict[str, ClassSplit]:
    return {name: ClassSplit(name, seen, unseen, "somebody")}


@pytest.mark.parametrize(
    ("text", "spelt"),
    [
        ("closed", "closed"),
        (" Closed ", "closed"),
        ("overlap=.5", "overlap=0.5"),
        ("overlap=0.50", "overlap=0.5"),
        ("overlap=1", "overlap=1.0"),
        ("overlap=1.00", "overlap=1.0"),
        ("overlap=0.125", "overlap=0.125"),
        ("fixed-overlap=.3", "fixed-overlap=0.3"),
        ("unseen=0.250", "unseen=0.25"),
        ("unseen=S25-SAKE", "unseen=s25-sake"),
    ],
)
def test_a_scenario_has_one_spelling(text: str, spelt: str) -> None:
    assert canonical(text) == spelt
    assert canonical(spelt) == spelt


def test_a_share_and_a_split_are_told_apart() -> None:
    assert parse_scenario("unseen=0.25") == Scenario("unseen", share=Decimal("0.25"))
    assert parse_scenario("unseen=q30") == Scenario("unseen", split="q30")


@pytest.mark.parametrize("text", ["open", "overlap", "overlap=", "closed=1", "unseen", ""])
def test_an_unknown_scenario_is_told_what_there_is(text: str) -> None:
    with pytest.raises(UnknownName, match=r"unknown scenario .*overlap=0\.5, unseen=0\.25"):
        parse_scenario(text)


@pytest.mark.parametrize("value", ["0", "-0.1", "1.1", "half", "nan", "inf"])
def test_an_overlap_out_of_its_range_is_refused(value: str) -> None:
    with pytest.raises(InvalidInput, match=rf"overlap={value}'.*above 0 and at most 1"):
        parse_scenario(f"overlap={value}")


@pytest.mark.parametrize("value", ["0", "1", "1.0", "2"])
def test_an_unseen_share_out_of_its_range_is_refused(value: str) -> None:
    with pytest.raises(InvalidInput, match=r"above 0 and below 1"):
        parse_scenario(f"unseen={value}")


def test_closed_divides_nothing() -> None:
    assert divided(Scenario("closed"), _dataset(), 0) is None


def test_a_published_split_is_found_in_any_case() -> None:
    splits = _split("Z2-Somebody", ("fox", "ant", "bee", "cat"), ("eel", "dog"))
    division = divided(parse_scenario("unseen=z2-SOMEBODY"), _dataset(splits), 0)
    assert division is not None
    assert division.known("photo") == division.known("sketch") == ("ant", "bee", "cat", "fox")
    assert division.queried == ("dog", "eel")


def test_a_misspelt_split_is_told_those_there_are() -> None:
    splits = _split("Z2-Somebody", CLASSES[:4], CLASSES[4:])
    with pytest.raises(UnknownName, match=r"unknown split of zoo .*did you mean 'z2-somebody'"):
        divided(parse_scenario("unseen=z2-somebdy"), _dataset(splits), 0)


def test_a_dataset_without_splits_is_told_to_take_a_share() -> None:
    with pytest.raises(InvalidInput, match=r"no split is published .*--scenario unseen=0\.25"):
        divided(parse_scenario("unseen=s25-sake"), _dataset(), 0)


def test_a_split_of_classes_that_are_not_there_is_refused() -> None:
    splits = _split("Z2", CLASSES[:4], ("gnu", "yak"))
    with pytest.raises(InvalidInput, match=r"names 2 classes that 'zoo' does not have, e\.g\. 'gn"):
        divided(parse_scenario("unseen=z2"), _dataset(splits), 0)


@pytest.mark.parametrize(
    ("text", "classes", "message"),
    [
        ("overlap=0.05", CLASSES, "leaves no shared class; allowed: a larger overlap"),
        ("fixed-overlap=0.1", CLASSES, "leaves no shared class"),
        ("overlap=0.5", CLASSES[:2], "leaves the photo teacher 1 classes; allowed: two or more"),
        ("unseen=0.9", CLASSES, "leaves the photo teacher 1 classes"),
        ("unseen=0.99", CLASSES, "leaves the photo teacher 0 classes"),
        ("unseen=0.1", CLASSES, "leaves 1 unseen classes; allowed: two or more"),
        ("unseen=0.01", CLASSES, "leaves 0 unseen classes"),
    ],
)
def test_a_share_that_leaves_too_few_classes_is_refused(
    text: str, classes: tuple[str, ...], message: str
) -> None:
    with pytest.raises(InvalidInput, match=message):
        divided(parse_scenario(text), _dataset(classes=classes), 0)


def test_who_knows_what_follows_the_seed_and_the_names_of_the_classes_alone() -> None:
    scenario = parse_scenario("overlap=0.5")
    assert divided(scenario, _dataset(), 3) == divided(scenario, _dataset(name="other"), 3)
    assert len({divided(scenario, _dataset(), seed) for seed in range(20)}) > 5
