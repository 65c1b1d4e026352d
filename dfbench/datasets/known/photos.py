"""Which photo files a variant consists of: the original ones, the added ones, or both twice."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from dfbench.datasets.known.facts import Holds
from dfbench.datasets.known.variants import Variant
from dfbench.errors import InvalidInput

Files = Mapping[str, list[Path]]


def chosen_photos(
    variant: Variant, places: Mapping[Holds, Files], root: Path, *, duplicates: bool
) -> dict[str, tuple[Path, ...]]:
    """The photo files of a variant by class, from the places that hold photos.

    The folder of extended photos, as it was published, contains the original photos too: it is
    the whole extended set, and original photos are added only to classes that lack them. With
    `duplicates` they are added although it has them, as the lists of SAKE and its descendants do.

    Raises `InvalidInput` if the extended set, or a second copy of the original photos, is asked
    for and not there.
    """
    prefix = variant.known.extended.prefix if variant.known.extended else None
    original = places.get("photo", {})
    extended = places.get("extended", {})
    if duplicates:
        _check_copies(variant, prefix, original, extended, root)
        return _joined(extended, original)
    if prefix is None:
        return _joined(original)
    if not variant.extended:
        return _joined(_without(prefix, original if original else extended))
    if not extended:
        return _joined(_with_added(variant, prefix, original, root))
    complete = {name for name, group in _without(prefix, extended).items() if group}
    lacking = {c: group for c, group in _without(prefix, original).items() if c not in complete}
    return _joined(extended, lacking)


def _joined(*parts: Files) -> dict[str, tuple[Path, ...]]:
    names = sorted({name for part in parts for name in part})
    return {name: tuple(file for part in parts for file in part.get(name, ())) for name in names}


def _without(prefix: str, files: Files) -> dict[str, list[Path]]:
    return {
        name: [file for file in group if not file.name.startswith(prefix)]
        for name, group in files.items()
    }


def _with_added(variant: Variant, prefix: str, files: Files, root: Path) -> Files:
    if not any(file.name.startswith(prefix) for file in _all(files)):
        raise InvalidInput(
            f"'{root}' has the original photos of {variant.dataset} but none of the added ones "
            f"({prefix}*): add them in one of the layouts, or use --dataset {variant.dataset}"
        )
    return files


def _check_copies(
    variant: Variant, prefix: str | None, original: Files, extended: Files, root: Path
) -> None:
    if prefix is None or not variant.extended:
        raise InvalidInput(
            f"--duplicate-photos asked of '{variant.name}': only sketchy-ext is published with "
            "photos counted twice; leave the option out"
        )
    if not original or not any(_without(prefix, extended).values()):
        raise InvalidInput(
            f"'{root}' has no second copy of the original photos, which --duplicate-photos asks "
            "for: keep them beside the extended ones (256x256/photo/...), or leave the option out"
        )


def _all(files: Files) -> Iterable[Path]:
    return (file for group in files.values() for file in group)
