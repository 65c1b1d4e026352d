"""Downloading CIFAR-10 and the drawings: existing files are checked, missing ones fetched."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from dfbench.datasets.cifar_quickdraw.files import (
    check_photos,
    drawings,
    fetch_drawings,
    fetch_photos,
)
from dfbench.datasets.cifar_quickdraw.server import Server
from dfbench.datasets.cifar_quickdraw.source import SIDE, PublishedSource
from dfbench.errors import InvalidInput
from dfbench.system import console
from dfbench.system.locks import FileLock


@dataclass(frozen=True)
class FetchedFile:
    """One file of the dataset."""

    title: str
    file: Path
    length: int
    """Approximate size of the download in bytes."""
    check: Callable[[], object]
    """Raises `InvalidInput` if the file cannot be used."""
    fetch: Callable[[Server, console.Advance], None]


def pieces(source: PublishedSource, home: Path) -> tuple[FetchedFile, ...]:
    """The files of the dataset: the archive of photos, and drawings by class."""
    photos = FetchedFile(
        "CIFAR-10",
        source.archive(home),
        source.photos.length,
        partial(check_photos, source, home),
        partial(fetch_photos, source, home),
    )
    return (
        photos,
        *(
            FetchedFile(
                f"drawings of {shared.category!r}",
                source.bitmaps(home, shared),
                source.drawings.count * SIDE**2,
                partial(drawings, source, shared, home),
                partial(fetch_drawings, source, shared, home),
            )
            for shared in source.classes
        ),
    )


def fetch(source: PublishedSource, home: Path, server: Server) -> tuple[FetchedFile, ...]:
    """Fetch missing or damaged files into `home`; returns the files fetched.

    Only one process fetches at a time. Downloaded bytes are always kept, so that a later call
    resumes. Raises `FetchFault` if a server cannot be reached or sends something else, `FileFault`
    if `home` cannot be written to.
    """
    with FileLock(home / ".lock", f"another process is fetching into '{home}': waiting"):
        wanted = [piece for piece in pieces(source, home) if not _is_sound(piece)]
        for piece in wanted:
            with console.transfer(piece.title, piece.length) as advance:
                piece.fetch(server, advance)
    return tuple(wanted)


def _is_sound(piece: FetchedFile) -> bool:
    if not piece.file.exists():
        return False
    try:
        piece.check()
    except InvalidInput as fault:
        console.note(f"{fault}; fetching it again")
        return False
    return True


def missing(source: PublishedSource, home: Path) -> tuple[FetchedFile, ...]:
    """The files that are missing."""
    return tuple(piece for piece in pieces(source, home) if not piece.file.is_file())


def guide(source: PublishedSource, home: Path, command: str) -> Iterator[str]:
    """How to obtain the data, line by line: the command, or a manual download."""
    total = sum(piece.length for piece in pieces(source, home))
    categories = ", ".join(shared.category for shared in source.classes)
    yield f"  to download it once ({total / 1e6:.0f} MB): {command}"
    yield f"  or download these files manually into '{home}':"
    yield f"    {source.photos.url}"
    yield f"    {source.drawings.url}/<category>.npy of {categories}"
