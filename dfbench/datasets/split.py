"""Which images are held out, decided by what they show and by nothing else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from math import floor

TEST_FRACTION = 0.2


def held_out(digests: Sequence[str]) -> frozenset[str] | None:
    """The digests that go to the test part of one class; None if the class cannot be split.

    `digests` holds one hash per image, equal for equal contents. In the order of their hashes,
    contents go to the test part while it has room for all their copies, up to a fifth of the
    images (rounded, at least one): without duplicates exactly a fifth. Copies are never divided.
    File names, paths and order play no part.
    """
    copies = Counter(digests)
    if len(copies) < 2:
        return None
    room = max(1, floor(len(digests) * TEST_FRACTION + 0.5))
    test = set()
    for digest in sorted(copies):
        if copies[digest] <= room:
            test.add(digest)
            room -= copies[digest]
    return frozenset(test or {min(copies, key=lambda digest: (copies[digest], digest))})
