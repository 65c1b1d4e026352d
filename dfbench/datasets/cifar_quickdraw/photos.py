"""The archive of CIFAR-10: downloading, checking and reading it without executing pickled code."""

from __future__ import annotations

import pickle  # only for the restricted unpickler `_Batch`, which creates nothing but arrays
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import file_digest, md5
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dfbench.datasets.cifar_quickdraw.server import FetchFault, PartialFile, Server
from dfbench.datasets.cifar_quickdraw.source import PublishedSource
from dfbench.errors import InvalidInput
from dfbench.system.console import Advance
from dfbench.system.files import atomic_path

_TRAIN = tuple(f"data_batch_{i}" for i in range(1, 6))
_TEST = ("test_batch",)
_FOLDER = "cifar-10-batches-py"


@dataclass(frozen=True)
class Photos:
    """One part of CIFAR-10."""

    images: NDArray[np.uint8]
    """`[N, 3, 32, 32]`, in the order of the batches."""
    labels: NDArray[np.int64]
    """`[N]`, the class labels of CIFAR-10."""


def fetch_photos(source: PublishedSource, home: Path, server: Server, advance: Advance) -> None:
    """Fetch the archive and check it against the published checksum. Raises `FetchFault`."""
    target = source.archive(home)
    partial = PartialFile(target)
    advance(partial.size)
    server.pull(source.photos.url, partial, source.photos.length, advance)
    if _md5(partial.path) != source.photos.md5:
        size = partial.size
        partial.drop()
        raise FetchFault(
            f"{source.photos.url} sent {size} bytes whose checksum is not that of CIFAR-10 "
            f"(discarded): try again later, or download the file manually to '{target}'"
        )
    with atomic_path(target) as temporary:
        partial.path.replace(temporary)
    partial.drop()


def check_photos(source: PublishedSource, home: Path) -> None:
    """Raise `InvalidInput` if the archive is missing or differs from the published one."""
    file = source.archive(home)
    try:
        found = _md5(file)
    except OSError as fault:
        raise _unusable(file, fault.strerror or str(fault)) from fault
    if found != source.photos.md5:
        raise _unusable(file, f"MD5 {found}, published: {source.photos.md5}")


def photos(source: PublishedSource, home: Path) -> tuple[Photos, Photos]:
    """The original training and test part of CIFAR-10.

    Raises `InvalidInput` if the archive is missing or differs from the published one.
    """
    check_photos(source, home)
    try:
        with tarfile.open(source.archive(home)) as archive:
            return _part(archive, _TRAIN), _part(archive, _TEST)
    except (tarfile.TarError, pickle.UnpicklingError, KeyError) as fault:
        raise _unusable(source.archive(home), str(fault)) from fault


def _part(archive: tarfile.TarFile, names: tuple[str, ...]) -> Photos:
    batches = []
    for name in names:
        file = archive.extractfile(f"{_FOLDER}/{name}")
        if file is None:
            raise KeyError(f"{name} is not a file")
        batches.append(_Batch(file, encoding="latin1").load())
    return Photos(
        np.concatenate([batch["data"] for batch in batches]).reshape(-1, 3, 32, 32),
        np.concatenate([np.asarray(batch["labels"], np.int64) for batch in batches]),
    )


class _Batch(pickle.Unpickler):
    """Reads a batch pickled by Python 2: lists, strings and one array; calls nothing else."""

    def find_class(self, module: str, name: str) -> Callable[..., Any]:
        allowed: dict[tuple[str, str], Callable[..., Any]] = {
            ("numpy.core.multiarray", "_reconstruct"): _empty_array,
            ("numpy", "ndarray"): np.ndarray,
            ("numpy", "dtype"): np.dtype,
        }
        if (module, name) not in allowed:
            raise pickle.UnpicklingError(f"{module}.{name} in a batch of CIFAR-10")
        return allowed[module, name]


def _empty_array(kind: type[Any], shape: tuple[int, ...], dtype: str) -> NDArray[Any]:
    """An empty array for the unpickler to fill."""
    array: NDArray[Any] = np.ndarray.__new__(kind, shape, dtype)
    return array


def _md5(file: Path) -> str:
    with file.open("rb") as content:
        return file_digest(content, lambda: md5(usedforsecurity=False)).hexdigest()


def _unusable(file: Path, reason: str) -> InvalidInput:
    return InvalidInput(f"'{file}' cannot be used ({reason}): remove it and fetch it again")
