"""The published datasets by their `--dataset` names, and their photo sets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from dfbench.datasets.dataset import ClassSplit
from dfbench.datasets.known.facts import Holds, KnownDataset, PublishedCounts, known_dataset
from dfbench.errors import InvalidInput, unknown_name


@dataclass(frozen=True)
class Variant:
    """A published dataset with one of its photo sets."""

    name: str
    """Name in records, e.g. `sketchy-ext`."""
    dataset: str
    """Name of its data file."""
    extended: bool = False
    """Whether it includes the added photos, if the dataset distinguishes them from originals."""

    @property
    def known(self) -> KnownDataset:
        """The facts about its dataset."""
        return known_dataset(self.dataset)

    def published(self, *, duplicates: bool = False) -> tuple[PublishedCounts, ...]:
        """The published counts of this variant, optionally with the original photos twice."""
        counts = tuple(count for count in self.known.published if self.name in count.of)
        if not duplicates:
            return counts
        original = Variant(self.dataset, self.dataset).published()
        again = {count.modality: count for count in original if count.modality == "photo"}
        return tuple(
            count.twice(again[count.modality]) if count.modality in again else count
            for count in counts
        )

    def splits(self, *, duplicates: bool = False) -> dict[str, ClassSplit]:
        """The named class splits, with the sizes published for this variant."""
        return {
            split.name: ClassSplit(
                name=split.name,
                seen=tuple(name for name in self.known.classes if name not in split.unseen),
                unseen=split.unseen,
                source=split.source,
                queries=split.queries,
                gallery=(split.gallery_with_duplicates if duplicates else split.gallery).get(
                    self.name
                ),
            )
            for split in self.known.split
        }


VARIANTS = {
    "sketchy": Variant("sketchy", "sketchy"),
    "sketchy-ext": Variant("sketchy-ext", "sketchy", extended=True),
    "tuberlin": Variant("tuberlin", "tuberlin"),
    "tuberlin-ext": Variant("tuberlin", "tuberlin"),
    "quickdraw": Variant("quickdraw", "quickdraw"),
    "quickdraw-ext": Variant("quickdraw", "quickdraw"),
    "pacs": Variant("pacs", "pacs"),
}
"""By `--dataset` name. TU-Berlin and QuickDraw have only the photos of their Extended set."""


def variant(name: str) -> Variant:
    """The variant of this name. Raises `UnknownName`."""
    if name not in VARIANTS:
        raise unknown_name("published dataset", name, VARIANTS, "dfbench list datasets")
    return VARIANTS[name]


Files = Mapping[str, list[Path]]


def chosen_photos(
    variant: Variant, places: Mapping[Holds, Files], root: Path, *, duplicates: bool
) -> dict[str, tuple[Path, ...]]:
    """The photo files of a variant by class, from the places that hold photos.

    The published folder of extended photos also contains the original photos. It is the complete
    extended set, and original photos are added only to classes that lack them. With `duplicates`
    they are always added, as in the file lists of SAKE and the methods that reuse them.

    Raises `InvalidInput` if the extended set, or a second copy of the original photos, is requested
    but missing.
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
            f"'{root}' has the original photos of {variant.dataset} but none of the added photos "
            f"({prefix}*): add them in one of the layouts, or use --dataset {variant.dataset}"
        )
    return files


def _check_copies(
    variant: Variant, prefix: str | None, original: Files, extended: Files, root: Path
) -> None:
    if prefix is None or not variant.extended:
        raise InvalidInput(
            f"--duplicate-photos does not apply to '{variant.name}': only sketchy-ext is published "
            "with photos counted twice; remove the option"
        )
    if not original or not any(_without(prefix, extended).values()):
        raise InvalidInput(
            f"'{root}' has no second copy of the original photos, which --duplicate-photos "
            "requires: add them in 256x256/photo/..., or remove the option"
        )


def _all(files: Files) -> Iterable[Path]:
    return (file for group in files.values() for file in group)
