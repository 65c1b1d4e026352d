"""Contents of an image folder, for the classes that a user names."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from dfbench.class_names import composed
from dfbench.datasets.condition.condition import Files, Holding
from dfbench.datasets.dataset import DatasetRequest
from dfbench.datasets.folder.classes import Selection, selected
from dfbench.datasets.folder.layout import Folders, class_folders, image_files
from dfbench.datasets.folder.opening import named_folder
from dfbench.datasets.known.layout import Problem
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
    chosen = _chosen(folders, request, obstacles)
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


def _chosen(folders: Folders, request: DatasetRequest, obstacles: list[str]) -> Selection:
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
