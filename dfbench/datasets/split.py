"""Hold-out rules: the test images of a class, chosen by image content alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import floor
from typing import Literal

HoldoutName = Literal["fifth", "literature", "all"]
"""`fifth`: a fifth of both modalities. `literature`: a published number of sketches per class, and
all photos as gallery. `all`: every image, leaving none for training."""
TEST_FRACTION = 0.2


@dataclass(frozen=True)
class Holdout:
    """A rule that chooses the test part of each class."""

    queries: int | None = None
    """Number of test sketches per class; None for a fifth."""
    whole_gallery: bool = False
    """Use every photo as a test photo, including a teacher's training photos; else a fifth."""
    everything: bool = False
    """Use every image as a test image and none for training."""

    @property
    def terms(self) -> list[object]:
        """Its contribution to a fingerprint."""
        return [self.queries, self.whole_gallery, *(["everything"] if self.everything else [])]


A_FIFTH = Holdout()
"""A fifth of the photos and of the sketches of each class."""
EVERYTHING = Holdout(everything=True)
"""All images."""


def held_out(digests: Sequence[str], room: int | None = None) -> frozenset[str] | None:
    """The digests in the test part of one class; None if the class cannot be split.

    `digests` holds one hash per image, equal for equal contents. In hash order, contents are added
    to the test part if all their copies fit into the remaining `room` images, by default a fifth
    of the class (rounded, at least one). Without duplicates exactly that many are chosen. Copies
    always stay together, and the training part is never empty. File names, paths and order have no
    influence.
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
