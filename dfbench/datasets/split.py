"""Which images are held out, decided by what they show and by nothing else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import floor
from typing import Literal

HoldoutName = Literal["fifth", "literature", "all"]
"""`fifth` of both modalities; the literature's: some sketches a class, all photos gallery; or all
images, which leaves none to learn from."""
TEST_FRACTION = 0.2


@dataclass(frozen=True)
class Holdout:
    """How the test part of each class is chosen."""

    queries: int | None = None
    """Test sketches of a class; None: a fifth of them."""
    whole_gallery: bool = False
    """Every photo is a test photo, also those a teacher learns from; else a fifth of them."""
    everything: bool = False
    """Every image is a test image, and nobody learns from any."""

    @property
    def terms(self) -> list[object]:
        """What a fingerprint says of it."""
        return [self.queries, self.whole_gallery, *(["everything"] if self.everything else [])]


A_FIFTH = Holdout()
"""A fifth of the photos and of the sketches of each class."""
EVERYTHING = Holdout(everything=True)
"""All images."""


def held_out(digests: Sequence[str], room: int | None = None) -> frozenset[str] | None:
    """The digests that go to the test part of one class; None if the class cannot be split.

    `digests` holds one hash per image, equal for equal contents. In the order of their hashes,
    contents go to the test part while it has room for all their copies, up to `room` images, by
    default a fifth (rounded, at least one): without duplicates exactly that many. Copies are never
    divided, and something always remains. File names, paths and order play no part.
    """
    copies = Counter(digests)
    if len(copies) < 2 or (room is not None and room >= len(digests)):
        return None
    room = max(1, floor(len(digests) * TEST_FRACTION + 0.5)) if room is None else room
    test = set()
    for digest in sorted(copies):
        if copies[digest] <= room:
            test.add(digest)
            room -= copies[digest]
    return frozenset(test or {min(copies, key=lambda digest: (copies[digest], digest))})
