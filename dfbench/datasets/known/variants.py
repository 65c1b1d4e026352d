"""The names that `--dataset` takes for the published datasets."""

from __future__ import annotations

from dataclasses import dataclass

from dfbench.datasets.dataset import ClassSplit
from dfbench.datasets.known.facts import KnownDataset, Published, known_dataset
from dfbench.errors import unknown_name


@dataclass(frozen=True)
class Variant:
    """A published dataset with one of its sets of photos."""

    name: str
    """Name in records, e.g. `sketchy-ext`."""
    dataset: str
    """Name of its data file."""
    extended: bool = False
    """Whether the added photos belong to it, where original photos can be told from them."""

    @property
    def known(self) -> KnownDataset:
        """What is known of it."""
        return known_dataset(self.dataset)

    def published(self, *, duplicates: bool = False) -> tuple[Published, ...]:
        """The counts published of this variant, with the original photos twice if asked for."""
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
        """The named divisions of its classes, with the sizes published for this variant."""
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
"""By the name a user gives. TU-Berlin and QuickDraw have no photos but the Extended set's."""


def variant(name: str) -> Variant:
    """The variant of this name. Raises `UnknownName`."""
    if name not in VARIANTS:
        raise unknown_name("published dataset", name, VARIANTS, "dfbench list datasets")
    return VARIANTS[name]
