"""The condition of a dataset on disk: what is there, what is wrong, whether it can be used."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from dfbench.datasets.ceiling import Ceiling, precision_ceiling
from dfbench.datasets.dataset import MODALITIES, Modality
from dfbench.datasets.file_faults import duplicates, unreadable
from dfbench.datasets.known.class_folders import Problem
from dfbench.datasets.split import held_out

Files = Mapping[Modality, Mapping[str, tuple[Path, ...]]]
Counts = Mapping[str, int]


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


@dataclass(frozen=True)
class Condition:
    """A dataset examined."""

    holding: Holding
    looks: Looks
    problems: tuple[Problem, ...]
    """Of folders, names, counts and files."""
    obstacles: tuple[str, ...]
    ceilings: tuple[Ceiling, ...]
    """Of the hold-out `fifth`, then of those published."""

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
    obstacles = [*holding.obstacles, *_too_small(holding.files)]
    if faults:
        obstacles.append(
            f"{len(faults)} image files cannot be read: mend or remove them, or leave them out "
            "with dfbench run --skip-unreadable"
        )
    if looks.duplicates:
        problems += _doubles(holding, set(faults))
    return Condition(holding, looks, tuple(problems), tuple(obstacles), tuple(_ceilings(holding)))


def _shown(file: Path, holding: Holding) -> str:
    return file.relative_to(holding.root).as_posix()


def _too_small(files: Files) -> Iterator[str]:
    for modality in MODALITIES:
        lone = [name for name, group in files[modality].items() if len(group) == 1]
        if lone:
            yield (
                f"{len(lone)} classes have only one {modality}, of which none can be held out: "
                f"{listed(lone)}; add some, or choose others with --classes"
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


def _ceilings(holding: Holding) -> Iterator[Ceiling]:
    counts = {m: {name: len(group) for name, group in holding.files[m].items()} for m in MODALITIES}
    fifth = tuple({c: _fifth(n) for c, n in counts[m].items()} for m in ("sketch", "photo"))
    divisions = {"fifth": (fifth[0], fifth[1]), **holding.divisions}
    for name, (queries, gallery) in divisions.items():
        if any(queries.values()):
            yield precision_ceiling(name, queries, gallery)


def _fifth(images: int) -> int:
    """Size of the test part of a class of so many different images."""
    return len(held_out([str(i) for i in range(images)]) or ())
