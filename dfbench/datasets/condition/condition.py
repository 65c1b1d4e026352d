"""The condition of a dataset on disk: its files, its problems and whether it can be used."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dfbench.datasets.images.files import duplicates, unreadable
from dfbench.datasets.known.layout import Problem
from dfbench.datasets.split import held_out
from dfbench.modality import MODALITIES, Modality

CUTOFF = 200
"""The k of the literature's P@200."""


@dataclass(frozen=True)
class Ceiling:
    """The best possible P@200 of one split of the images."""

    division: str
    """The choice of queries and gallery, e.g. `fifth` or `T30-PCYC`."""
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
    """Checks beyond the names and sizes of files."""

    decode: bool = False
    """Decode every image as in a run."""
    duplicates: bool = False
    """Compare file contents."""


@dataclass(frozen=True)
class Holding:
    """The images of one dataset and the facts known before any file is opened."""

    name: str
    root: Path
    layouts: Mapping[str, str]
    """Location and layout of each kind of image."""
    files: Files
    """By modality and class, for the classes in use."""
    published: Mapping[Modality, int]
    """Published number of images of all classes, if known."""
    problems: tuple[Problem, ...]
    obstacles: tuple[str, ...]
    """Reasons why the classes in use cannot be opened, one line each."""
    divisions: Mapping[str, tuple[Counts, Counts]]
    """Queries and gallery photos by class, for each published split."""
    least: Mapping[Modality, int] = field(default_factory=lambda: dict.fromkeys(MODALITIES, 2))
    """Fewest images per class that leave both a training and a test part."""
    spare: frozenset[str] = frozenset()
    """Alternative classes among those in use, of which no image is held out."""
    notes: tuple[str, ...] = ()
    """Notes that a run would print about the choice of classes, one line each."""


@dataclass(frozen=True)
class Condition:
    """The result of checking a dataset."""

    name: str
    root: Path
    layouts: Mapping[str, str]
    """Location and layout of each kind of image."""
    counts: Mapping[Modality, Counts]
    """Images by class, for the classes in use."""
    published: Mapping[Modality, int]
    looks: Looks | None
    """None for a dataset whose files are all compared with checksums."""
    problems: tuple[Problem, ...]
    """Problems with folders, names, counts and files."""
    obstacles: tuple[str, ...]
    ceilings: tuple[Ceiling, ...]
    """For dfbench's own hold-out, then for the published ones."""
    notes: tuple[str, ...] = ()

    @property
    def usable(self) -> bool:
        """Whether `dfbench run` opens these classes as they are."""
        return not self.obstacles


def examined(holding: Holding, looks: Looks) -> Condition:
    """Check the files of a dataset.

    Raises `InvalidInput` if file contents are compared and a file disappears meanwhile.
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
            f"{len(faults)} image files cannot be read: repair or remove them, or skip them with "
            "dfbench run --skip-unreadable"
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
            text = f"{len(group)} {modality} files of {where} are identical: {names}{more}"
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
    """Size of the test part of a class with this number of distinct images."""
    return len(held_out([str(i) for i in range(images)]) or ())
