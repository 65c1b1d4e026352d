"""The layout of an image folder: `photo/<class>/*` and `sketch/<class>/*`."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from PIL import Image

from dfbench.class_names import composed
from dfbench.errors import InvalidInput
from dfbench.modality import MODALITIES, Modality

Folders = dict[Modality, dict[str, Path]]
_ARCHIVES = frozenset({".zip", ".7z", ".rar", ".tar", ".gz", ".tgz", ".bz2", ".xz"})


def class_folders(root: Path) -> Folders:
    """Class folders of both modalities by composed name; hidden folders are ignored.

    Raises `InvalidInput` if `root` or one of its modality folders does not exist, for broken links
    or packed archives among the class folders, and for two folders whose names differ only in
    Unicode form.
    """
    if root.is_file():
        raise InvalidInput(
            f"'{root}' is a file: unpack it and pass the folder that contains photo/<class>/* and "
            "sketch/<class>/*"
        )
    if not root.is_dir():
        raise InvalidInput(
            f"no folder '{root}'; allowed: a folder with photo/<class>/* and sketch/<class>/*"
        )
    found: Folders = {}
    for modality in MODALITIES:
        folder = root / modality
        if not folder.is_dir():
            raise _no_modality(root, modality)
        entries = [entry for entry in folder.iterdir() if not entry.name.startswith(".")]
        _check_entries(entries)
        found[modality] = _by_name([entry for entry in entries if entry.is_dir()])
    return found


def _by_name(folders: list[Path]) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for folder in sorted(folders):
        first = found.setdefault(composed(folder.name), folder)
        if first != folder:
            raise InvalidInput(
                f"'{folder.parent}' contains class {composed(folder.name)!r} twice, as "
                f"{first.name!a} and as {folder.name!a}, two Unicode forms of the same name: "
                "move all images into one of them"
            )
    return found


def _no_modality(root: Path, modality: Modality) -> InvalidInput:
    there = ", ".join(sorted(entry.name for entry in root.iterdir() if entry.is_dir()))
    packed = [e.name for e in sorted(root.glob(f"{modality}.*")) if is_archive(e)]
    remedy = f"unpack '{packed[0]}'" if packed else "put its images"
    return InvalidInput(
        f"folder '{root}' has no '{modality}' (it has: {there or 'no folders'}): "
        f"{remedy} into '{root / modality}/<class>/'"
    )


def _check_entries(entries: list[Path]) -> None:
    unpacked = {entry.name for entry in entries if entry.is_dir()}
    for entry in sorted(entries):
        if leads_nowhere(entry):
            raise InvalidInput(f"'{entry}' is a broken or circular link: fix or remove it")
        if is_archive(entry) and unpacked_name(entry) not in unpacked:
            raise InvalidInput(f"'{entry}' is an archive: unpack it, or move it elsewhere")


def is_archive(entry: Path) -> bool:
    """Whether this is an archive file such as `photos.zip`."""
    return entry.suffix.lower() in _ARCHIVES and entry.is_file()


def unpacked_name(archive: Path) -> str:
    """The name without `.zip`, `.tar.gz` and the like."""
    return archive.stem.removesuffix(".tar")


def leads_nowhere(entry: Path) -> bool:
    """Whether this is a broken or circular link."""
    return entry.is_symlink() and not entry.exists()


def image_files(folder: Path) -> list[Path]:
    """Image files of one class folder, by name.

    A file is an image if Pillow can read the format of its suffix (in upper or lower case) and its
    name does not start with a dot. Other files and folders are ignored. Raises `InvalidInput` if
    there are no images.
    """
    files = sorted(
        entry
        for entry in folder.iterdir()
        if is_image_name(entry.name) and not entry.name.startswith(".") and not entry.is_dir()
    )
    if not files:
        raise InvalidInput(
            f"no images in '{folder}' (suffixes such as .jpg, .png, .webp): "
            "add some, or leave the class out with --classes"
        )
    return files


def is_image_name(name: str) -> bool:
    """Whether Pillow can read the format of the suffix, in upper or lower case."""
    stem, dot, suffix = name.rpartition(".")
    return bool(stem) and dot + suffix.lower() in _suffixes()


@cache
def _suffixes() -> frozenset[str]:
    known = Image.registered_extensions()
    return frozenset(suffix for suffix, kind in known.items() if kind in Image.OPEN)
