from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from dfbench.datasets.split import held_out

hashes = st.lists(st.integers(0, 40).map("{:02x}".format), min_size=0, max_size=80)


def test_five_hundred_different_images_are_split_400_to_100() -> None:
    test = held_out([f"{i:04x}" for i in range(500)])
    assert test is not None
    assert len(test) == 100


@given(hashes)
def test_both_parts_have_images_and_order_does_not_matter(digests: list[str]) -> None:
    test = held_out(digests)
    if len(set(digests)) < 2:
        assert test is None
        return
    assert test
    assert test < set(digests)
    assert held_out(digests[::-1]) == test


@given(hashes)
def test_test_part_is_at_most_a_fifth_where_copies_allow_it(digests: list[str]) -> None:
    test = held_out(digests)
    copies = Counter(digests)
    room = max(1, int(len(digests) * 0.2 + 0.5))
    if test is not None and min(copies.values()) <= room:
        assert sum(copies[digest] for digest in test) <= room
