"""Opening a published dataset from a data root."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from shlex import quote

from dfbench.datasets.dataset import ClassSplit, Dataset, DatasetRequest, check_classes
from dfbench.datasets.images.collection import FileCollection, open_files
from dfbench.datasets.known.inventory import Inventory, inventory
from dfbench.datasets.known.layout import Kind
from dfbench.datasets.known.verification import total_shortfalls
from dfbench.datasets.split import EVERYTHING, Holdout
from dfbench.errors import InvalidInput, unknown_name
from dfbench.modality import MODALITIES, Modality

_ALL = ("all",)
_PASSED_OVER: dict[Kind, str] = {
    "unknown folder": "places have folders that are not classes and are ignored",
    "ignored files": "class folders have entries other than images, which are ignored",
}


def open_known(request: DatasetRequest, *, name: str) -> Dataset:
    """Open the published dataset `name` from `request.root`, in any known layout.

    By default all published classes are benchmark classes; `request.classes` selects some of them,
    and `("all",)` selects those present. A fifth of each class is the test part, or, with the
    hold-out `literature`, the published number of sketches and every photo. The image size is
    chosen as in `open_files`.

    Raises the exceptions of `inventory` and `open_files`, and `InvalidInput` for class folders that
    cannot be read without loss, for a class without images, for fewer than two classes and for an
    unpublished hold-out.
    """
    found = inventory(name, request.root, duplicates=request.duplicate_photos)
    _check_folders(found)
    alternative = named_classes(found, request.alternative_classes or ())
    benchmark = _benchmark(found, request, alternative)
    _check_present(found, (*benchmark, *alternative))
    chosen = (*benchmark, *alternative)
    collection = FileCollection(
        name=found.variant.name,
        root=found.root,
        files={(m, c): found.files[m][c] for m in MODALITIES for c in chosen},
        benchmark=benchmark,
        alternative=alternative,
        holdout=chosen_holdout(found, request),
        twins=request.duplicate_photos,
        notes=_notes(found, request),
        splits=_splits(found, request, benchmark),
    )
    return open_files(collection, request)


open_sketchy: Callable[[DatasetRequest], Dataset] = partial(open_known, name="sketchy")
open_sketchy_ext: Callable[[DatasetRequest], Dataset] = partial(open_known, name="sketchy-ext")
open_tuberlin: Callable[[DatasetRequest], Dataset] = partial(open_known, name="tuberlin")
open_quickdraw: Callable[[DatasetRequest], Dataset] = partial(open_known, name="quickdraw")
open_pacs: Callable[[DatasetRequest], Dataset] = partial(open_known, name="pacs")


def _check_folders(found: Inventory) -> None:
    spoilt = [problem for problem in found.problems if problem.spoils]
    if spoilt:
        more = f" (and {len(spoilt) - 1} more such problems)" if spoilt[1:] else ""
        raise InvalidInput(f"{spoilt[0].text}{more}; {_check_command(found)}")


def named_classes(found: Inventory, names: tuple[str, ...]) -> tuple[str, ...]:
    """The classes that a user names, sorted. Raises `UnknownName` for an unknown class."""
    known = found.variant.known
    classes = []
    for name in names:
        meant = known.class_of(name)
        if meant is None:
            raise unknown_name(
                f"class of {found.variant.name}", name, known.classes, "dfbench list datasets"
            )
        classes.append(meant)
    return tuple(sorted(set(classes)))


def _benchmark(
    found: Inventory, request: DatasetRequest, alternative: tuple[str, ...]
) -> tuple[str, ...]:
    every = found.variant.known.classes
    if request.classes == _ALL:
        absent = {name for modality in MODALITIES for name in found.absent(modality)}
        classes = tuple(c for c in every if c not in absent)
    elif request.classes is None:
        classes = tuple(c for c in every if c not in alternative)
    else:
        classes = named_classes(found, request.classes)
    check_classes(found.variant.name, classes, alternative)
    return classes


def _check_present(found: Inventory, classes: tuple[str, ...]) -> None:
    for modality in MODALITIES:
        absent = [name for name in found.absent(modality) if name in classes]
        if absent:
            raise _incomplete(found, modality, absent, classes)


def _incomplete(
    found: Inventory, modality: Modality, absent: list[str], classes: tuple[str, ...]
) -> InvalidInput:
    listed = ", ".join(repr(name) for name in absent[:5]) + (", ..." if absent[5:] else "")
    strange = [problem.text for problem in found.problems if problem.kind == "unknown folder"]
    hint = f"; perhaps misspelt: {strange[0]}" if strange else ""
    return InvalidInput(
        f"{len(absent)} of {len(classes)} classes of {found.variant.name} have no {modality} in "
        f"'{found.root}': {listed}{hint}; add the missing images, or use only the classes present "
        f"with --classes all; {_check_command(found)}"
    )


def chosen_holdout(found: Inventory, request: DatasetRequest) -> Holdout:
    """The requested hold-out. Raises `InvalidInput` if none is published for the dataset."""
    if request.holdout == "fifth":
        return Holdout()
    if request.holdout == "all":
        return EVERYTHING
    published = found.variant.known.holdout
    if published is None:
        raise InvalidInput(
            f"--holdout literature: none is published for {found.variant.name}; "
            "allowed: --holdout fifth"
        )
    return Holdout(queries=published.queries, whole_gallery=True)


def _splits(
    found: Inventory, request: DatasetRequest, benchmark: tuple[str, ...]
) -> dict[str, ClassSplit]:
    if benchmark != found.variant.known.classes:
        return {}
    return found.variant.splits(duplicates=request.duplicate_photos)


def _notes(found: Inventory, request: DatasetRequest) -> tuple[str, ...]:
    layouts = sorted({place.place.layout for place in found.places.values()})
    notes = [f"{found.variant.known.title} read in the layout of {' and '.join(layouts)}"]
    if request.holdout == "literature":
        notes.append("hold-out of the literature: the photo teacher is trained on gallery photos")
    if request.duplicate_photos:
        notes.append("original photos of Sketchy counted twice, as in SAKE's file lists")
    if request.classes is None:
        notes += [problem.text for problem in total_shortfalls(found)]
    notes += [
        f"{count} {what} (see: dfbench data verify {found.variant.name})"
        for kind, what in _PASSED_OVER.items()
        if (count := sum(problem.kind == kind for problem in found.problems))
    ]
    return tuple(notes)


def _check_command(found: Inventory) -> str:
    return (
        f"to check: dfbench data verify {found.variant.name} --data-root {quote(str(found.root))}"
    )
