"""Opening an image folder: `PATH/photo/<class>/*` and `PATH/sketch/<class>/*`."""

from __future__ import annotations

from pathlib import Path

from dfbench.class_names import composed
from dfbench.datasets.choices import check_place, check_unpublished
from dfbench.datasets.dataset import Dataset, DatasetRequest
from dfbench.datasets.folder.classes import selected
from dfbench.datasets.folder.layout import class_folders, image_files
from dfbench.datasets.images.collection import FileCollection, open_files
from dfbench.datasets.split import A_FIFTH, EVERYTHING
from dfbench.errors import InvalidInput
from dfbench.modality import MODALITIES

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
