"""The images of the user's own folder, and of a published dataset under a data root."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from dfbench.class_names import composed
from dfbench.datasets.condition.condition import Counts, Files, Holding, listed
from dfbench.datasets.dataset import DatasetRequest
from dfbench.datasets.folder.layout import Folders, class_folders, image_files
from dfbench.datasets.folder.opening import Selection, named_folder, selected
from dfbench.datasets.known.inventory import Inventory, inventory
from dfbench.datasets.known.layout import Problem
from dfbench.datasets.known.opening import chosen_holdout, named_classes
from dfbench.datasets.known.verification import (
    class_shortfalls,
    listed_but_missing,
    total_shortfalls,
)
from dfbench.errors import InvalidInput
from dfbench.modality import MODALITIES


def folder_holding(request: DatasetRequest) -> Holding:
    """The images of `folder:PATH`, with the options of `dfbench run`.

    Raises the exceptions of `named_folder` and `class_folders`, and `UnknownName` for a missing
    class.
    """
    root = named_folder(request)
    try:
        return _read(root, request)
    except OSError as fault:
        raise InvalidInput(
            f"'{fault.filename or root}' cannot be read ({fault.strerror or fault}): "
            "make it readable"
        ) from fault


def _read(root: Path, request: DatasetRequest) -> Holding:
    folders = class_folders(root)
    obstacles: list[str] = []
    chosen = _selected(folders, request, obstacles)
    classes = sorted((*chosen.benchmark, *chosen.alternative))
    files: Files = {
        modality: {
            name: _images(folders[modality][name], obstacles) if name in folders[modality] else ()
            for name in classes
        }
        for modality in MODALITIES
    }
    return Holding(
        name=f"folder:{composed(root.resolve().name)}",
        root=root,
        layouts={m: f"{m} (folder)" for m in MODALITIES},
        files=files,
        published={},
        problems=tuple(_ignored(folders, files)),
        obstacles=tuple(obstacles),
        divisions={},
        spare=frozenset(chosen.alternative),
        notes=chosen.notes,
    )


def _selected(folders: Folders, request: DatasetRequest, obstacles: list[str]) -> Selection:
    """The classes that a run would use; all if it would refuse the request."""
    try:
        return selected(folders, request)
    except InvalidInput as fault:
        obstacles.append(str(fault))
        return Selection(tuple(sorted(set().union(*folders.values()))), (), ())


def _images(folder: Path, obstacles: list[str]) -> tuple[Path, ...]:
    try:
        return tuple(image_files(folder))
    except InvalidInput as fault:
        obstacles.append(str(fault))
        return ()


def _ignored(folders: Folders, files: Files) -> Iterator[Problem]:
    for modality in MODALITIES:
        for name, group in files[modality].items():
            folder = folders[modality].get(name)
            entries = [] if folder is None else [e for e in folder.iterdir() if e.name[0] != "."]
            if len(entries) > len(group):
                text = f"'{folder}' has {len(entries) - len(group)} entries other than image files"
                yield Problem("ignored files", text, spoils=False)


def known_holding(name: str, request: DatasetRequest) -> Holding:
    """The images of the published dataset `name`, with the options of `dfbench run`.

    Raises the exceptions of `inventory` and `chosen_holdout`, and `UnknownName` for an unknown
    class.
    """
    found = inventory(name, request.root, duplicates=request.duplicate_photos)
    holdout = chosen_holdout(found, request)
    chosen = _chosen(found, request.classes)
    return Holding(
        name=found.variant.name,
        root=found.root,
        layouts={
            holds: f"{' + '.join(_below(found, folder) for folder in place.folders)} "
            f"({place.place.layout})"
            for holds, place in found.places.items()
        },
        files={m: {c: found.files[m][c] for c in chosen} for m in MODALITIES},
        published={count.modality: count.total for count in found.published},
        problems=(
            *found.problems,
            *listed_but_missing(found),
            *total_shortfalls(found),
            *class_shortfalls(found),
        ),
        obstacles=tuple(_obstacles(found, chosen)),
        divisions=dict(_divisions(found, chosen)),
        least={
            "photo": 1 if holdout.whole_gallery else 2,
            "sketch": 2 if holdout.queries is None else holdout.queries + 1,
        },
    )


def _below(found: Inventory, folder: Path) -> str:
    return folder.relative_to(found.root).as_posix()


def _chosen(found: Inventory, classes: tuple[str, ...] | None) -> tuple[str, ...]:
    if classes is None:
        return found.variant.known.classes
    if classes == ("all",):
        absent = {name for modality in MODALITIES for name in found.absent(modality)}
        return tuple(name for name in found.variant.known.classes if name not in absent)
    return named_classes(found, classes)


def _obstacles(found: Inventory, chosen: tuple[str, ...]) -> Iterator[str]:
    yield from (problem.text for problem in found.problems if problem.spoils)
    if len(chosen) < 2:
        yield f"{len(chosen)} classes with photos and sketches: a classifier needs two or more"
    for modality in MODALITIES:
        absent = [name for name in found.absent(modality) if name in chosen]
        if absent:
            yield (
                f"{len(absent)} of {len(chosen)} classes have no {modality}: {listed(absent)}; "
                "add the missing images, or use only the classes present with --classes all"
            )


def _divisions(
    found: Inventory, chosen: tuple[str, ...]
) -> Iterator[tuple[str, tuple[Counts, Counts]]]:
    known = found.variant.known
    sketches, photos = (
        {name: len(found.files[modality][name]) for name in chosen}
        for modality in ("sketch", "photo")
    )
    if known.holdout is not None:
        most = known.holdout.queries
        queries = {name: min(count, most) for name, count in sketches.items()}
        yield "literature", (queries, photos)
    for name, split in found.variant.splits().items() if chosen == known.classes else ():
        yield name, ({c: sketches[c] for c in split.unseen}, {c: photos[c] for c in split.unseen})
