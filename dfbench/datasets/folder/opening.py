"""Opening an image folder, `PATH/photo/<class>/*` and `PATH/sketch/<class>/*`, with its classes."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path

from dfbench.class_names import composed, name_error, normalised
from dfbench.datasets.dataset import Dataset, DatasetRequest, check_place, check_unpublished
from dfbench.datasets.folder.layout import Folders, class_folders, image_files
from dfbench.datasets.images.collection import FileCollection, open_files
from dfbench.datasets.split import A_FIFTH, EVERYTHING
from dfbench.errors import InvalidInput, unknown_name
from dfbench.modality import MODALITIES


@dataclass(frozen=True)
class ClassList:
    """The split of one known set of class folders; a file in `class_lists/`."""

    name: str
    """The stem of its file."""
    source: str
    """Source of the split."""
    folder: frozenset[str]
    """All class folders, in exact spelling, by which an image folder is recognised."""
    benchmark: tuple[str, ...]
    """Sorted; part of `folder`."""
    alternative: tuple[str, ...]
    """Sorted; part of `folder`, disjoint from `benchmark`."""


@cache
def packaged_lists() -> tuple[ClassList, ...]:
    """All class lists packaged with dfbench, by name."""
    texts = {
        entry.name: entry.read_text(encoding="utf-8")
        for entry in files("dfbench.datasets.folder").joinpath("class_lists").iterdir()
        if entry.name.endswith(".toml")
    }
    return tuple(_parsed(texts[name]) for name in sorted(texts))


def matching(classes: Iterable[str]) -> ClassList | None:
    """The list whose folders are exactly these classes, or None."""
    found = frozenset(classes)
    return next((known for known in packaged_lists() if known.folder == found), None)


def _parsed(text: str) -> ClassList:
    table = tomllib.loads(text)
    return ClassList(
        table["name"],
        table["source"],
        frozenset(table["folder"]),
        tuple(sorted(table["benchmark"])),
        tuple(sorted(table["alternative"])),
    )


_ALL = ("all",)


@dataclass(frozen=True)
class Selection:
    """Classes in use, each in both modalities."""

    benchmark: tuple[str, ...]
    """Sorted; at least two."""
    alternative: tuple[str, ...]
    """Sorted; shares no normalised name with `benchmark`."""
    notes: tuple[str, ...]


def selected(folders: Folders, request: DatasetRequest) -> Selection:
    """The requested classes; by default those of a packaged class list, or all.

    A list is applied if it has exactly the folder's classes and `request.classes` is None.
    Raises `InvalidInput` for a name that cannot be encoded or contains an invisible character, for
    a class in only one modality, for a benchmark class that is also an alternative class, and for
    fewer than two classes; `UnknownName` for a class that does not exist.
    """
    notes: tuple[str, ...] = ()
    asked = _composed(request.classes)
    alternative = _composed(request.alternative_classes)
    names = _names(folders)
    known = matching(names) if asked is None and not _lonely(folders, names) else None
    if known is not None:
        benchmark = known.benchmark
        alternative = known.alternative if alternative is None else alternative
        notes = (
            f"class list {known.name} applied: {len(benchmark)} benchmark and "
            f"{len(alternative)} alternative of {len(names)} classes (--classes all: every class)",
        )
    elif asked in (None, _ALL):
        spare = set(alternative or ()) if asked is None else set()
        benchmark = tuple(name for name in names if name not in spare)
    else:
        benchmark = asked or ()
    chosen = Selection(tuple(sorted(set(benchmark))), tuple(sorted(set(alternative or ()))), notes)
    _check(chosen, folders)
    return chosen


def _composed(names: tuple[str, ...] | None) -> tuple[str, ...] | None:
    return None if names is None else tuple(composed(name) for name in names)


def _names(folders: Folders) -> list[str]:
    return sorted(set().union(*folders.values()))


def _lonely(folders: Folders, names: list[str] | tuple[str, ...]) -> list[str]:
    return [name for name in names if not all(name in folders[m] for m in MODALITIES)]


def _check(chosen: Selection, folders: Folders) -> None:
    names = _names(folders)
    for name in (*chosen.benchmark, *chosen.alternative):
        if name not in names:
            raise unknown_name("class", name, names, "the folders under photo/ and sketch/")
        if (error := name_error(name)) is not None:
            raise InvalidInput(
                f"class folder {name!a} cannot be a class: {error}; rename it, or leave it "
                "out with --classes"
            )
    lonely = _lonely(folders, (*chosen.benchmark, *chosen.alternative))
    if lonely:
        there, missing = MODALITIES if lonely[0] in folders["photo"] else MODALITIES[::-1]
        more = f" (and {len(lonely) - 1} more such classes)" if lonely[1:] else ""
        raise InvalidInput(
            f"class {lonely[0]!r} has a folder in {there}/ but none in {missing}/{more}: "
            "add it, or choose classes that have both with --classes"
        )
    if len(chosen.benchmark) < 2:
        raise InvalidInput(
            f"{len(chosen.benchmark)} benchmark classes: a classifier needs two or more; "
            f"there are: {', '.join(names) or 'none'} (see: --classes)"
        )
    _check_disjoint(chosen)


def _check_disjoint(chosen: Selection) -> None:
    taken: dict[str, str] = {}
    roles = ("benchmark", "alternative")
    for role, names in zip(roles, (chosen.benchmark, chosen.alternative), strict=True):
        for name in names:
            plain = normalised(name)
            if plain in taken:
                raise InvalidInput(
                    f"{role} class {name!r} is the same as {taken[plain]}: "
                    "leave one of the two out with --classes"
                )
            taken[plain] = f"{role} class {name!r}"


_ALL_TESTED = "every image is a test image: teachers must not have been trained on any of them"


def open_folder(request: DatasetRequest) -> Dataset:
    """Open the images in `request.argument`, decoding images that are not in the cache.

    Images may have any size and any format that Pillow reads; hidden files and files without an
    image suffix are ignored. A fifth of each class is the test part, chosen by content (see
    `split.held_out`), or, with the hold-out `all`, every image. The image size is chosen as in
    `open_files`.

    Raises `InvalidInput` for a folder that is missing, empty or too small, for an invalid choice of
    classes and, unless `request.skip_unreadable`, for an image that cannot be decoded;
    `UnknownName` for a class that does not exist; `FileFault` if the cache cannot be written to.
    """
    root = named_folder(request)
    folders = class_folders(root)
    selection = selected(folders, request)
    everything = request.holdout == "all"
    files = {
        (modality, name): image_files(folders[modality][name])
        for modality in MODALITIES
        for name in selection.benchmark + selection.alternative
    }
    collection = FileCollection(
        name=f"folder:{composed(root.resolve().name)}",
        root=root,
        files=files,
        benchmark=selection.benchmark,
        alternative=selection.alternative,
        holdout=EVERYTHING if everything else A_FIFTH,
        notes=(*selection.notes, _ALL_TESTED) if everything else selection.notes,
    )
    return open_files(collection, request)


def named_folder(request: DatasetRequest) -> Path:
    """The requested folder. Raises `InvalidInput` without one, and for inapplicable options."""
    if not request.argument:
        raise InvalidInput("dataset 'folder' needs a path: folder:PATH")
    if request.holdout != "all":
        check_unpublished("a folder", request)
    check_place(Path(request.argument))
    return Path(request.argument).expanduser()
