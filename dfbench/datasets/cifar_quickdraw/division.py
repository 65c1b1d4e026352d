"""The images of chosen classes, divided into parts and brought to one form."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from dfbench.datasets.cifar_quickdraw.photos import Photos
from dfbench.datasets.cifar_quickdraw.source import SIDE
from dfbench.datasets.pack import Contents, Images
from dfbench.datasets.split import held_out
from dfbench.errors import InvalidInput

SIZE = 32
"""Pixels to a side of a photo; drawings of 28 px get a margin of white."""
Rows = dict[str, list[int]]
"""By class: the numbers of its images in the published order."""


def divided(
    photos: tuple[Photos, Photos],
    labels: Mapping[str, int],
    ink: Mapping[str, Images],
    benchmark: tuple[str, ...],
    alternative: tuple[str, ...],
) -> Contents:
    """Photos and sketches by part, an array each; `meta` has the rows of each class.

    `photos` are the training and the test part of CIFAR-10, counted through; `labels` its numbers
    of the classes, `ink` the drawings `[N, 28, 28]` of each. A training photo that is also a test
    photo is left out; equal drawings stay on one side.
    """
    train, test = photos
    start = len(train.images)
    known = {image.tobytes() for image in test.images}
    twin = np.array([image.tobytes() in known for image in train.images], dtype=bool)
    every = np.concatenate([train.images, test.images])
    rows: dict[str, Rows] = {}
    for role, names in (("train", benchmark), ("test", benchmark), ("alternative", alternative)):
        rows[f"photo-{role}"], rows[f"sketch-{role}"] = {}, {}
        for name in names:
            learnt = np.flatnonzero((train.labels == labels[name]) & ~twin)
            asked = np.flatnonzero(test.labels == labels[name]) + start
            chosen = {"train": learnt, "test": asked, "alternative": np.append(learnt, asked)}
            rows[f"photo-{role}"][name] = chosen[role].tolist()
            rows[f"sketch-{role}"][name] = _drawings(ink[name], role)
    arrays = {
        part: _photos(every, chosen) if part.startswith("photo") else _sketches(ink, chosen)
        for part, chosen in rows.items()
    }
    left_out = sum(int((twin & (train.labels == number)).sum()) for number in labels.values())
    return Contents(arrays, {"rows": rows, "twins": left_out})


def _drawings(ink: Images, role: str) -> list[int]:
    digests = [blake2b(drawing.tobytes(), digest_size=16).hexdigest() for drawing in ink]
    test = held_out(digests)
    if test is None:
        raise InvalidInput("all drawings of a category are alike: fetch its file again")
    return [
        row
        for row, digest in enumerate(digests)
        if role == "alternative" or (digest in test) == (role == "test")
    ]


def _photos(every: Images, rows: Rows) -> Images:
    return every[[row for chosen in rows.values() for row in chosen]]


def _sketches(ink: Mapping[str, Images], rows: Rows) -> Images:
    """Black on white, as people draw on paper; a margin of white instead of blurred strokes."""
    margin = (SIZE - SIDE) // 2
    pages: NDArray[np.uint8] = np.full((sum(map(len, rows.values())), 1, SIZE, SIZE), 255, np.uint8)
    start = 0
    for name, chosen in rows.items():
        page = pages[start : start + len(chosen), 0]
        page[:, margin : margin + SIDE, margin : margin + SIDE] = 255 - ink[name][chosen]
        start += len(chosen)
    return pages
