"""Text files written by users, and files with one pydantic model as JSON."""

from __future__ import annotations

import codecs
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from dfbench.errors import InvalidInput
from dfbench.system.files import read_file

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


Model = TypeVar("Model", bound=BaseModel)


def read_model(model: type[Model], file: Path, fault: str, remedy: str) -> Model:
    """The model in a file. Raises `InvalidInput` if it cannot be read or has other content.

    `fault` describes such a file in the message, `remedy` says what to do about it.
    """
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
