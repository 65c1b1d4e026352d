"""Inventory of a dataset under a data root, and how to obtain missing parts. Opens no image."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dfbench.datasets.known.facts import Holds, PublishedCounts
from dfbench.datasets.known.layout import (
    ClassFiles,
    Found,
    Problem,
    archives,
    class_files,
    recognised,
)
from dfbench.datasets.known.variants import Variant, chosen_photos, variant
from dfbench.errors import InvalidInput
from dfbench.modality import MODALITIES, Modality

_KINDS: dict[Holds, str] = {"sketch": "sketches", "photo": "photos", "extended": "extended photos"}


def no_root(name: str, variant: Variant) -> InvalidInput:
    """The error for opening a published dataset without a data root."""
    return InvalidInput(
        f"dataset {name!r} needs the folder of its images: use --data-root PATH, set "
        f'DFBENCH_DATA, or add data-root = "PATH" to the configuration file '
        f"(see: dfbench run --help)\n"
        f"{guide(name, variant)}"
    )


def not_a_folder(name: str, variant: Variant, root: Path) -> InvalidInput:
    """The error for a data root that is a file or does not exist."""
    if root.is_file():
        return InvalidInput(
            f"data root '{root}' is a file: unpack it and pass the folder with its contents"
        )
    return InvalidInput(f"no folder '{root}' (--data-root)\n{guide(name, variant)}")


def nothing_found(
    name: str, variant: Variant, root: Path, missing: tuple[Holds, ...]
) -> InvalidInput:
    """The error for a data root without any images of one kind."""
    there = sorted(entry.name for entry in root.iterdir() if not entry.name.startswith("."))
    listed = ", ".join(there[:8]) + (", ..." if there[8:] else "")
    packed = archives(variant.known, root)
    hint = f"; unpack '{packed[0].relative_to(root)}' first" if packed else ""
    return InvalidInput(
        f"no {' and no '.join(_KINDS[kind] for kind in missing)} of {variant.name} in '{root}' "
        f"(it has: {listed or 'nothing'}{hint})\n{guide(name, variant)}"
    )


def guide(name: str, variant: Variant) -> str:
    """Where to download and unpack each part, and how to check it; one line each."""
    known = variant.known
    lines = [
        f"  {item.part}: {item.where}\n    unpack to PATH/{item.into}" for item in known.obtain
    ]
    homes = " or ".join(f"PATH/{home}" for home in known.homes[:1])
    for holds, kind in _KINDS.items():
        places = [
            f"{' + '.join(place.folders)} ({place.layout})"
            for place in known.place
            if place.holds == holds
        ]
        if places:
            lines.append(f"  {kind} may be in PATH or {homes} at: {'; '.join(places)}")
    lines.append(f"  to check the files: dfbench data verify {name} --data-root PATH")
    return "\n".join(lines)


@dataclass(frozen=True)
class Inventory:
    """The files found of a dataset."""

    variant: Variant
    root: Path
    places: Mapping[Holds, Found]
    """The place of each kind of image."""
    held: Mapping[Holds, Mapping[str, Sequence[Path]]]
    """All image files of each place by class, whether or not this variant uses them."""
    files: Mapping[Modality, Mapping[str, tuple[Path, ...]]]
    """Image files of the variant by class; empty for a class without folder or images."""
    problems: tuple[Problem, ...]
    """Problems with folders and file names; file contents are not checked."""
    duplicates: bool = False
    """Whether original photos count twice."""

    @property
    def published(self) -> tuple[PublishedCounts, ...]:
        """The published counts of the variant; original photos count twice if `duplicates`."""
        return self.variant.published(duplicates=self.duplicates)

    def count(self, modality: Modality, classes: Collection[str] | None = None) -> int:
        """Number of image files, of all classes or of `classes`."""
        return sum(
            len(group)
            for name, group in self.files[modality].items()
            if classes is None or name in classes
        )

    def absent(self, modality: Modality) -> tuple[str, ...]:
        """The classes without an image."""
        return tuple(name for name, group in self.files[modality].items() if not group)


def inventory(name: str, root: Path | None, *, duplicates: bool = False) -> Inventory:
    """Find the files of the published dataset `name` under the folder `root`.

    The layout is recognised by the location of class folders; sketches and photos may follow
    different layouts. With `duplicates`, original photos count twice (see `chosen_photos`).

    Raises `UnknownName` for a name that is not a published dataset; `InvalidInput` if the folder
    does not exist or cannot be read, if sketches or photos are missing or in two places, or if it
    lacks the photos of this variant.
    """
    wanted = variant(name)
    if root is None:
        raise no_root(name, wanted)
    root = root.expanduser()
    if not root.is_dir():
        raise not_a_folder(name, wanted, root)
    try:
        return _read(name, wanted, root, duplicates=duplicates)
    except OSError as fault:
        raise InvalidInput(
            f"'{fault.filename or root}' cannot be read ({fault.strerror or fault}): "
            "make it readable or use another --data-root"
        ) from fault


def _read(name: str, wanted: Variant, root: Path, *, duplicates: bool) -> Inventory:
    places = recognised(wanted.known, root)
    _check_kinds(name, wanted, root, places)
    read = {holds: class_files(wanted.known, found) for holds, found in places.items()}
    photos = chosen_photos(
        wanted,
        {holds: found.files for holds, found in read.items() if holds != "sketch"},
        root,
        duplicates=duplicates,
    )
    sketches = {c: tuple(group) for c, group in read["sketch"].files.items()}
    files: dict[Modality, dict[str, tuple[Path, ...]]] = {
        "photo": {c: photos.get(c, ()) for c in wanted.known.classes},
        "sketch": {c: sketches.get(c, ()) for c in wanted.known.classes},
    }
    problems = [problem for found in read.values() for problem in found.problems]
    problems += _absences(files, read)
    held = {holds: found.files for holds, found in read.items()}
    return Inventory(wanted, root, places, held, files, tuple(problems), duplicates)


def _check_kinds(name: str, wanted: Variant, root: Path, places: Mapping[Holds, Found]) -> None:
    missing: list[Holds] = [] if "sketch" in places else ["sketch"]
    if not {"photo", "extended"} & set(places):
        missing.append("photo")
    if missing:
        raise nothing_found(name, wanted, root, tuple(missing))


def _absences(
    files: Mapping[Modality, Mapping[str, tuple[Path, ...]]], read: Mapping[Holds, ClassFiles]
) -> list[Problem]:
    problems = []
    for modality in MODALITIES:
        folders = {
            name
            for holds, found in read.items()
            if (holds == "sketch") == (modality == "sketch")
            for name in found.files
        }
        for name, group in files[modality].items():
            if not group and name in folders:
                text = f"class {name!r} has a folder but no {modality} images in it"
                problems.append(Problem("empty class", text, spoils=False))
            elif not group:
                text = f"class {name!r} has no folder of {modality} images"
                problems.append(Problem("missing class", text, spoils=False))
    return problems
