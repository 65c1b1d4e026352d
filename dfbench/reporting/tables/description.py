"""Description of a method: its settings, its variants, and the shared settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from operator import itemgetter
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from dfbench.budget import Budget
from dfbench.hookspecs import MetricSpec, NetworkSpec, RerankerSpec
from dfbench.planning.methods import method_class, resolve
from dfbench.plugins.host import Offer, PluginHost
from dfbench.plugins.method_info import parse_label
from dfbench.reporting.tables.columns import WORDS, Column, Table
from dfbench.reporting.tables.layout import Layout
from dfbench.teachers.imagenet import packaged_networks
from dfbench.teachers.recipe import (
    PRETRAINED,
    PRETRAINED_BUDGET,
    PRETRAINED_IMAGE_SIZE,
    TeacherRecipe,
)

_SETTING: tuple[Column[tuple[str, ...]], ...] = tuple(
    Column(itemgetter(place), WORDS, name, (name,))
    for place, name in enumerate(("setting", "value", "type", "meaning"))
)


def describe_method(host: PluginHost, label: str) -> list[Layout]:
    """Settings of a method or variant, its variants, and the settings shared by all methods."""
    cls, base = method_class(host, label)
    name, variant = parse_label(label)
    shown = f"{cls.title} [{variant}]" if variant else cls.title
    plugin = host.method(name).plugin.name
    title = f"{shown}: method {name}, version {cls.version}, plugin {plugin}"
    fields = cls.Config.model_fields
    missing = [key for key, field in fields.items() if field.is_required() and key not in base]
    if missing:
        values = {key: base.get(key, field.get_default()) for key, field in fields.items()}
        values |= dict.fromkeys(missing, "required")
        needs = f"required in every run: {' '.join(f'--set {key}=VALUE' for key in missing)}"
    else:
        row, method = resolve(host, label, {})
        values = dict(method.config)
        needs = f"needs beyond two teachers: {', '.join(row.needs) or 'nothing'}"
    notes = (_pretrained_note(),)
    variants = tuple(
        (f"{name}[{key}]", ", ".join(f"{k}={v}" for k, v in changes.items()) or "-")
        for key, changes in cls.variants.items()
    )
    return [
        _settings(title, "", cls.Config, values, (needs,)),
        Layout(
            "variants", ("variant", "differs in"), variants, (), {"variants": dict(variants)}, 2
        ),
        _settings(
            "budget, shared by all trained methods", "budget.", Budget, dict(Budget()), notes
        ),
        _settings(
            "teachers, shared by all methods",
            "teachers.",
            TeacherRecipe,
            dict(TeacherRecipe()),
            notes,
        ),
    ]


def describe_spec(kind: str, offer: Offer[MetricSpec | NetworkSpec | RerankerSpec]) -> Layout:
    """The definition of a metric, network or re-ranker as its plugin registers it."""
    spec, plugin = offer.spec, offer.plugin
    content = {**asdict(spec), "plugin": plugin.name, "plugin version": plugin.version}
    rows = tuple((name, str(value)) for name, value in content.items() if value != "")
    return Layout(f"{kind} {spec.name}", ("field", "value"), rows, (), {kind: content}, 2)


def _pretrained_note() -> str:
    """The different defaults for teachers that start from ImageNet weights."""
    budget = [f"budget.{key}={value}" for key, value in PRETRAINED_BUDGET.items()]
    recipe = [f"teachers.{key}={value}" for key, value in PRETRAINED.items()]
    return (
        f"with ImageNet weights (default of {', '.join(packaged_networks())}): "
        f"{', '.join([*recipe, *budget])}, images of {PRETRAINED_IMAGE_SIZE} px"
    )


def _settings(
    title: str,
    prefix: str,
    model: type[BaseModel],
    values: Mapping[str, Any],
    notes: tuple[str, ...],
) -> Layout:
    rows = [
        (f"{prefix}{name}", str(values[name]), _type(field), _text(field))
        for name, field in model.model_fields.items()
    ]
    table = Table(_SETTING, _SETTING, {"": rows})
    return table.layout(title, notes, key="settings", text_columns=len(_SETTING))


def _type(field: FieldInfo) -> str:
    annotation = field.annotation
    if isinstance(annotation, type):
        return annotation.__name__
    return str(annotation).replace("typing.", "")


def _text(field: FieldInfo) -> str:
    return " ".join((field.description or "").split())
