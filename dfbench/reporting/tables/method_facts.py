"""Facts that a method's class states, kept in the cache folder because the class imports torch."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from hashlib import blake2b
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.fields import FieldInfo

from dfbench.plugins.host import PluginHost
from dfbench.plugins.method_info import parse_label
from dfbench.system.file_errors import FileFault
from dfbench.system.files import atomic_path

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
    return tuple(
        (f"{prefix}{name}", str(values[name]), _type(field), _meaning(field))
        for name, field in model.model_fields.items()
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


def _type(field: FieldInfo) -> str:
    annotation = field.annotation
    if isinstance(annotation, type):
        return annotation.__name__
    return str(annotation).replace("typing.", "")


def _meaning(field: FieldInfo) -> str:
    return " ".join((field.description or "").split())
