"""Embeddings with labels from files: `.npy`, `.npz`, `.safetensors` and `.pt`.

`.npz`, `.safetensors` and `.pt` contain `embeddings` [N, D] and `labels` [N]; a `.npy`, or a `.pt`
of one tensor, contains only the embeddings, and another file the labels. Files are memory-mapped
where the format allows it: not in a compressed `.npz`. Pickled objects are never loaded.
"""

from __future__ import annotations

import csv
import pickle
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import torch

from dfbench.errors import InvalidInput
from dfbench.evaluation.label_files import FORMATS as LABEL_FORMATS
from dfbench.evaluation.label_files import file_and_column, label_array, read_label_file
from dfbench.evaluation.ranking.inputs import Array

_AnyArray: TypeAlias = npt.NDArray[Any]

_LOCAL_HEADER = 30
"""Size in bytes of a zip entry's local header, without its name."""


@dataclass(frozen=True)
class LabelledEmbeddings:
    """One side of a retrieval: one embedding and one label per image."""

    embeddings: Array
    labels: Array


def read_embeddings(path: Path | str, labels: Path | str | None = None) -> LabelledEmbeddings:
    """Open a file of embeddings; `labels` is a file that replaces the file's own labels.

    Labels are in a `.npy`, in the `labels` of a file of the other kinds, in the lines of a `.txt`,
    or in a column: `labels.csv:class`, `labels.parquet:class`. Raises `InvalidInput` for a missing
    or unreadable file, another extension or missing arrays, `UnknownName` for a missing column.
    """
    path = Path(path)
    arrays = _opened(path, _READERS, "embeddings")
    if labels is not None:
        arrays["labels"] = _labels(Path(labels))
    missing = [name for name in ("embeddings", "labels") if name not in arrays]
    if missing:
        raise InvalidInput(
            f"{path} has no {' and no '.join(missing)} (it has: {', '.join(sorted(arrays))});"
            " allowed: arrays named embeddings and labels; save them so, or give the labels in"
            " another file (--query-labels, --gallery-labels)"
        )
    return LabelledEmbeddings(arrays["embeddings"], arrays["labels"])


def _labels(given: Path) -> Array:
    path, column = file_and_column(given)
    readers: dict[str, _Reader] = {
        **_READERS,
        **dict.fromkeys(LABEL_FORMATS, lambda file: {"labels": read_label_file(file, column)}),
    }
    arrays = _opened(path, readers, "labels")
    found = arrays.get("labels", arrays.get("embeddings") if len(arrays) == 1 else None)
    if found is None:
        raise InvalidInput(
            f"{path} has no labels (it has: {', '.join(sorted(arrays))}); allowed: an array named"
            " labels; save it so"
        )
    return found


def _opened(path: Path, readers: Mapping[str, _Reader], what: str) -> dict[str, Array]:
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise InvalidInput(
            f"{path} ends in {path.suffix!r}; allowed: {', '.join(sorted(readers))};"
            f" save {what} with numpy.savez(path, embeddings=..., labels=...)"
        )
    if not path.is_file():
        raise InvalidInput(f"{path} is not a file; allowed: a file of {what}; check the path")
    try:
        return reader(path)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, csv.Error) as fault:
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


def _read_pt(path: Path) -> dict[str, Array]:
    try:
        content = torch.load(
            path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path) or None
        )
    except pickle.UnpicklingError as fault:
        raise ValueError(
            "it contains Python objects other than tensors, numbers, strings, lists and dicts"
        ) from fault
    except RuntimeError as fault:
        raise ValueError(str(fault)) from fault
    if isinstance(content, torch.Tensor):
        return {"embeddings": content.detach()}
    if isinstance(content, list | tuple):
        return {"labels": label_array(path, content)}
    if not isinstance(content, dict):
        raise ValueError(f"it contains a {type(content).__name__}")
    found: dict[str, Array] = {
        name: value.detach() for name, value in content.items() if isinstance(value, torch.Tensor)
    }
    if isinstance(content.get("labels"), list | tuple):
        found["labels"] = label_array(path, content["labels"])
    return found


_Reader: TypeAlias = Callable[[Path], dict[str, Array]]
_READERS: dict[str, _Reader] = {
    ".npy": _read_npy,
    ".npz": _read_npz,
    ".pt": _read_pt,
    ".pth": _read_pt,
    ".safetensors": _read_safetensors,
}
