"""The division of classes, by property."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from math import floor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dfbench.scenarios.classes import (
    ScenarioClasses,
    class_order,
    overlapping,
    overlapping_with_fixed_size,
    whole,
    with_unseen_share,
)

CLASSES = st.integers(2, 60).map(lambda count: tuple(f"class {i}" for i in range(count)))
SHARES = st.decimals(min_value="0.001", max_value=1, places=3)
SEEDS = st.integers(0, 2**31)


def _sides(division: ScenarioClasses) -> tuple[set[str], set[str]]:
    return set(division.known("photo")), set(division.known("sketch"))


@given(CLASSES, SHARES, SEEDS)
def test_overlap_shares_the_rounded_share_of_a_fixed_union(
    classes: tuple[str, ...], o: Decimal, seed: int
) -> None:
    division = overlapping(classes, o, seed)
    photo, sketch = _sides(division)
    assert len(photo & sketch) == floor(Fraction(o) * len(classes) + Fraction(1, 2))
    assert photo | sketch == set(classes)
    assert division.queried == tuple(sorted(classes))
    assert division.overlap == len(photo & sketch) / len(photo | sketch)
    assert abs(len(photo) - len(sketch)) <= 1
    assert not division.unseen


@given(CLASSES, SHARES, SHARES, SEEDS)
def test_shared_classes_are_nested_and_no_class_changes_sides(
    classes: tuple[str, ...], one: Decimal, other: Decimal, seed: int
) -> None:
    small, large = (overlapping(classes, o, seed) for o in sorted((one, other)))
    assert set(small.shared) <= set(large.shared)
    assert set(large.photo_only) <= set(small.photo_only)
    assert set(large.sketch_only) <= set(small.sketch_only)


@given(CLASSES, SEEDS)
def test_whole_overlap_leaves_no_class_to_one_teacher(classes: tuple[str, ...], seed: int) -> None:
    division = overlapping(classes, Decimal(1), seed)
    assert division == ScenarioClasses(shared=tuple(sorted(classes)))
    assert division.scenario_kind == "closed"
    assert list(division.groups) == ["shared"]


@given(CLASSES, SHARES, SEEDS)
def test_side_of_a_class_is_the_parity_of_its_place(
    classes: tuple[str, ...], o: Decimal, seed: int
) -> None:
    order = class_order(classes, seed)
    division = overlapping(classes, o, seed)
    assert all(order.index(name) % 2 == 0 for name in division.photo_only)
    assert all(order.index(name) % 2 == 1 for name in division.sketch_only)
    assert {*division.shared} == {*order[: len(division.shared)]}


@given(CLASSES, SHARES, SHARES, SEEDS)
def test_fixed_size_gives_both_teachers_as_many_classes_at_every_overlap(
    classes: tuple[str, ...], one: Decimal, other: Decimal, seed: int
) -> None:
    n = len(classes) // 2
    small, large = (overlapping_with_fixed_size(classes, o, seed) for o in sorted((one, other)))
    for o, division in zip(sorted((one, other)), (small, large), strict=True):
        photo, sketch = _sides(division)
        assert len(photo) == len(sketch) == n
        assert len(photo & sketch) == whole(o, n)
        assert division.queried == tuple(sorted(photo | sketch))
    assert _sides(small)[0] == _sides(large)[0]
    assert set(small.shared) <= set(large.shared)
    assert set(large.sketch_only) <= set(small.sketch_only)


@given(CLASSES, SHARES, SHARES, SEEDS)
def test_unseen_classes_are_nested_and_disjoint_from_what_teachers_know(
    classes: tuple[str, ...], one: Decimal, other: Decimal, seed: int
) -> None:
    small, large = (with_unseen_share(classes, share, seed) for share in sorted((one, other)))
    assert set(small.unseen) <= set(large.unseen)
    for division in (small, large):
        assert division.known("photo") == division.known("sketch")
        assert sorted((*division.unseen, *division.known("photo"))) == sorted(classes)
        if division.unseen:
            assert division.queried == division.unseen
            assert division.scenario_kind == "unseen"
            assert division.groups == {}


def test_halves_are_rounded_up_in_decimals_and_not_in_binary() -> None:
    assert whole(Decimal("0.285"), 100) == 29  # in binary .285 * 100 is below 28.5
    assert whole(Decimal("0.5"), 5) == 3


def test_tenths_of_twenty_classes_are_exact() -> None:
    classes = tuple("abcdefghijklmnopqrst")
    for tenth in range(1, 11):
        division = overlapping(classes, Decimal(tenth) / 10, 0)
        assert division.overlap == pytest.approx(tenth / 10)
        assert len(division.photo_only) == len(division.sketch_only) == 10 - tenth


def test_order_is_the_same_on_every_machine_and_another_for_another_seed() -> None:
    classes = ("bear", "cat", "fish", "spoon", "train")
    assert class_order(classes, 0) == ("train", "fish", "bear", "cat", "spoon")
    assert class_order(classes[::-1], 0) == class_order(classes, 0)
    assert len({class_order(classes, seed) for seed in range(20)}) > 10
