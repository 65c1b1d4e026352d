"""`--set key=value`: settings typed and checked against the model of the key."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from dfbench.budget import Budget
from dfbench.errors import InvalidConfig, unknown_name
from dfbench.teachers.recipe import PRETRAINED_BUDGET, TeacherRecipe

Model = TypeVar("Model", bound=BaseModel)


def configure(
    model: type[Model],
    base: Mapping[str, Any],
    given: Mapping[str, str],
    owner: str,
    prefix: str = "",
    *,
    use: str = "--set {key}=VALUE",
    see: str = "dfbench describe METHOD",
) -> Model:
    """`model` with the values of `base`, overridden by the texts of `given`.

    Raises `InvalidConfig` for a value of the wrong type or range and `UnknownName` for a key that
    the model does not have. `owner` names the model in the messages; `prefix` precedes its keys on
    the command line, `use` is how they are given there, and `see` the command that lists them.
    """
    for key in given:
        if key not in model.model_fields:
            raise unknown_name(f"setting of {owner}", key, model.model_fields, see)
    try:
        typed = model.model_validate_strings({**_required(model, base), **given})
        values = {key: getattr(typed, key) for key in given}
        return model.model_validate({**base, **values})
    except ValidationError as fault:
        raise InvalidConfig(_explain(fault, given, owner, prefix, use, see)) from fault


def shared_settings(
    budget: Mapping[str, str], teachers: Mapping[str, str]
) -> tuple[Budget, TeacherRecipe]:
    """The settings that all methods share; defaults depend on the teachers' network and weights.

    Raises like `configure`.
    """
    base = TeacherRecipe.defaults(teachers)
    recipe = configure(TeacherRecipe, base, teachers, "the teachers", "teachers.")
    usual = PRETRAINED_BUDGET if recipe.pretrained else {}
    return configure(Budget, usual, budget, "the budget", "budget."), recipe


def changed_settings(budget: Budget, recipe: TeacherRecipe) -> dict[str, object]:
    """The settings, by key of `--set`, with which `shared_settings` returns these."""
    start: dict[str, object] = {}
    for name in ("network", "weights", "initialisation"):
        usual = TeacherRecipe(**{**TeacherRecipe.defaults(start), **start})
        if getattr(recipe, name) != getattr(usual, name):
            start[name] = getattr(recipe, name)
    plain = TeacherRecipe(**{**TeacherRecipe.defaults(start), **start})
    plain_budget = Budget(**PRETRAINED_BUDGET if recipe.pretrained else {})
    changed: dict[str, object] = {
        f"budget.{key}": value for key, value in budget if value != getattr(plain_budget, key)
    }
    changed |= {f"teachers.{name}": value for name, value in start.items()}
    changed |= {f"teachers.{key}": value for key, value in recipe if value != getattr(plain, key)}
    return changed


def _required(model: type[BaseModel], base: Mapping[str, Any]) -> dict[str, str]:
    """Values of `base`, as text, for the required fields of a model."""
    required = {name for name, field in model.model_fields.items() if field.is_required()}
    return {name: str(value) for name, value in base.items() if name in required}


def _explain(
    fault: ValidationError,
    given: Mapping[str, str],
    owner: str,
    prefix: str,
    use: str,
    see: str,
) -> str:
    missing = [str(error["loc"][0]) for error in fault.errors() if error["type"] == "missing"]
    if missing:
        names = " and ".join(f"{prefix}{name}" for name in missing)
        give = " ".join(use.format(key=f"{prefix}{name}") for name in missing)
        return f"{owner} has no default for {names}; give {give} (see: {see})"
    first = fault.errors()[0]
    key = ".".join(str(part) for part in first["loc"])
    value = given.get(key, first["input"])
    rule = first["msg"][0].lower() + first["msg"][1:]
    name = prefix + key
    return (
        f"setting {name}={value!r} of {owner}: {rule}; try {use.format(key=name)} with such a value"
    )
