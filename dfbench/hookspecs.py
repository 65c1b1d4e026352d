"""The hooks a plugin may implement: the whole contract between dfbench and the outside.

A plugin is a module (or object) with functions of these names, marked with `dfbench.hookimpl` and
found through the entry-point group `dfbench`, `--plugin FILE` or the folder `DFBENCH_PLUGINS_DIR`.
Hooks and arguments are only ever added. Importing a plugin must be cheap: a spec names its target
as `"module:attribute"`, which is imported when the method or dataset is used.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pluggy import HookimplMarker, HookspecMarker

hookspec = HookspecMarker("dfbench")
hookimpl = HookimplMarker("dfbench")


@dataclass(frozen=True)
class MethodSpec:
    """A method a plugin offers: `target` leads to a subclass of `dfbench.Method`."""

    name: str
    """What `--method` takes: lower case, digits and hyphens, e.g. `crossx`."""
    title: str
    """The row's name in tables, e.g. `CrossX-DFL`."""
    target: str
    """Where the class lives, e.g. `my_package.my_method:MyMethod`."""
    beside: tuple[str, ...] = ()
    """Rows that cost seconds and put this one's score in context; `dfbench run` runs them too."""


@dataclass(frozen=True)
class DatasetSpec:
    """A dataset a plugin offers: `target(request)` returns a `dfbench.datasets.Dataset`."""

    name: str
    """What `--dataset` takes, before any colon."""
    title: str
    """One line for `dfbench list datasets`."""
    target: str
    """Where the opening function lives, e.g. `my_package.my_data:open_dataset`."""
    argument: str | None = None
    """What follows the colon in `--dataset NAME:ARGUMENT`, e.g. `PATH`; None if nothing does."""


@hookspec
def dfbench_methods() -> Iterable[MethodSpec]:  # type: ignore[empty-body]  # a specification
    """Return the methods this plugin offers."""


@hookspec
def dfbench_datasets() -> Iterable[DatasetSpec]:  # type: ignore[empty-body]  # a specification
    """Return the datasets this plugin offers."""
