"""Condition of the downloaded files of CIFAR-10 and Quick, Draw!."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

from dfbench.datasets.cifar_quickdraw.dataset import chosen_classes, fetch_command
from dfbench.datasets.cifar_quickdraw.fetching import FetchedFile, pieces
from dfbench.datasets.cifar_quickdraw.files import noted, photos
from dfbench.datasets.cifar_quickdraw.source import NAME, PublishedSource, home_folder
from dfbench.datasets.condition.condition import (
    Ceiling,
    Condition,
    Looks,
    a_fifth,
    precision_ceiling,
)
from dfbench.datasets.dataset import DatasetRequest
from dfbench.datasets.known.layout import Problem
from dfbench.errors import InvalidInput

_Counts = Mapping[str, int]


def fetched_condition(source: PublishedSource, request: DatasetRequest, looks: Looks) -> Condition:
    """Check the files of the dataset; each is read completely and compared with its checksum.

    Raises `InvalidInput` for checks that apply to image files only, and the exceptions of
    `chosen_classes`.
    """
    if looks != Looks():
        option = "--decode" if looks.decode else "--duplicates"
        raise InvalidInput(
            f"{option} does not apply to '{NAME}', whose files are always compared with checksums; "
            "remove the option"
        )
    benchmark, alternative = chosen_classes(source, request)
    home = home_folder(request.root, request.cache)
    faults = {piece: fault for piece in pieces(source, home) if (fault := _fault(piece))}
    faulty = {piece.file for piece in faults}
    learnt, asked = _photos(source, home, faulty)
    drawn = {
        shared.name: 0 if source.bitmaps(home, shared) in faulty else source.drawings.count
        for shared in source.classes
    }
    classes = sorted((*benchmark, *alternative))
    command = fetch_command(request)
    return Condition(
        name=NAME,
        root=home,
        layouts={},
        counts={
            "photo": {name: learnt.get(name, 0) + asked.get(name, 0) for name in classes},
            "sketch": {name: drawn[name] for name in classes},
        },
        published={},
        looks=None,
        problems=(*faults.values(), *_by_hand(source, home, faulty)),
        obstacles=(f"{len(faults)} files are missing or damaged: {command}",) if faults else (),
        ceilings=() if faults else (_ceiling(drawn, asked, benchmark),),
    )


def _fault(piece: FetchedFile) -> Problem | None:
    if not piece.file.is_file():
        return Problem("missing file", f"{piece.title}: no '{piece.file}'", spoils=True)
    try:
        piece.check()
    except InvalidInput as fault:
        return Problem("unreadable", f"{piece.title}: {fault}", spoils=True)
    return None


def _photos(source: PublishedSource, home: Path, faulty: set[Path]) -> tuple[_Counts, _Counts]:
    """Training and test photos by class."""
    if source.archive(home) in faulty:
        return {}, {}
    names = {shared.label: shared.name for shared in source.classes}
    train, test = (
        Counter(names[label] for label in part.labels.tolist() if label in names)
        for part in photos(source, home)
    )
    return train, test


def _by_hand(source: PublishedSource, home: Path, faulty: set[Path]) -> Iterator[Problem]:
    known = noted(home)
    for shared in source.classes:
        file = source.bitmaps(home, shared)
        if shared.category not in known and file not in faulty:
            text = f"'{file}' was added manually: only its format could be checked"
            yield Problem("no checksum", text, spoils=False)


def _ceiling(drawn: _Counts, asked: _Counts, benchmark: tuple[str, ...]) -> Ceiling:
    return precision_ceiling(
        "fifth of the drawings, CIFAR-10's test batch",
        {name: a_fifth(drawn[name]) for name in benchmark},
        {name: asked.get(name, 0) for name in benchmark},
    )
