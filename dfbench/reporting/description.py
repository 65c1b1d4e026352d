"""What a method says about itself, for people who want to set it."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from dfbench.budget import Budget
from dfbench.plugins import PluginHost
from dfbench.reporting.layout import Layout
from dfbench.runs.resolve import resolve
from dfbench.teachers.recipe import TeacherRecipe


def describe_method(host: PluginHost, label: str) -> list[Layout]:
    """Settings of a row, its method's variants, and the settings that all rows share."""
    row, method = resolve(host, label, {})
    title = f"{row.display_title}: method {row.name}, version {row.version}, plugin {row.plugin}"
    needs = f"needs beyond two teachers: {', '.join(row.needs) or 'nothing'}"
    variants = tuple(
        (f"{row.name}[{name}]", ", ".join(f"{k}={v}" for k, v in changes.items()) or "-")
        for name, changes in method.variants.items()
    )
    return [
        _settings(title, "", method.config, (needs,)),
        Layout("variants", ("row", "differs in"), variants, (), {"variants": dict(variants)}, 2),
        _settings("budget, shared by all rows that train", "budget.", Budget(), ()),
        _settings("teachers, shared by all rows", "teachers.", TeacherRecipe(), ()),
    ]


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
