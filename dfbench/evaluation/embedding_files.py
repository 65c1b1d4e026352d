"""Embeddings with labels from files: `.npy`, `.npz` and `.safetensors`, memory-mapped.

`.npz` and `.safetensors` contain `embeddings` [N, D] and `labels` [N]; a `.npy` contains only the
embeddings, and a second `.npy` the labels. A compressed `.npz` cannot be mapped and is loaded.
Pickled objects are never loaded.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from dfbench.errors import InvalidInput
from dfbench.evaluation.ranking.inputs import Array

_AnyArray: TypeAlias = npt.NDArray[Any]

_LOCAL_HEADER = 30
"""Size in bytes of a zip entry's local header, without its name."""


@dataclass(frozen=True)
class LabelledEmbeddings:
    """One side of a retrieval: one embedding and one label per image."""

    embeddings: Array
    labels: Array


def read_embeddings(path: Path, labels: Path | None = None) -> LabelledEmbeddings:
    """Open a file of embeddings; `labels` is a `.npy` that replaces the file's own labels.

    Raises `InvalidInput` for a missing or unreadable file, another extension or missing arrays.
    """
    arrays = _opened(path)
    if labels is not None:
        arrays["labels"] = _opened(labels)["embeddings"]
    missing = [name for name in ("embeddings", "labels") if name not in arrays]
    if missing:
        raise InvalidInput(
            f"{path} has no {' and no '.join(missing)} (it has: {', '.join(sorted(arrays))});"
            " allowed: arrays named embeddings and labels; save them so, or give the labels as a"
            " separate .npy (--query-labels, --gallery-labels)"
        )
    return LabelledEmbeddings(arrays["embeddings"], arrays["labels"])


def _opened(path: Path) -> dict[str, Array]:
    if path.suffix not in _READERS:
        raise InvalidInput(
            f"{path} ends in {path.suffix!r}; allowed: {', '.join(sorted(_READERS))};"
            " save the embeddings with numpy.savez(path, embeddings=..., labels=...)"
        )
    if not path.is_file():
        raise InvalidInput(f"{path} is not a file; allowed: a file of embeddings; check the path")
    try:
        return _READERS[path.suffix](path)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as fault:
        reason = str(fault).splitlines()[0] if str(fault) else type(fault).__name__
        raise InvalidInput(
            f"{path} cannot be read ({reason}); allowed: numbers and strings, no pickled objects;"
            " save it again"
        ) from fault


def _read_npy(path: Path) -> dict[str, Array]:
    # Copy-on-write, because torch warns about read-only memory.
    return {"embeddings": np.load(path, mmap_mode="c", allow_pickle=False)}


def _read_npz(path: Path) -> dict[str, Array]:
    with zipfile.ZipFile(path) as archive:
        entries = {entry.filename.removesuffix(".npy"): entry for entry in archive.infolist()}
        return {
            name: _mapped(path, entry)
            if entry.compress_type == zipfile.ZIP_STORED
            else _unpacked(archive, entry)
            for name, entry in entries.items()
        }


def _mapped(path: Path, entry: zipfile.ZipInfo) -> _AnyArray:
    with path.open("rb") as file:
        file.seek(entry.header_offset)
        header = file.read(_LOCAL_HEADER)
        name, extra = (int.from_bytes(header[at : at + 2], "little") for at in (26, 28))
        file.seek(entry.header_offset + _LOCAL_HEADER + name + extra)
        version = np.lib.format.read_magic(file)
        read = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }[version]
        shape, fortran, dtype = read(file)
        if dtype.hasobject:
            raise ValueError("Object arrays cannot be loaded")
        if 0 in shape:
            return np.empty(shape, dtype)
        start = file.tell()
    if fortran:
        return np.memmap(path, dtype, mode="c", offset=start, shape=shape, order="F")
    return np.memmap(path, dtype, mode="c", offset=start, shape=shape)


def _unpacked(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> _AnyArray:
    with archive.open(entry) as file:
        return np.asarray(np.lib.format.read_array(file, allow_pickle=False))


def _read_safetensors(path: Path) -> dict[str, Array]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no iter
    except SafetensorError as fault:
        raise ValueError(str(fault)) from fault


_READERS: dict[str, Callable[[Path], dict[str, Array]]] = {
    ".npy": _read_npy,
    ".npz": _read_npz,
    ".safetensors": _read_safetensors,
}
