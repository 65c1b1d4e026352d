"""Check that a method is made from the configuration it is given, whatever that is."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, get_args
from unittest.mock import patch

from pydantic import ValidationError
from pydantic.fields import FieldInfo

from dfbench.conformance.check import CheckFailed
from dfbench.conformance.stage import Stage
from dfbench.errors import PluginFault
from dfbench.method import MethodConfig
from dfbench.runs.resolve import built


def kept(stage: Stage) -> str:
    """Made with each setting changed in turn, it keeps that configuration and asks for no other."""
    _, method = stage.resolved()
    changes = {"": method.config, **dict(_altered(method.config))}
    for name, config in changes.items():
        what = f"made with {name}={getattr(config, name)!r}: " if name else ""
        with _others_made(config) as others:
            try:
                built(type(method), config)
            except PluginFault as fault:
                raise CheckFailed(f"{what}{fault}") from fault
        if others:
            raise CheckFailed(
                f"{what}its __init__ makes a configuration of its own, {others[0]!r}; derive "
                "everything from the one that it is given"
            )
    return f"settings changed: {', '.join(name for name in changes if name) or 'none'}"


def _altered(config: MethodConfig) -> Iterator[tuple[str, MethodConfig]]:
    """By setting, the configuration with another value there, where one is found."""
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
    """Configurations of the same class, but with other values, that the block makes."""
    others: list[MethodConfig] = []
    model = type(config)
    original = model.__init__

    def noted(self: MethodConfig, /, **values: Any) -> None:
        original(self, **values)
        if self != config:
            others.append(self)

    with patch.object(model, "__init__", noted):
        yield others
