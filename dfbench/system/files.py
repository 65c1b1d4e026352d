"""Files: written under a temporary name and renamed, so that they are complete or absent."""

from __future__ import annotations

import codecs
import errno
import json
import os
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from dfbench.errors import InvalidInput
from dfbench.system.file_errors import concerns, told_faults, write_fault

if TYPE_CHECKING:
    from pydantic import BaseModel

_SUFFIX = ".tmp"
_PROBE = b"\0" * 4096
_ENDLESS = {
    stat.S_ISFIFO: "a named pipe",
    stat.S_ISSOCK: "a socket",
    stat.S_ISCHR: "a device",
    stat.S_ISBLK: "a device",
}
_UMASK = os.umask(0o077)
os.umask(_UMASK)  # it can only be read by setting it


def finite(file: Path) -> Path:
    """The same path, if reading it is sure to end.

    Raises `OSError` if it does not exist, and for a named pipe, a socket or a device, where a
    reader may wait forever.
    """
    mode = file.stat().st_mode
    for holds, kind in _ENDLESS.items():
        if holds(mode):
            raise OSError(errno.EINVAL, f"{kind}, not a file", str(file))
    return file


def read_file(file: Path) -> bytes:
    """The bytes of a file. Raises `OSError` like `finite`."""
    return finite(file).read_bytes()


def absolute(path: Path) -> Path:
    """The absolute path, relative to the current folder at the time of the call.

    Names and links are not resolved. Raises `InvalidInput` for a relative path if the current
    folder has been removed.
    """
    try:
        return path.absolute()
    except FileNotFoundError as fault:
        raise InvalidInput(
            f"{str(path)!r} is relative to the current folder, which has been removed; allowed: an "
            "absolute path, or cd to an existing folder and repeat the command"
        ) from fault


@contextmanager
def writing(target: Path) -> Iterator[None]:
    """Raise `FileFault`, or its subclass `DiskFull`, if the block cannot write `target`."""
    try:
        yield
    except OSError as fault:
        told = write_fault(fault, target) if concerns(fault, target) else None
        if told is None:
            raise
        raise told from fault


@contextmanager
def own_umask() -> Iterator[None]:
    """Create files and folders in the block with the umask that this process started with.

    A plugin may have set another umask, with which dfbench could not read its own files.
    """
    others = os.umask(_UMASK)
    try:
        yield
    finally:
        os.umask(others)


@contextmanager
def atomic_path(target: Path) -> Iterator[Path]:
    """A temporary path next to `target`, renamed to it when the block ends without error.

    The folder is created if needed. On an error the temporary file is removed and `target` is left
    unchanged. Raises `FileFault`, or its subclass `DiskFull`, if it cannot be written.
    """
    temporary = _temporary(target)
    try:
        with writing(target), own_umask():
            target.parent.mkdir(parents=True, exist_ok=True)
            yield temporary
            temporary.replace(target)
    finally:
        _remove(temporary)


def check_writable(target: Path) -> None:
    """Raise `FileFault` unless a file of this name can be written now; nothing is left behind.

    Its folder need not exist: then the nearest existing parent is tried. Call this before the work
    whose result is written there.
    """
    try:
        _try(target)
    except OSError as fault:
        told = write_fault(fault, target)
        if told is None:
            raise
        raise told from fault


def entries(folder: Path) -> list[Path]:
    """The entries of a folder, sorted; none if it does not exist.

    Raises `FileFault` if it cannot be read, since it may not be empty.
    """
    with told_faults(), suppress(FileNotFoundError):
        return sorted(folder.iterdir(), key=lambda entry: entry.name)
    return []


def drop_leftovers(folder: Path) -> None:
    """Remove files left half-written by killed processes; no process may be writing there."""
    for leftover in folder.rglob(f".*{_SUFFIX}"):
        leftover.unlink(missing_ok=True)


def write_json(target: Path, content: Any) -> None:
    """Write `content` atomically as indented JSON with sorted keys."""
    text = json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False)
    with atomic_path(target) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")


def _temporary(target: Path) -> Path:
    writer = f"{os.getpid()}-{threading.get_ident()}"
    return target.with_name(f".{target.name}.{writer}{_SUFFIX}")


def _remove(temporary: Path) -> None:
    with suppress(OSError):  # the cause has been reported already
        temporary.unlink(missing_ok=True)


def _try(target: Path) -> None:
    """Write a file where `target` may be written, and remove it. Raises `OSError`."""
    if target.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(target))
    folder = _nearest(target.parent)
    for name in target.relative_to(folder).parts:
        with suppress(FileNotFoundError):
            (folder / name).lstat()  # a name may be too long for the file system
    probe = folder / _temporary(target).name
    try:
        with probe.open("xb") as file:
            file.write(_PROBE)
    finally:
        _remove(probe)


def _nearest(folder: Path) -> Path:
    """The folder or its nearest existing parent. Raises `OSError` if that is not a folder."""
    for place in (folder, *folder.parents):
        try:
            mode = place.stat().st_mode
        except FileNotFoundError:
            if place.is_symlink():
                raise  # a dangling link, in whose place no folder can be created
            continue
        if not stat.S_ISDIR(mode):
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(place))
        return place
    return Path()


_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def read_text(file: Path) -> str:
    """The text of a file without its byte order mark; line endings are unchanged.

    Raises `OSError` for a file that cannot be read and `ValueError` with the reason for one that
    is not text.
    """
    return decoded_text(read_file(file))


def decoded_text(content: bytes) -> str:
    """The text of bytes, without a byte order mark. Raises `ValueError` with the reason."""
    encoding = next((name for mark, name in _MARKS if content.startswith(mark)), "utf-8")
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as fault:
        raise ValueError(
            f"it is not {fault.encoding.upper()} text (byte {fault.start}); save it as UTF-8"
        ) from fault
    if "\0" in text:
        raise ValueError(
            f"it contains a NUL character (character {text.index(chr(0))}): it is not text, or is "
            "UTF-16 without a byte order mark; save it as UTF-8"
        )
    return text


Model = TypeVar("Model", bound="BaseModel")


def read_model(model: type[Model], file: Path, fault: str, remedy: str) -> Model:
    """The model in a file. Raises `InvalidInput` if it cannot be read or has other content.

    `fault` describes such a file in the message, `remedy` says what to do about it.
    """
    from pydantic import ValidationError

    try:
        return model.model_validate_json(read_file(file))
    except OSError as error:
        raise InvalidInput(f"{str(file)!r} cannot be read ({error.strerror or error})") from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the file"
        raise InvalidInput(
            f"{str(file)!r} {fault} ({place}: {first['msg'].lower()}); {remedy}"
        ) from error
