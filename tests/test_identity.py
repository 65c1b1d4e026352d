from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dfbench.identity import canonical_json, derive_seed, identify

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
contents = st.dictionaries(st.text(), values, max_size=5)


@given(contents)
def test_identity_does_not_depend_on_the_order_of_keys(content: dict[str, object]) -> None:
    backwards = dict(reversed(list(content.items())))
    assert identify("fit", 1, content) == identify("fit", 1, backwards)


@given(contents, contents)
def test_identities_are_equal_exactly_if_the_contents_are(
    one: dict[str, object], two: dict[str, object]
) -> None:
    same = canonical_json(one) == canonical_json(two)
    assert (identify("fit", 1, one) == identify("fit", 1, two)) is same


def test_identity_is_the_same_on_every_machine_and_in_every_release() -> None:
    content = {"method": "crossx", "seed": 0, "lr": 1e-3, "classes": ["a", "é"], "none": None}
    assert identify("fit", 1, content) == "06354920d6d7db1e2ec4d7ccfb94e6f1"


@pytest.mark.parametrize(
    "other",
    [
        identify("fit", 2, {"a": 1}),
        identify("evaluation", 1, {"a": 1}),
        identify("fit", 1, {"a": 2}),
        identify("fit", 1, {"a": "1"}),
        identify("fit", 1, {"a": 1.0}),
        identify("fit", 1, {"a": True}),
        identify("fit", 1, {"A": 1}),
        identify("fit", 1, {"a": 1, "b": None}),
    ],
)
def test_identity_changes_with_kind_version_and_content(other: str) -> None:
    assert identify("fit", 1, {"a": 1}) != other
    assert len(other) == 32


def test_identity_refuses_what_json_cannot_say() -> None:
    with pytest.raises(ValueError, match="JSON"):
        identify("fit", 1, {"a": float("nan")})


def test_seeds_of_other_names_differ_and_boundaries_of_parts_count() -> None:
    seeds = {
        derive_seed("teacher", "photo", 0),
        derive_seed("teacher", "photo", 1),
        derive_seed("teacher", "sketch", 0),
        derive_seed("teacherphoto", 0),
        derive_seed("teacher", "photo0"),
    }
    assert len(seeds) == 5
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_seed_is_the_same_on_every_machine() -> None:
    assert derive_seed("teacher", "photo", 0) == 575953910706178182
