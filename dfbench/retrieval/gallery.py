"""A gallery of a user's own photos, embedded once and indexed by content."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dfbench.class_names import encodable
from dfbench.datasets.folder.layout import is_image_name
from dfbench.datasets.images.decoding import READER, decoded
from dfbench.datasets.images.files import closed, named_digests
from dfbench.datasets.images.picture import UnreadableImageError
from dfbench.errors import InvalidInput
from dfbench.retrieval.gallery_cache import (
    Embedded,
    read_embedded,
    write_embedded,
    write_part,
)
from dfbench.retrieval.model import RetrievalModel
from dfbench.system import console
from dfbench.system.file_errors import file_fault
from dfbench.system.files import check_writable
from dfbench.system.machine import available_cores

_BATCH = 64
"""Photos per batch."""
_PART_PHOTOS = 512
"""Photos embedded between two writes: the most that a killed process loses."""
_PATIENCE = 2.0
"""Seconds before a progress bar is shown."""


@dataclass(frozen=True)
class Gallery:
    """The photos in a folder, with their embeddings."""

    root: Path
    names: tuple[str, ...]
    """Paths of readable photos relative to `root`, with slashes, sorted by folder and file."""
    embeddings: NDArray[np.float32]
    """`[len(names), D]`; read from disk on demand if nothing has changed since the last opening."""
    left_out: Mapping[Path, str]
    """Unreadable files, with the reason."""
    cached: Path
    """The file of the embeddings."""
    identity: str
    """A hash of the photos' contents, in order."""

    def __len__(self) -> int:
        return len(self.names)

    def file(self, index: int) -> Path:
        """A photo's file."""
        return self.root / self.names[index]


def open_gallery(root: Path, model: RetrievalModel, cache: Path) -> Gallery:
    """The images in a folder and its subfolders, embedded as photos.

    Hidden files and folders are ignored, and links to folders are not followed. Embeddings are
    cached in `cache` by encoder and content, so that only new or changed files are read and
    embedded. An interrupted call keeps all embeddings, a killed one all but the last part.

    Raises `InvalidInput` for a path that is not a folder or has no readable image, `FileFault` if
    the cache cannot be written to.
    """
    names = _image_names(root)
    place = cache / "galleries"
    key = blake2b(str(root.resolve()).encode(), digest_size=8).hexdigest()
    digests = named_digests(root, names, place / f"{key}.json")
    wanted = {digest: name for name, digest in digests.items() if digest is not None}
    store = place / f"{key}-{model.identity('photo')[:16]}-v{READER}.safetensors"
    embedded = _completed(read_embedded(store), root, wanted, model, store)
    kept, order, left_out = [], [], {}
    usable = encodable(str(root))
    for name, digest in digests.items():
        if digest in embedded.rows and usable and (name.isascii() or encodable(name)):
            kept.append(name)
            order.append(digest)
        else:
            known = embedded.faults.get(digest or "")
            left_out[root / name] = known or closed(root / name) or "cannot be opened"
    if not kept:
        file, reason = next(iter(left_out.items()))
        raise InvalidInput(
            f"none of the {len(names)} images in {str(root)!r} can be read (first: {file.name!r}: "
            f"{reason}); use another folder with --gallery"
        )
    if embedded.order != order:
        embedded = embedded.only(wanted).ordered(order)
        write_embedded(store, embedded)
    identity = blake2b("".join(order).encode(), digest_size=16).hexdigest()
    return Gallery(root, tuple(kept), embedded.matrix, left_out, store, identity)


def _image_names(root: Path) -> list[str]:
    if not root.is_dir():
        what = "is a file" if root.exists() else "does not exist"
        raise InvalidInput(f"gallery {str(root)!r} {what}; allowed: a folder of photos")
    found = []
    for folder, folders, files in os.walk(root, onerror=_tell_closed):
        folders[:] = [name for name in folders if not name.startswith(".")]
        inside = Path(folder).relative_to(root).parts
        found += [
            (*inside, name) for name in files if is_image_name(name) and not name.startswith(".")
        ]
    if not found:
        raise InvalidInput(
            f"no images in {str(root)!r} or its subfolders (suffixes such as .jpg, .png, .webp); "
            "use another folder with --gallery"
        )
    return ["/".join(parts) for parts in sorted(found)]


def _tell_closed(fault: OSError) -> None:
    told = file_fault(fault)
    if told is None:
        raise fault
    console.note(f"folder skipped: {told}")


def _completed(
    known: Embedded, root: Path, wanted: Mapping[str, str], model: RetrievalModel, store: Path
) -> Embedded:
    """The known embeddings completed with the missing ones, which are stored in parts."""
    missing = [digest for digest in wanted if digest not in known]
    if not missing:
        return known
    check_writable(store)
    fresh = Embedded()
    try:
        with (
            console.progress("embedding photos", len(missing), after=_PATIENCE) as advance,
            ThreadPoolExecutor(available_cores()) as pool,
        ):
            for start in range(0, len(missing), _BATCH):
                part = missing[start : start + _BATCH]
                _embed(part, [root / wanted[digest] for digest in part], model, fresh, pool)
                advance(len(part))
                if len(fresh) >= _PART_PHOTOS:
                    write_part(store, fresh)
                    known.update(fresh)
                    fresh = Embedded()
    finally:
        if len(fresh):
            write_part(store, fresh)
    known.update(fresh)
    return known


def _embed(
    digests: Sequence[str],
    files: Sequence[Path],
    model: RetrievalModel,
    known: Embedded,
    pool: ThreadPoolExecutor,
) -> None:
    """Add the embeddings of photos to `known`, or the reasons why they cannot be read."""
    images = []
    for digest, image in zip(digests, _decoded(files, model.about.image_size, pool), strict=True):
        if isinstance(image, str):
            known.faults[digest] = image
        else:
            images.append((digest, image))
    if images:
        rows = model.encode_photos(np.stack([image for _, image in images]))
        known.rows.update(zip((digest for digest, _ in images), rows, strict=True))


def _decoded(
    files: Sequence[Path], size: int, pool: ThreadPoolExecutor
) -> Iterator[NDArray[np.uint8] | str]:
    """The image in each file, or the reason why it cannot be read."""

    def image(file: Path) -> NDArray[np.uint8] | str:
        try:
            return decoded(file, size)
        except UnreadableImageError as fault:
            return str(fault)

    return pool.map(image, files)
