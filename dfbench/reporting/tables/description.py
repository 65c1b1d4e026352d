"""Description of a method: its settings, its variants, and the shared settings."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from operator import itemgetter
from pathlib import Path

from dfbench.budget import Budget
from dfbench.hookspecs import MetricSpec, NetworkSpec, RerankerSpec
from dfbench.plugins.host import Offer, PluginHost
from dfbench.plugins.method_info import parse_label
from dfbench.reporting.tables.columns import WORDS, Column, Table
from dfbench.reporting.tables.layout import Layout
from dfbench.reporting.tables.method_facts import SettingRow, method_facts, setting_rows
from dfbench.teachers.imagenet import packaged_networks
from dfbench.teachers.recipe import (
    PRETRAINED,
    PRETRAINED_BUDGET,
    PRETRAINED_IMAGE_SIZE,
    TeacherRecipe,
)

_SETTING: tuple[Column[SettingRow], ...] = tuple(
    Column(itemgetter(place), WORDS, name, (name,))
    for place, name in enumerate(("setting", "value", "type", "meaning"))
)


def describe_method(host: PluginHost, label: str, cache: Path) -> list[Layout]:
    """Settings of a method or variant, its variants, and the settings shared by all methods.

    What the method's class states may come from the folder `cache`.
    """
    facts = method_facts(host, label, cache)
    name, _ = parse_label(label)
    plugin = host.method(name).plugin.name
    title = f"{facts.title}: method {name}, version {facts.version}, plugin {plugin}"
    if facts.missing:
        needs = f"required in every run: {' '.join(f'--set {k}=VALUE' for k in facts.missing)}"
    else:
        needs = f"needs beyond two teachers: {', '.join(facts.needs) or 'nothing'}"
    notes = (_pretrained_note(),)
    variants = {"variants": facts.variants}
    budget = setting_rows(Budget, dict(Budget()), "budget.")
    recipe = setting_rows(TeacherRecipe, dict(TeacherRecipe()), "teachers.")
    return [
        _settings(title, facts.settings, (needs,)),
        Layout(
            "variants", ("variant", "differs in"), tuple(facts.variants.items()), (), variants, 2
        ),
        _settings("budget, shared by all trained methods", budget, notes),
        _settings("teachers, shared by all methods", recipe, notes),
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


def _settings(title: str, rows: Iterable[SettingRow], notes: tuple[str, ...]) -> Layout:
    table = Table(_SETTING, _SETTING, {"": list(rows)})
    return table.layout(title, notes, key="settings", text_columns=len(_SETTING))
