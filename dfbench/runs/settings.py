"""`--set key=value`: typed and checked against the model that the key belongs to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from dfbench.errors import InvalidConfig, unknown_name

Model = TypeVar("Model", bound=BaseModel)


def configure(
    model: type[Model],
    base: Mapping[str, Any],
    given: Mapping[str, str],
    owner: str,
    prefix: str = "",
) -> Model:
    """`model` with the values of `base`, overridden by the texts of `given`.

    Raises `InvalidConfig` for a value of the wrong type or range and `UnknownName` for a key that
    the model does not have; `owner` names the model in either message, `prefix` stands before its
    keys on the command line.
    """
    for key in given:
        if key not in model.model_fields:
            raise unknown_name(f"setting of {owner}", key, model.model_fields, "dfbench describe")
    try:
        typed = model.model_validate_strings(dict(given))
        values = {key: getattr(typed, key) for key in given}
        return model.model_validate({**base, **values})
    except ValidationError as fault:
        raise InvalidConfig(_explain(fault, given, owner, prefix)) from fault


def split_settings(settings: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Settings by owner: `budget.steps` under `budget`, `teachers.steps` under `teachers`.

    Whatever has neither prefix belongs to the method and stands under the empty name.
    """
    parts: dict[str, dict[str, str]] = {"": {}, "budget": {}, "teachers": {}}
    for key, value in settings.items():
        owner, dot, rest = key.partition(".")
        if dot and owner in parts:
            parts[owner][rest] = value
        else:
            parts[""][key] = value
    return parts


def _explain(fault: ValidationError, given: Mapping[str, str], owner: str, prefix: str) -> str:
    first = fault.errors()[0]
    key = ".".join(str(part) for part in first["loc"])
    value = given.get(key, first["input"])
    rule = first["msg"][0].lower() + first["msg"][1:]
    name = prefix + key
    return f"setting {name}={value!r} of {owner}: {rule}; try --set {name}=VALUE with such a value"
