"""The hooks a plugin may implement: the complete contract between dfbench and plugins.

A plugin is a module (or object) with functions of these names, marked with `dfbench.hookimpl` and
found through the entry-point group `dfbench`, `--plugin FILE` or the folder `DFBENCH_PLUGINS_DIR`.
Hooks and arguments are only ever added. Importing a plugin must be cheap: a spec names its target
as `"module:attribute"`, which is imported when the method or dataset is used. A spec checks its
fields on construction, so that the error points at the plugin's own line.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pluggy import HookimplMarker, HookspecMarker

from dfbench.errors import PluginFault

hookspec = HookspecMarker("dfbench")
hookimpl = HookimplMarker("dfbench")

NO_IMAGES = "no-images"
"""Dataset name of a run without a dataset; no dataset can have it."""
_NAME = re.compile(r"[a-z0-9]+([-_][a-z0-9]+)*")
_NAME_LENGTH = 64
_TARGET = re.compile(r"[^:]+:[^:.]+(\.[^:.]+)*")


def is_offer_name(text: object) -> bool:
    """Whether a method or dataset can have this name."""
    return isinstance(text, str) and len(text) <= _NAME_LENGTH and bool(_NAME.fullmatch(text))


@dataclass(frozen=True)
class MethodSpec:
    """A method a plugin offers: `target` names a subclass of `dfbench.Method`."""

    name: str
    """Name for `--method`: lower case, digits, hyphens and underscores, e.g. `crossx`."""
    title: str
    """Name in tables, e.g. `CrossX-DFL`."""
    target: str
    """Import path of the class, e.g. `my_package.my_method:MyMethod`."""
    beside: tuple[str, ...] = ()
    """Labels of cheap baselines that put its score in context; `dfbench run` runs them too."""
    trains: bool = True
    """False for a method that trains nothing, which tables list apart from those that do.

    Where it depends on the configuration, `dfbench.Method.trains` decides.
    """

    def __post_init__(self) -> None:
        _check_fields(self)
        if not isinstance(self.beside, list | tuple) or not all(map(_is_line, self.beside)):
            raise _wrong(self, "beside", "a tuple of labels, e.g. ('classifier-only',)")
        object.__setattr__(self, "beside", tuple(self.beside))
        if not isinstance(self.trains, bool):
            raise _wrong(self, "trains", "True or False")


@dataclass(frozen=True)
class DatasetSpec:
    """A dataset a plugin offers: `target(request)` returns a `dfbench.datasets.Dataset`."""

    name: str
    """Name for `--dataset`, before any colon."""
    title: str
    """One-line description for `dfbench list datasets`."""
    target: str
    """Import path of the opening function, e.g. `my_package.my_data:open_dataset`."""
    argument: str | None = None
    """What follows the colon in `--dataset NAME:ARGUMENT`, e.g. `PATH`; None if nothing does."""

    def __post_init__(self) -> None:
        _check_fields(self)
        if self.name == NO_IMAGES:
            raise _wrong(self, "name", "another: this one means no dataset")
        if self.argument is not None and not _is_line(self.argument):
            raise _wrong(self, "argument", "None, or one line of text, e.g. 'PATH'")


def _check_fields(spec: MethodSpec | DatasetSpec) -> None:
    if not is_offer_name(spec.name):
        allowed = "lower case and digits with single hyphens or underscores between them, e.g. "
        raise _wrong(spec, "name", f"{allowed}'my-method', at most {_NAME_LENGTH} characters")
    if not _is_line(spec.title):
        raise _wrong(spec, "title", "one line of text")
    if not (_is_line(spec.target) and _TARGET.fullmatch(spec.target)):
        raise _wrong(spec, "target", "'module:attribute', e.g. 'my_package.my_module:MyName'")


def _is_line(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip()) and value.isprintable()


def _wrong(spec: MethodSpec | DatasetSpec, field: str, allowed: str) -> PluginFault:
    given = ascii(getattr(spec, field))
    shown = given if len(given) <= _NAME_LENGTH else f"{given[:_NAME_LENGTH]}..."
    return PluginFault(f"{type(spec).__name__} has {field}={shown}; allowed: {allowed}")


@hookspec
def dfbench_methods() -> Iterable[MethodSpec]:  # type: ignore[empty-body]  # a specification
    """Return the methods this plugin offers."""


@hookspec
def dfbench_datasets() -> Iterable[DatasetSpec]:  # type: ignore[empty-body]  # a specification
    """Return the datasets this plugin offers."""
