"""The images of a folder: their order and their split into parts."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from dfbench.datasets.split import A_FIFTH, Holdout, held_out
from dfbench.errors import InvalidInput
from dfbench.modality import Modality

Role = Literal["train", "test", "alternative"]


@dataclass(frozen=True)
class ImageFile:
    """One image file."""

    file: Path
    digest: str
    """Hash of the file's bytes."""
    twin: str | None = None
    """Hash of the photo that this one is a copy of; both stay in the same part."""

    @property
    def group(self) -> str:
        """Equal for copies of the same image."""
        return self.twin or self.digest


@dataclass(frozen=True)
class FolderImages:
    """All images in use."""

    root: Path
    benchmark: tuple[str, ...]
    alternative: tuple[str, ...]
    items: Mapping[tuple[Modality, str], tuple[ImageFile, ...]]
    """By modality and class, in hash order, so that renaming a file does not change its place."""
    size: int
    """Height and width of decoded images in pixels."""
    holdout: Holdout = A_FIFTH

    def files(self) -> dict[str, Path]:
        """One file per distinct content, by hash."""
        return {item.digest: item.file for group in self.items.values() for item in group}

    def digests(self, modality: Modality) -> list[str]:
        """Hashes of all images of a modality."""
        return [
            item.digest for (of, _), group in self.items.items() if of == modality for item in group
        ]

    def without(self, digests: Collection[str]) -> FolderImages:
        """The same images without those of these hashes."""
        gone = set(digests)
        kept = {
            place: tuple(item for item in items if item.digest not in gone)
            for place, items in self.items.items()
        }
        return replace(self, items=kept)

    def contents(self) -> list[object]:
        """Everything that determines the images seen, as JSON without paths or file names."""
        rows = [
            [modality, name, [item.digest for item in items]]
            for (modality, name), items in sorted(self.items.items())
        ]
        twins = {
            item.digest: item.twin for group in self.items.values() for item in group if item.twin
        }
        division: list[object] = [] if self.holdout == A_FIFTH else [self.holdout.terms]
        division += [sorted(twins.items())] if twins else []
        return [self.size, self.benchmark, self.alternative, rows, *division]

    def role(self, modality: Modality, role: Role) -> list[tuple[str, ImageFile]]:
        """Class and image of one part, in order. Raises `InvalidInput` if a class is too small."""
        classes = self.alternative if role == "alternative" else self.benchmark
        return [(name, item) for name in classes for item in self._chosen(modality, name, role)]

    def _chosen(self, modality: Modality, name: str, role: Role) -> list[ImageFile]:
        items = self.items[modality, name]
        if self.holdout.everything and role != "alternative":
            return list(items) if role == "test" else []
        whole = self.holdout.whole_gallery and modality == "photo"
        if (role == "alternative" or whole) and items:
            return list(items)
        wanted = self.holdout.queries if modality == "sketch" else None
        test = held_out([item.group for item in items], wanted)
        if test is None:
            least = "two distinct ones" if wanted is None else f"{wanted + 1}"
            raise InvalidInput(
                f"class {name!r} has too few distinct readable images in {modality}/ to hold out "
                f"a test part ({len(items)} files, at least {least} required): "
                "add some, or leave the class out with --classes"
            )
        return [item for item in items if (item.group in test) == (role == "test")]
