"""Finding plugins, and keeping a broken one from hurting the others."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass, replace
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from traceback import format_exception, walk_tb
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import pluggy

from dfbench import hookspecs
from dfbench.errors import DfbenchError, InvalidInput, PluginFault, unknown_name
from dfbench.hookspecs import DatasetSpec, MethodSpec

if TYPE_CHECKING:
    from dfbench.runs.request import ClassSource, PluginSources

Spec = TypeVar("Spec", MethodSpec, DatasetSpec)
Kind = TypeVar("Kind")

GROUP = "dfbench"
"""The entry-point group of plugins."""
_CORE = Path(__file__).parent
_PLUGGY = Path(pluggy.__file__).parent


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
    distribution: str = "-"
    """The installed package that brings it; `-` for a single file."""
    wanted: bool = True
    """False for one that `DFBENCH_PLUGINS` leaves out: it is not imported."""
    hooks: tuple[str, ...] = ()
    """The hooks it implements, sorted."""
    methods: tuple[str, ...] = ()
    """Names of the methods it offers."""
    datasets: tuple[str, ...] = ()
    """Names of the datasets it offers."""
    error: str | None = None
    """Why it offers nothing; None if it works."""
    place: str | None = None
    """`FILE:LINE` of the error; None where it is not a line of its own."""
    traceback: str | None = None
    """The whole traceback of the error."""

    @property
    def state(self) -> str:
        """`works`, `broken` or `left out`."""
        if not self.wanted:
            return "left out"
        return "broken" if self.error else "works"


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
    """All plugins of this process, by entry point, by file, by folder and by class.

    Names are taken in the order found, dfbench's own first; a second plugin that offers a taken
    name is refused. With `only`, plugins found by entry point or in the folder are loaded if their
    name or their distribution is among these; `UnknownName` for one that is not there. What plugins
    print while they are imported goes to standard error.
    """

    def __init__(
        self,
        files: Iterable[Path] = (),
        folder: Path | None = None,
        only: tuple[str, ...] | None = None,
        classes: Iterable[ClassSource] = (),
    ) -> None:
        self.plugins: list[Plugin] = []
        self.methods: dict[str, Offer[MethodSpec]] = {}
        self.datasets: dict[str, Offer[DatasetSpec]] = {}
        self._only = only
        with redirect_stdout(sys.stderr):
            for entry in sorted(entry_points(group=GROUP), key=_precedence):
                self._add_entry_point(entry)
            for file in _python_files(folder):
                self._add_file(file)
            self._check_only()
            self._only = None  # what is named outright is wanted
            for file in files:
                self._add_file(file)
            for source in classes:
                self._add_class(source)

    @classmethod
    def of(cls, sources: PluginSources) -> PluginHost:
        """The plugins that sources name, besides those found by entry point."""
        return cls(sources.files, sources.folder, sources.only, sources.classes)

    def method(self, name: str) -> Offer[MethodSpec]:
        """The method of this name. Raises `UnknownName`."""
        return self._find("method", name, self.methods)

    def dataset(self, name: str) -> Offer[DatasetSpec]:
        """The dataset of this name. Raises `UnknownName`."""
        return self._find("dataset", name, self.datasets)

    def require(self, files: Iterable[Path], classes: Iterable[ClassSource] = ()) -> None:
        """Raise `PluginFault` if one of these, which the user named, does not work."""
        wanted = set(files)
        targets = {source.target for source in classes}
        for plugin in self.plugins:
            if plugin.error and plugin.file in wanted:
                raise PluginFault(f"plugin file {plugin.origin!r} does not work: {plugin.error}")
            if plugin.error and plugin.origin in targets:
                raise PluginFault(f"method {plugin.origin!r} does not work: {plugin.error}")

    def _find(self, kind: str, name: str, offers: dict[str, Offer[Spec]]) -> Offer[Spec]:
        if name not in offers:
            raise unknown_name(kind, name, offers, f"dfbench list {kind}s")
        return offers[name]

    def _check_only(self) -> None:
        known = {name for plugin in self.plugins for name in (plugin.name, plugin.distribution)}
        for name in self._only or ():
            if name not in known:
                raise unknown_name("plugin", name, known - {"-"}, "dfbench list plugins")

    def _add_entry_point(self, entry: EntryPoint) -> None:
        distribution = entry.dist
        plugin = Plugin(
            entry.name,
            distribution.version if distribution else "-",
            entry.value,
            distribution=distribution.name if distribution else "-",
        )
        self._add(plugin, entry.load)

    def _add_file(self, file: Path) -> None:
        self._add(Plugin(file.stem, "-", str(file), file), lambda: _import_file(file))

    def _add_class(self, source: ClassSource) -> None:
        known = {offer.spec.target for offer in self.methods.values()}
        if source.target not in known:
            name = source.target.partition(":")[0]
            plugin = Plugin(name, "-", source.target, source.file)
            self._add(plugin, lambda: _class_offer(source))

    def _add(self, plugin: Plugin, load: Callable[[], object]) -> None:
        if self._only is not None and not {plugin.name, plugin.distribution} & {*self._only}:
            self.plugins.append(replace(plugin, wanted=False))
            return
        try:
            self._register(plugin, load())
        except (Exception, SystemExit) as fault:  # noqa: BLE001  # whatever a plugin raises
            self.plugins.append(
                replace(
                    plugin,
                    error=describe_fault(fault),
                    place=_place(fault),
                    traceback="".join(format_exception(fault)),
                )
            )

    def _register(self, plugin: Plugin, module: object) -> None:
        manager = pluggy.PluginManager(GROUP)
        manager.add_hookspecs(hookspecs)
        manager.register(module, plugin.name)
        manager.check_pending()
        methods = _specs(manager.hook.dfbench_methods(), MethodSpec)
        datasets = _specs(manager.hook.dfbench_datasets(), DatasetSpec)
        _check_free("method", methods, self.methods)
        _check_free("dataset", datasets, self.datasets)
        plugin = replace(
            plugin,
            hooks=tuple(sorted(caller.name for caller in manager.get_hookcallers(module) or ())),
            methods=tuple(spec.name for spec in methods),
            datasets=tuple(spec.name for spec in datasets),
        )
        self.plugins.append(plugin)
        self.methods.update({spec.name: Offer(spec, plugin) for spec in methods})
        self.datasets.update({spec.name: Offer(spec, plugin) for spec in datasets})


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


def _check_free(kind: str, specs: list[Spec], taken: Mapping[str, Offer[Spec]]) -> None:
    for place, spec in enumerate(specs):
        if spec.name in taken:
            owner = taken[spec.name].plugin
            raise PluginFault(
                f"the {kind} name {spec.name!r} is taken by plugin {owner.name!r} "
                f"({owner.distribution} {owner.version}, {owner.origin}); rename one, or leave one "
                "out: DFBENCH_PLUGINS=NAME,NAME"
            )
        if spec.name in [earlier.name for earlier in specs[:place]]:
            raise PluginFault(f"the {kind} name {spec.name!r} is offered twice")


def _precedence(entry: EntryPoint) -> tuple[bool, str, str]:
    """Own plugins first, so that no other takes their names."""
    own = entry.dist is not None and entry.dist.name == "dfbench"
    return not own, entry.value, entry.name


def _place(fault: BaseException) -> str | None:
    """`FILE:LINE` at which a plugin went wrong: the innermost line outside of dfbench."""
    if isinstance(fault, SyntaxError) and fault.filename:
        return f"{fault.filename}:{fault.lineno or 1}"
    found = None
    for frame, line in walk_tb(fault.__traceback__):
        file = Path(frame.f_code.co_filename)
        if file.is_file() and not (file.is_relative_to(_CORE) or file.is_relative_to(_PLUGGY)):
            found = f"{file}:{line}"
    return found


def _class_offer(source: ClassSource) -> object:
    """A plugin that offers one class, which is imported here so that its name is known."""
    if source.path is not None and str(source.path) not in sys.path:
        sys.path.append(str(source.path))
    cls = load_target(source.target, source.file)
    try:
        spec = MethodSpec(cls.name, cls.title, source.target)
    except AttributeError as fault:
        raise PluginFault(
            f"{source.target!r} is no method: {fault}; allowed: a subclass of dfbench.Method with "
            "name, title and version"
        ) from fault
    return SimpleNamespace(dfbench_methods=hookspecs.hookimpl(lambda: [spec]))


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
