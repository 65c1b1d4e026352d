"""Anybody's images: `PATH/photo/<class>/*` and `PATH/sketch/<class>/*`."""

from __future__ import annotations

from pathlib import Path

from dfbench.datasets.dataset import MODALITIES, Dataset, DatasetRequest
from dfbench.datasets.decoded_files import FileCollection, open_files
from dfbench.datasets.folder_classes import selected
from dfbench.datasets.folder_layout import class_folders, image_files
from dfbench.errors import InvalidInput


def open_folder(request: DatasetRequest) -> Dataset:
    """Open the images in `request.argument`, decoding them first if the cache does not hold them.

    Images of any size and any format Pillow reads; hidden files and files without an image suffix
    are ignored. A fifth of each class is the test part, chosen by contents (see `split.held_out`).
    The image size is chosen as in `open_files`.

    Raises `InvalidInput` for a folder that is missing, empty or too small, for classes that do
    not fit together, and, unless `request.skip_unreadable`, for an image that cannot be decoded;
    `UnknownName` for a class that is not there; `DiskFull` if the cache has no room.
    """
    if not request.argument:
        raise InvalidInput("dataset 'folder' needs a path: --dataset folder:PATH")
    if request.holdout != "fifth" or request.duplicate_photos:
        option = "--duplicate-photos" if request.duplicate_photos else "--holdout literature"
        raise InvalidInput(f"{option} asked of a folder: it is for published datasets; drop it")
    root = Path(request.argument).expanduser()
    folders = class_folders(root)
    selection = selected(folders, request)
    files = {
        (modality, name): image_files(folders[modality][name])
        for modality in MODALITIES
        for name in selection.benchmark + selection.alternative
    }
    collection = FileCollection(
        name=f"folder:{root.resolve().name}",
        root=root,
        files=files,
        benchmark=selection.benchmark,
        alternative=selection.alternative,
        notes=selection.notes,
    )
    return open_files(collection, request)
