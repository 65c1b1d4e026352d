"""Detection of a weight file's format by its first bytes, regardless of its suffix."""

from __future__ import annotations

import json
import re
import struct
import zipfile
from enum import StrEnum
from pathlib import Path
from typing import Any

from dfbench.errors import InvalidInput
from dfbench.system.files import decoded_text


class WeightsFormat(StrEnum):
    """Supported formats of weight files."""

    SAFETENSORS = "safetensors"
    TORCH = "torch.save"


_HEAD = 4096
"""Number of bytes inspected."""
_LONGEST_HEADER = 100 * 2**20
"""In bytes; safetensors refuses longer headers."""
_LEGACY_TORCH = b"\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."
"""Magic number of torch.save's old format, before zip archives."""
_ALLOWED = "allowed: a safetensors file or a state dict written by torch.save"
_AGAIN = "the download or copy did not finish: download it again"
_STATE_DICT = "save its weights: torch.save(model.state_dict(), 'weights.pth')"

_MAGIC = (
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file (Keras)", "convert it to a torch state dict"),
    (b"\x1f\x8b", "compressed by gzip", "unpack it first: gunzip"),
    (b"BZh", "compressed by bzip2", "unpack it first: bunzip2"),
    (b"\xfd7zXZ\x00", "compressed by xz", "unpack it first: unxz"),
    (b"\x28\xb5\x2f\xfd", "compressed by zstd", "unpack it first: unzstd"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", "unpack it first"),
    (b"Rar!", "a RAR archive", "unpack it first"),
    (b"GGUF", "a GGUF file (llama.cpp)", "export a torch state dict instead"),
    (b"\x93NUMPY", "a single NumPy array", "save a state dict: torch.save or safetensors"),
    (b"\x89PNG", "an image", "use the weight file"),
    (b"\xff\xd8\xff", "an image", "use the weight file"),
    (b"%PDF", "a PDF document", "use the weight file"),
)
_TEXTS = (
    (
        re.compile(r"version https?://\S*(git-lfs|hawser)\S*"),
        "a pointer of Git LFS, not the file itself",
        "fetch the file: git lfs pull",
    ),
    (
        re.compile(r"\S*/annex/objects/"),
        "a pointer of git-annex, not the file itself",
        "fetch the file: git annex get",
    ),
    (
        re.compile(r"(outs:|md5:|deps:)"),
        "a pointer of DVC, not the file itself",
        "fetch the file: dvc pull",
    ),
    (
        re.compile(r"<(!doctype html|html|head|!--)", re.IGNORECASE),
        "an HTML page",
        "the URL returned a web page instead of the file (a login, an error, a confirmation): "
        "download it again",
    ),
    (re.compile(r"<(\?xml|error)", re.IGNORECASE), "an XML message", "download the file again"),
)


def weights_format(file: Path, asked_by: str) -> WeightsFormat:
    """The format of a weight file.

    `asked_by` starts error messages. Raises `InvalidInput`, naming the actual format and a remedy,
    for a truncated file or an unsupported format, and `OSError` if the file cannot be read.
    """
    with file.open("rb") as opened:
        head = opened.read(_HEAD)
    size = file.stat().st_size
    told: tuple[str, str] | None
    found = WeightsFormat.TORCH
    if _is_safetensors(
        head, size
    ):  # first, because it starts with a number that may look like another format
        told, found = _told_of_safetensors(file, size), WeightsFormat.SAFETENSORS
    elif head.startswith(b"PK\x03\x04"):
        told = _told_of_zip(file)
    elif head.startswith(b"\x80"):
        told = _told_of_pickle(head)
    else:
        told = _told_of_others(head, size)
    if told is None:
        return found
    what, remedy = told
    raise InvalidInput(
        f"{asked_by}: {file.name} cannot be read as weights: it is {what}; {_ALLOWED} ({remedy})"
    )


def _is_safetensors(head: bytes, size: int) -> bool:
    if len(head) < 9 or head[8:9] != b"{":
        return False
    (length,) = struct.unpack("<Q", head[:8])
    return bool(2 <= length <= max(_LONGEST_HEADER, size))


def _told_of_safetensors(file: Path, size: int) -> tuple[str, str] | None:
    with file.open("rb") as opened:
        (length,) = struct.unpack("<Q", opened.read(8))
        text = opened.read(min(length, size))
    if len(text) < length:
        return f"a safetensors file truncated in its header ({size} bytes)", _AGAIN
    try:
        header: dict[str, Any] = json.loads(text)
        ends = [t["data_offsets"][1] for name, t in header.items() if name != "__metadata__"]
    except (ValueError, TypeError, KeyError, IndexError, AttributeError):
        return "a safetensors file with a damaged header", "download it again"
    whole = 8 + length + max(ends, default=0)
    if size < whole:
        return f"a truncated safetensors file ({size} of {whole} bytes)", _AGAIN
    return None


def _told_of_zip(file: Path) -> tuple[str, str] | None:
    if not zipfile.is_zipfile(file):
        return f"a truncated archive ({file.stat().st_size} bytes)", _AGAIN
    try:
        with zipfile.ZipFile(file) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError):
        return "a damaged archive", "download it again"
    inner = {name.partition("/")[2] for name in names}
    if any(name == "constants.pkl" or name.startswith("code/") for name in inner):
        return (
            "a TorchScript archive",
            "save its weights: torch.save(torch.jit.load(FILE).state_dict(), 'weights.pth')",
        )
    if {"archive_format", "serialized_exported_program.json"} & {*inner, *names}:
        return "a program exported by torch.export", _STATE_DICT
    if "data.pkl" in inner:
        return None
    if any(name.endswith(".weights.h5") for name in names):
        return "a Keras archive", "convert it to a torch state dict"
    if names and all(name.endswith(".npy") for name in names):
        return "an archive of NumPy arrays", "save a state dict: torch.save or safetensors"
    return (
        f"a zip archive not written by torch.save (it contains {_first(names)})",
        "unpack it first if the weights are inside",
    )


def _told_of_pickle(head: bytes) -> tuple[str, str] | None:
    if head[2:].startswith(_LEGACY_TORCH):
        return None
    if len(head) < 2 + len(_LEGACY_TORCH) and _LEGACY_TORCH.startswith(head[2:]):
        return f"truncated ({len(head)} bytes)", _AGAIN
    return (
        "a pickle not written by torch.save, and unpickling runs code",
        "save the weights where the file was created: torch.save or safetensors",
    )


def _told_of_others(head: bytes, size: int) -> tuple[str, str]:
    if not size:
        return "empty (0 bytes)", "download it again"
    if not head.strip(b"\0"):
        return f"filled with zeros at the start ({size} bytes)", _AGAIN
    for magic, what, remedy in _MAGIC:
        if head.startswith(magic):
            return what, remedy
    if head[257:262] == b"ustar":
        return "a tar archive", "unpack it first: tar -xf"
    if head[:1] == b"\x08" and head[2:3] == b"\x12":
        return "an ONNX file", f"an inference export contains no state dict: {_STATE_DICT}"
    if head[4:8] == b"TFL3":
        return "a TensorFlow Lite file", "convert it to a torch state dict"
    return _told_of_text(head, size)


def _told_of_text(head: bytes, size: int) -> tuple[str, str]:
    try:
        text = decoded_text(head if size <= len(head) else head[: head.rfind(b"\n") + 1] or head)
    except ValueError:
        return f"of an unknown format (it starts with the bytes {head[:8].hex(' ')})", "check it"
    start = text.lstrip()
    for pattern, what, remedy in _TEXTS:
        if pattern.match(start):
            return f"{what}{_title(text)}", remedy
    if '"weight_map"' in start:
        return "the index of weights in several files", "merge them into one state dict first"
    return f"text (it starts {start[:40].splitlines()[0] if start else ''!r})", "use a weight file"


def _title(text: str) -> str:
    found = re.search(r"<title[^>]*>\s*(.{1,80}?)\s*</title>", text, re.IGNORECASE | re.DOTALL)
    return f" ({' '.join(found[1].split())!r})" if found else ""


def _first(names: list[str]) -> str:
    more = f", and {len(names) - 3} more" if len(names) > 3 else ""
    return (", ".join(repr(name) for name in names[:3]) or "nothing") + more
