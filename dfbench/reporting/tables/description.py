"""Description of a method: its settings, its variants, and the shared settings."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from hashlib import blake2b
from importlib.metadata import version
from importlib.util import find_spec
from inspect import getfile
from itertools import pairwise
from operator import itemgetter
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, ValidationError

from dfbench.budget import Budget
from dfbench.plugins.host import PluginHost
from dfbench.plugins.info import parse_label
from dfbench.reporting.tables.columns import WORDS, Column, Table
from dfbench.reporting.tables.layout import Layout
from dfbench.system.file_errors import FileFault
from dfbench.system.files import atomic_path
from dfbench.teachers.imagenet import packaged_networks
from dfbench.teachers.recipe import (
    PRETRAINED,
    PRETRAINED_BUDGET,
    PRETRAINED_IMAGE_SIZE,
    TeacherRecipe,
)

FILE = "methods.json"
_CORE = "dfbench"

SettingRow = tuple[str, str, str, str]
"""Name, value, type and meaning of a setting."""


class MethodFacts(BaseModel):
    """A method or variant as `dfbench describe` shows it."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    title: str
    version: int
    settings: tuple[SettingRow, ...]
    missing: tuple[str, ...]
    """Settings without a default, which every run must give."""
    needs: tuple[str, ...]
    """Inputs beyond two teachers; empty if a setting is missing."""
    variants: dict[str, str]
    """Label and changed settings of each variant."""


class _Kept(BaseModel):
    """The content of the file."""

    model_config = ConfigDict(defer_build=True)

    sources: str
    """Fingerprint of the code that the facts come from."""
    methods: dict[str, MethodFacts] = {}


def method_facts(host: PluginHost, label: str, cache: Path) -> MethodFacts:
    """The facts of a method or variant.

    Those of built-in methods follow from the files of dfbench alone, and are read from `cache`
    while these are unchanged. The class of any other method is imported each time. Raises like
    `dfbench.planning.methods.resolve`.
    """
    plugin = host.method(parse_label(label)[0]).plugin
    if not plugin.own:
        return _asked(host, label)
    sources = _fingerprint(_CORE, plugin.origin)
    kept = _read(cache / FILE)
    if kept is None or kept.sources != sources:
        kept = _Kept(sources=sources)
    if label not in kept.methods:
        kept.methods[label] = _asked(host, label)
        with suppress(FileFault), atomic_path(cache / FILE) as temporary:  # it only saves time
            temporary.write_text(kept.model_dump_json(), encoding="utf-8")
    return kept.methods[label]


def setting_rows(
    model: type[BaseModel], values: Mapping[str, Any], prefix: str = ""
) -> tuple[SettingRow, ...]:
    """The settings of a model with these values."""
    fields = model.model_fields
    meanings = {name: field.description for name, field in fields.items()}
    if not all(meanings.values()):
        meanings |= _docstrings(model)
    return tuple(
        (f"{prefix}{name}", str(values[name]), _type(field.annotation), _line(meanings[name]))
        for name, field in fields.items()
    )


def _asked(host: PluginHost, label: str) -> MethodFacts:
    """The facts from the class itself."""
    from dfbench.planning.methods import method_class, resolve  # imports torch

    cls, base = method_class(host, label)
    name, variant = parse_label(label)
    fields = cls.Config.model_fields
    missing = [key for key, field in fields.items() if field.is_required() and key not in base]
    if missing:
        values = {key: base.get(key, field.get_default()) for key, field in fields.items()}
        values |= dict.fromkeys(missing, "required")
        needs: tuple[str, ...] = ()
    else:
        info, method = resolve(host, label, {})
        values, needs = dict(method.config), info.needs
    return MethodFacts(
        title=f"{cls.title} [{variant}]" if variant else cls.title,
        version=cls.version,
        settings=setting_rows(cls.Config, values),
        missing=tuple(missing),
        needs=needs,
        variants={
            f"{name}[{key}]": ", ".join(f"{k}={v}" for k, v in changes.items()) or "-"
            for key, changes in cls.variants.items()
        },
    )


def _read(file: Path) -> _Kept | None:
    """The kept facts; None if there are none that this version can read."""
    try:
        return _Kept.model_validate_json(file.read_bytes())
    except (OSError, ValidationError):
        return None


def _fingerprint(*packages: str) -> str:
    """A hash of the files of packages by size and change time, and of what reads them."""
    digest = blake2b(f"{sys.version} {version('pydantic')}".encode(), digest_size=16)
    for file in sorted(file for package in packages for file in _files(package)):
        about = file.stat()
        digest.update(f"{file}\0{about.st_size}\0{about.st_mtime_ns}\0".encode())
    return digest.hexdigest()


def _files(package: str) -> Iterator[Path]:
    spec = find_spec(package)
    for folder in (spec and spec.submodule_search_locations) or ():
        yield from Path(folder).rglob("*.py")


def _type(annotation: object) -> str:
    """A type in the words of a person who sets it: `teacher | random`, `path | None`."""
    if annotation is Path:
        return "path"
    if annotation is NoneType:
        return "None"
    if get_origin(annotation) is Annotated:
        return _type(get_args(annotation)[0])
    if get_origin(annotation) is Literal:
        return " | ".join(map(str, get_args(annotation)))
    if get_origin(annotation) in (Union, UnionType):
        return " | ".join(map(_type, get_args(annotation)))
    if isinstance(annotation, type) and not get_args(annotation):
        return annotation.__name__
    return str(annotation).replace("typing.", "")


def _line(text: str | None) -> str:
    return " ".join((text or "").split())


def _docstrings(model: type[BaseModel]) -> dict[str, str]:
    """By field, the docstring below it.

    Models that every command imports do not have pydantic read their source for this.
    """
    module = ast.parse(Path(getfile(model)).read_text(encoding="utf-8"))
    body = next(
        node.body
        for node in module.body
        if isinstance(node, ast.ClassDef) and node.name == model.__name__
    )
    found = {}
    for field, text in pairwise(body):
        if isinstance(field, ast.AnnAssign) and isinstance(text, ast.Expr):
            found[ast.unparse(field.target)] = str(ast.literal_eval(text.value))
    return found


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
    budget = setting_rows(Budget, _defaults(Budget), "budget.")
    recipe = setting_rows(TeacherRecipe, _defaults(TeacherRecipe), "teachers.")
    return [
        _settings(title, facts.settings, (needs,)),
        Layout(
            "variants", ("variant", "differs in"), tuple(facts.variants.items()), (), variants, 2
        ),
        _settings("budget, shared by all trained methods", budget, notes),
        _settings("teachers, shared by all methods", recipe, notes),
    ]


def _defaults(model: type[BaseModel]) -> dict[str, Any]:
    return {name: field.get_default() for name, field in model.model_fields.items()}


def _pretrained_note() -> str:
    """The different defaults for teachers that start from ImageNet weights."""
    budget = [f"budget.{key}={value}" for key, value in PRETRAINED_BUDGET.items()]
    recipe = [f"teachers.{key}={value}" for key, value in PRETRAINED.items()]
    default_of = f"{', '.join(packaged_networks())} and with teachers.weights"
    return (
        f"with ImageNet weights (default of {default_of}): "
        f"{', '.join([*recipe, *budget])}, images of {PRETRAINED_IMAGE_SIZE} px"
    )


def _settings(title: str, rows: Iterable[SettingRow], notes: tuple[str, ...]) -> Layout:
    table = Table(_SETTING, _SETTING, {"": list(rows)})
    return table.layout(title, notes, key="settings", text_columns=len(_SETTING))
