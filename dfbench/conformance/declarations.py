"""Checks of a method's declarations, without training."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, get_args
from unittest.mock import patch

from pydantic import ValidationError
from pydantic.fields import FieldInfo

from dfbench.conformance.check import CheckFailed
from dfbench.conformance.stage import Stage
from dfbench.errors import DfbenchError, PluginFault
from dfbench.method import MethodConfig
from dfbench.planning.methods import built, resolve
from dfbench.planning.settings import configure
from dfbench.plugins.info import parse_label


def kept(stage: Stage) -> str:
    """Instantiated with each setting changed in turn, it keeps and uses only this configuration."""
    _, method = stage.resolved()
    changes = {"": method.config, **dict(_altered(method.config))}
    for name, config in changes.items():
        what = f"with {name}={getattr(config, name)!r}: " if name else ""
        with _others_made(config) as others:
            try:
                built(type(method), config)
            except PluginFault as fault:
                raise CheckFailed(f"{what}{fault}") from fault
        if others:
            raise CheckFailed(
                f"{what}its __init__ creates its own configuration, {others[0]!r}; derive "
                "everything from the configuration it is given"
            )
    return f"settings changed: {', '.join(name for name in changes if name) or 'none'}"


def _altered(config: MethodConfig) -> Iterator[tuple[str, MethodConfig]]:
    """The configuration with each setting changed, for settings with another valid value."""
    content = config.model_dump(mode="json")
    for name, field in type(config).model_fields.items():
        for value in _other_values(field, getattr(config, name)):
            try:
                altered = type(config).model_validate_json(json.dumps({**content, name: value}))
            except ValidationError:
                continue
            if altered != config:
                yield name, altered
                break


def _other_values(field: FieldInfo, value: Any) -> tuple[Any, ...]:
    if isinstance(value, bool):
        return (not value,)
    if isinstance(value, int):
        return value + 1, value - 1, 2 * value, value // 2
    if isinstance(value, float):
        return value / 2, 2 * value, value + 0.1, value - 0.1
    choices = get_args(field.annotation)
    return tuple(choice for choice in choices if isinstance(choice, str))


@contextmanager
def _others_made(config: MethodConfig) -> Iterator[list[MethodConfig]]:
    """Configurations of the same class with other values that the block creates."""
    others: list[MethodConfig] = []
    model = type(config)
    original = model.__init__

    def noted(self: MethodConfig, /, **values: Any) -> None:
        original(self, **values)
        if self != config:
            others.append(self)

    with patch.object(model, "__init__", noted):
        yield others


_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_TITLE_LENGTH = 40


def made(stage: Stage) -> None:
    """The class can be imported and instantiated with its settings."""
    stage.resolved()


def names(stage: Stage) -> None:
    """Name, title and version of the class match those registered by its plugin."""
    row, method = stage.resolved()
    spec = stage.host.method(row.name).spec
    if not _NAME.fullmatch(row.name):
        raise CheckFailed(
            f"name {row.name!r}; allowed: lower-case letters, digits and single hyphens, e.g. "
            "my-method"
        )
    if spec.title != row.title:
        raise CheckFailed(
            f"its MethodSpec has the title {spec.title!r}, its class {row.title!r}; use the same "
            "title in both"
        )
    if row.title != row.title.strip() or not 0 < len(row.title) <= _TITLE_LENGTH:
        raise CheckFailed(f"title {row.title!r}; allowed: 1 to {_TITLE_LENGTH} characters")
    if type(method).version is True or row.version < 1:
        raise CheckFailed(f"version {type(method).version!r}; allowed: an integer from 1 up")


def config(stage: Stage) -> str:
    """The configuration class is validated, frozen, documented and can be stored as JSON."""
    _, method = stage.resolved()
    model = type(method).Config
    if not issubclass(model, MethodConfig):
        raise CheckFailed(f"Config is {model!r}; allowed: a subclass of dfbench.MethodConfig")
    for fault in (*_model_faults(method.config), *_field_faults(model)):
        raise CheckFailed(fault)
    name, _ = parse_label(stage.label)
    variants = type(method).variants
    for variant in variants:
        try:
            resolve(stage.host, f"{name}[{variant}]", stage.required_settings)
        except DfbenchError as fault:
            raise CheckFailed(f"variant {variant!r}: {fault}") from fault
    told = f"settings: {len(model.model_fields)}, variants: {len(variants)}"
    required = ", ".join(stage.required_settings)
    return f"{told}, without default: {required}" if required else told


def _model_faults(config: MethodConfig) -> Iterator[str]:
    model = type(config)
    if not model.model_config.get("frozen"):
        yield "Config is not frozen; keep the model_config of dfbench.MethodConfig"
    if model.model_config.get("extra") != "forbid":
        yield "Config accepts unknown settings; keep the model_config of dfbench.MethodConfig"
    try:
        again = model.model_validate(config.model_dump(mode="json"))
    except ValidationError as fault:
        yield f"its own settings are refused: {' '.join(str(fault).split())}"
        return
    if again != config:
        yield "its settings change when stored as JSON and read back; use plain types"


def _field_faults(model: type[MethodConfig]) -> Iterator[str]:
    for name, field in model.model_fields.items():
        if not (field.description or "").strip():
            yield f"setting {name!r} has no docstring; write one under the field"
        elif not _settable(model, name, field):
            yield (
                f"setting {name!r} cannot be set as text (--set {name}=...); allowed: numbers, "
                "strings, booleans, Literal"
            )


def _settable(model: type[MethodConfig], name: str, field: FieldInfo) -> bool:
    default: Any = field.get_default(call_default_factory=True)
    if default is None or field.is_required():
        return True
    try:
        return bool(getattr(configure(model, {}, {name: str(default)}, ""), name) == default)
    except DfbenchError:
        return False
