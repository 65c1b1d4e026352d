"""What a method says about itself, for people who want to set it."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from dfbench.budget import Budget
from dfbench.plugins import PluginHost
from dfbench.reporting.layout import Layout
from dfbench.runs.resolve import resolve
from dfbench.teachers.imagenet import packaged_networks
from dfbench.teachers.recipe import (
    PRETRAINED,
    PRETRAINED_BUDGET,
    PRETRAINED_IMAGE_SIZE,
    TeacherRecipe,
)


def describe_method(host: PluginHost, label: str) -> list[Layout]:
    """Settings of a row, its method's variants, and the settings that all rows share."""
    row, method = resolve(host, label, {})
    title = f"{row.display_title}: method {row.name}, version {row.version}, plugin {row.plugin}"
    needs = f"needs beyond two teachers: {', '.join(row.needs) or 'nothing'}"
    from_imagenet = _pretrained_note()
    variants = tuple(
        (f"{row.name}[{name}]", ", ".join(f"{k}={v}" for k, v in changes.items()) or "-")
        for name, changes in method.variants.items()
    )
    return [
        _settings(title, "", method.config, (needs,)),
        Layout("variants", ("row", "differs in"), variants, (), {"variants": dict(variants)}, 2),
        _settings("budget, shared by all rows that train", "budget.", Budget(), (from_imagenet,)),
        _settings("teachers, shared by all rows", "teachers.", TeacherRecipe(), (from_imagenet,)),
    ]


def _pretrained_note() -> str:
    """What is usual instead where teachers start from ImageNet weights."""
    budget = [f"budget.{key}={value}" for key, value in PRETRAINED_BUDGET.items()]
    recipe = [f"teachers.{key}={value}" for key, value in PRETRAINED.items()]
    return (
        f"with ImageNet weights (default of {', '.join(packaged_networks())}): "
        f"{', '.join([*recipe, *budget])}, images of {PRETRAINED_IMAGE_SIZE} px"
    )


def _settings(title: str, prefix: str, values: BaseModel, notes: tuple[str, ...]) -> Layout:
    fields = type(values).model_fields
    rows = tuple(
        (f"{prefix}{name}", str(getattr(values, name)), _type(field), _text(field))
        for name, field in fields.items()
    )
    header = ("setting", "value", "type", "meaning")
    content: dict[str, Any] = {
        "title": title,
        "settings": [dict(zip(header, row, strict=True)) for row in rows],
        "notes": list(notes),
    }
    return Layout(title, header, rows, notes, content, len(header))


def _type(field: FieldInfo) -> str:
    annotation = field.annotation
    if isinstance(annotation, type):
        return annotation.__name__
    return str(annotation).replace("typing.", "")


def _text(field: FieldInfo) -> str:
    return " ".join((field.description or "").split())
