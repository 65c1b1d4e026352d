"""Finding plugins, and keeping a broken one from hurting the others."""

from __future__ import annotations

import sys
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass, replace
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any, Generic, TypeVar

import pluggy

from dfbench import hookspecs
from dfbench.errors import DfbenchError, InvalidInput, PluginFault, unknown_name
from dfbench.hookspecs import DatasetSpec, MethodSpec

Spec = TypeVar("Spec", MethodSpec, DatasetSpec)
Kind = TypeVar("Kind")

GROUP = "dfbench"
"""The entry-point group of plugins."""


@dataclass(frozen=True)
class Plugin:
    """A plugin that was found, whether or not it works."""

    name: str
    version: str
    """Version of its distribution; `-` for a single file."""
    origin: str
    """The file or module it comes from."""
    file: Path | None = None
    """The file, for a plugin that is one."""
    error: str | None = None
    """Why it offers nothing; None if it works."""


@dataclass(frozen=True)
class Offer(Generic[Spec]):
    """A method or dataset together with the plugin that offers it."""

    spec: Spec
    plugin: Plugin

    def load(self) -> Any:
        """The spec's target. Raises `PluginFault` if it cannot be imported."""
        try:
            return load_target(self.spec.target)
        except (Exception, SystemExit) as fault:  # whatever a plugin raises
            raise PluginFault(
                f"plugin {self.plugin.name!r} {self.plugin.version}: target {self.spec.target!r} "
                f"of {self.spec.name!r} cannot be loaded: {describe_fault(fault)}"
            ) from fault


class PluginHost:
    """All plugins of this process, by entry point, by file and by folder.

    Names are taken in the order found; a second plugin that offers a taken name is refused.
    """

    def __init__(self, files: Iterable[Path] = (), folder: Path | None = None) -> None:
        self.plugins: list[Plugin] = []
        self.methods: dict[str, Offer[MethodSpec]] = {}
        self.datasets: dict[str, Offer[DatasetSpec]] = {}
        for entry in sorted(entry_points(group=GROUP), key=lambda e: (e.value, e.name)):
            self._add_entry_point(entry)
        for file in (*_python_files(folder), *files):
            self._add_file(file)

    def method(self, name: str) -> Offer[MethodSpec]:
        """The method of this name. Raises `UnknownName`."""
        return self._find("method", name, self.methods)

    def dataset(self, name: str) -> Offer[DatasetSpec]:
        """The dataset of this name. Raises `UnknownName`."""
        return self._find("dataset", name, self.datasets)

    def require(self, files: Iterable[Path]) -> None:
        """Raise `PluginFault` if one of these files, which the user named, does not work."""
        wanted = set(files)
        for plugin in self.plugins:
            if plugin.error and plugin.file in wanted:
                raise PluginFault(f"plugin file {plugin.origin!r} does not work: {plugin.error}")

    def _find(self, kind: str, name: str, offers: dict[str, Offer[Spec]]) -> Offer[Spec]:
        if name not in offers:
            raise unknown_name(kind, name, offers, f"dfbench list {kind}s")
        return offers[name]

    def _add_entry_point(self, entry: EntryPoint) -> None:
        distribution = entry.dist
        version = distribution.version if distribution else "-"
        plugin = Plugin(entry.name, version, entry.value)
        try:
            module = entry.load()
        except (Exception, SystemExit) as fault:  # noqa: BLE001  # whatever a plugin raises
            self._refuse(plugin, fault)
        else:
            self._register(plugin, module)

    def _add_file(self, file: Path) -> None:
        plugin = Plugin(file.stem, "-", str(file), file)
        try:
            module = _import_file(file)
        except (Exception, SystemExit) as fault:  # noqa: BLE001  # whatever a plugin raises
            self._refuse(plugin, fault)
        else:
            self._register(plugin, module)

    def _register(self, plugin: Plugin, module: object) -> None:
        try:
            manager = pluggy.PluginManager(GROUP)
            manager.add_hookspecs(hookspecs)
            manager.register(module, plugin.name)
            manager.check_pending()
            methods = _specs(manager.hook.dfbench_methods(), MethodSpec)
            datasets = _specs(manager.hook.dfbench_datasets(), DatasetSpec)
            _check_free([spec.name for spec in methods], self.methods)
            _check_free([spec.name for spec in datasets], self.datasets)
        except (Exception, SystemExit) as fault:  # noqa: BLE001  # whatever a plugin raises
            self._refuse(plugin, fault)
            return
        self.plugins.append(plugin)
        self.methods.update({spec.name: Offer(spec, plugin) for spec in methods})
        self.datasets.update({spec.name: Offer(spec, plugin) for spec in datasets})

    def _refuse(self, plugin: Plugin, fault: BaseException) -> None:
        error = describe_fault(fault)
        self.plugins.append(replace(plugin, error=error))


def load_target(target: str, file: Path | None = None) -> Any:
    """The object of a `"module:attribute"` target; `file` is imported first if it is a plugin's."""
    module, _, attribute = target.partition(":")
    if file is not None and file.stem not in sys.modules:
        _import_file(file)
    return getattr(import_module(module), attribute)


def describe_fault(fault: BaseException) -> str:
    """One line: kind and text of an exception, with the line of a syntax error."""
    if isinstance(fault, DfbenchError):
        return str(fault)
    text = " ".join(str(fault).split())
    return f"{type(fault).__name__}: {text}" if text else type(fault).__name__


def _specs(answers: list[Any], kind: type[Kind]) -> list[Kind]:
    specs = [spec for answer in answers for spec in answer]
    for spec in specs:
        if not isinstance(spec, kind):
            raise PluginFault(f"a hook returned {spec!r}; allowed: {kind.__name__} objects")
    return specs


def _check_free(names: list[str], taken: Container[str]) -> None:
    for place, name in enumerate(names):
        if name in taken:
            raise PluginFault(f"the name {name!r} is already taken by another plugin")
        if name in names[:place]:
            raise PluginFault(f"the name {name!r} is offered twice")


def _import_file(file: Path) -> object:
    if not file.is_file():
        raise InvalidInput(f"no such plugin file: {str(file)!r}")
    name = file.stem
    if name in sys.modules:
        raise InvalidInput(f"a module named {name!r} is already loaded; rename {str(file)!r}")
    spec = spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise InvalidInput(f"not a Python file: {str(file)!r}")
    module = module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _python_files(folder: Path | None) -> Iterator[Path]:
    if folder is not None:
        yield from sorted(folder.glob("*.py"))
