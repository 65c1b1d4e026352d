"""The condition of a dataset on disk: what is there, what is wrong, whether it can be used."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dfbench.datasets.images.file_errors import duplicates, unreadable
from dfbench.datasets.known.layout import Problem
from dfbench.datasets.split import held_out
from dfbench.modality import MODALITIES, Modality

CUTOFF = 200
"""The k of the literature's P@200."""


@dataclass(frozen=True)
class Ceiling:
    """The best possible P@200 of one division of the images."""

    division: str
    """How queries and gallery are chosen, e.g. `fifth` or `T30-PCYC`."""
    classes: int
    queries: int
    gallery: int
    small: tuple[str, ...]
    """Classes with queries and fewer than 200 gallery photos."""
    value: float
    """In [0, 1]."""


def precision_ceiling(
    division: str, queries: Mapping[str, int], gallery: Mapping[str, int]
) -> Ceiling:
    """The P@200 of a perfect ranking, from the number of queries and gallery photos of each class.

    A query of a class with R photos has at most min(R, 200) hits among the first 200; the mean is
    over queries. `queries` has at least one query.

    >>> precision_ceiling("fifth", {"cat": 3, "dog": 1}, {"cat": 100, "dog": 300}).value
    0.625
    """
    asked = sum(queries.values())
    best = sum(n * min(gallery.get(name, 0), CUTOFF) for name, n in queries.items())
    return Ceiling(
        division,
        classes=len(queries),
        queries=asked,
        gallery=sum(gallery.get(name, 0) for name in queries),
        small=tuple(name for name, n in queries.items() if n and gallery.get(name, 0) < CUTOFF),
        value=best / (asked * CUTOFF),
    )


Files = Mapping[Modality, Mapping[str, tuple[Path, ...]]]
Counts = Mapping[str, int]
_MANY: Mapping[Modality, str] = {"photo": "photos", "sketch": "sketches"}


@dataclass(frozen=True)
class Looks:
    """What is looked at beyond names and sizes of files."""

    decode: bool = False
    """Read every image as a run does."""
    duplicates: bool = False
    """Compare contents."""


@dataclass(frozen=True)
class Holding:
    """The images of one dataset and what is known of them before any file is opened."""

    name: str
    root: Path
    layouts: Mapping[str, str]
    """Where each kind of image lies, and whose layout that is."""
    files: Files
    """By modality and class, for the classes in use."""
    published: Mapping[Modality, int]
    """Published number of images of all classes, where there is one."""
    problems: tuple[Problem, ...]
    obstacles: tuple[str, ...]
    """Reasons why the classes in use cannot be opened, a line each."""
    divisions: Mapping[str, tuple[Counts, Counts]]
    """Queries and gallery photos by class, of each published way of choosing them."""
    least: Mapping[Modality, int] = field(default_factory=lambda: dict.fromkeys(MODALITIES, 2))
    """Images a class needs so that some can be held out and some remain."""
    spare: frozenset[str] = frozenset()
    """The classes in use that are alternative ones: nothing of theirs is held out."""
    notes: tuple[str, ...] = ()
    """What a run would say of the choice of classes, a line each."""


@dataclass(frozen=True)
class Condition:
    """A dataset examined."""

    name: str
    root: Path
    layouts: Mapping[str, str]
    """Where each kind of image lies, and whose layout that is."""
    counts: Mapping[Modality, Counts]
    """Images by class, for the classes in use."""
    published: Mapping[Modality, int]
    looks: Looks | None
    """None for a dataset whose files are compared with checksums as a whole."""
    problems: tuple[Problem, ...]
    """Of folders, names, counts and files."""
    obstacles: tuple[str, ...]
    ceilings: tuple[Ceiling, ...]
    """Of dfbench's own hold-out, then of those published."""
    notes: tuple[str, ...] = ()

    @property
    def usable(self) -> bool:
        """Whether `dfbench run` opens these classes as they are."""
        return not self.obstacles


def examined(holding: Holding, looks: Looks) -> Condition:
    """Look at the files of a dataset.

    Raises `InvalidInput` if contents are to be compared and a file goes away meanwhile.
    """
    every = [file for m in MODALITIES for group in holding.files[m].values() for file in group]
    faults = unreadable(list(dict.fromkeys(every)), decode=looks.decode)
    problems = [*holding.problems]
    problems += [
        Problem("unreadable", f"'{_shown(file, holding)}': {reason}", spoils=True)
        for file, reason in faults.items()
    ]
    obstacles = [*holding.obstacles, *_too_small(holding)]
    if faults:
        obstacles.append(
            f"{len(faults)} image files cannot be read: mend or remove them, or leave them out "
            "with dfbench run --skip-unreadable"
        )
    if looks.duplicates:
        problems += _doubles(holding, set(faults))
    counts = {m: {name: len(group) for name, group in holding.files[m].items()} for m in MODALITIES}
    return Condition(
        holding.name,
        holding.root,
        holding.layouts,
        counts,
        holding.published,
        looks,
        tuple(problems),
        tuple(obstacles),
        tuple(_ceilings(holding, counts)),
        holding.notes,
    )


def _shown(file: Path, holding: Holding) -> str:
    return file.relative_to(holding.root).as_posix()


def _too_small(holding: Holding) -> Iterator[str]:
    for modality, least in holding.least.items():
        groups = holding.files[modality].items()
        small = [c for c, group in groups if 0 < len(group) < least and c not in holding.spare]
        if small:
            there = (
                f"only one {modality}" if least == 2 else f"fewer than {least} {_MANY[modality]}"
            )
            yield (
                f"{len(small)} classes have {there}, too few to hold some out: {listed(small)}; "
                "add some, or choose others with --classes"
            )


def listed(names: list[str]) -> str:
    """The first five names, quoted."""
    return ", ".join(repr(name) for name in names[:5]) + (", ..." if names[5:] else "")


def _doubles(holding: Holding, faulty: set[Path]) -> Iterator[Problem]:
    for modality in MODALITIES:
        owners = {f: c for c, group in holding.files[modality].items() for f in group}
        for group in duplicates([file for file in owners if file not in faulty]):
            across = sorted({owners[file] for file in group})
            where = f"class {across[0]!r}" if len(across) == 1 else f"classes {listed(across)}"
            names = ", ".join(f"'{_shown(file, holding)}'" for file in group[:3])
            more = ", ..." if group[3:] else ""
            text = f"{len(group)} {modality} files of {where} have one content: {names}{more}"
            yield Problem("duplicates", text, spoils=False)


def _ceilings(holding: Holding, counts: Mapping[Modality, Counts]) -> Iterator[Ceiling]:
    parts = [
        {c: a_fifth(n) for c, n in counts[m].items() if c not in holding.spare} for m in MODALITIES
    ]
    divisions = {"fifth": (parts[1], parts[0]), **holding.divisions}
    for name, (queries, gallery) in divisions.items():
        if any(queries.values()):
            yield precision_ceiling(name, queries, gallery)


def a_fifth(images: int) -> int:
    """Size of the test part of a class of so many different images."""
    return len(held_out([str(i) for i in range(images)]) or ())
