"""An option of a run as a model declares it: metadata of a field, found by the users' names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler, ValidationError
from pydantic_core import CoreSchema, core_schema

from dfbench.request.values import OptionValues


@dataclass(frozen=True)
class Option:
    """Metadata of a field that users give: its values, and how it is shown."""

    values: OptionValues
    help: str
    name: str | None = None
    """What users call it, if not as the field."""
    metavar: str | None = None
    """Its placeholder on the command line."""
    flag: str | None = None
    """On the command line, if not `--NAME`."""
    environment: str | None = None
    """The variable that sets it for the command line."""

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        """Have pydantic take what `values` takes; a field that may be None still may."""
        return core_schema.no_info_before_validator_function(self._taken, handler(source))

    def _taken(self, given: object) -> object:
        return None if given is None else self.values.take(given)


class OptionModel(BaseModel):
    """A model whose fields are options."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


@dataclass(frozen=True)
class Declared:
    """An option where it is declared."""

    model: type[BaseModel]
    field: str
    option: Option

    @property
    def default(self) -> Any:
        """Its value if nothing is given, or what makes it; None if it has to be given."""
        field = self.model.model_fields[self.field]
        return None if field.is_required() else field.default_factory or field.default


@cache
def declared(*models: type[BaseModel]) -> Mapping[str, Declared]:
    """The options of models by the names that users know, in the order of their declaration."""
    return {
        option.name or name: Declared(model, name, option)
        for model in models
        for name, field in model.model_fields.items()
        for option in field.metadata
        if isinstance(option, Option)
    }


def refusals(
    fault: ValidationError, model: type[BaseModel]
) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Keys of a model that were refused, each with the sentence for its value."""
    options = {one.field: one.option for one in declared(model).values()}
    for error in fault.errors():
        option = options.get(str(error["loc"][0])) if error["loc"] else None
        reason = error.get("ctx", {}).get("error")
        if option is not None and not isinstance(reason, ValueError):  # None, where it has no sense
            yield error["loc"], option.values.refusal(error["input"])
        else:
            yield error["loc"], str(reason or error["msg"])
