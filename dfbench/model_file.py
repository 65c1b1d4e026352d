"""Files that hold one model as JSON, read with words for people where they hold something else."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from dfbench.errors import InvalidInput
from dfbench.files import read_file

Model = TypeVar("Model", bound=BaseModel)


def read_model(model: type[Model], file: Path, fault: str, remedy: str) -> Model:
    """What a file holds. Raises `InvalidInput` if it cannot be read or holds something else.

    `fault` says of such a file what it is not, `remedy` what to do about it.
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
