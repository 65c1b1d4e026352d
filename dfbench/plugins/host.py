"""Discovery of plugins, with broken ones isolated from the rest.

Each plugin found is probed for what it offers (`dfbench.plugins.probe`). Its code is imported into
this process only when something of it is loaded, guarded by `plugin_code`.
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from dfbench import hookspecs
from dfbench.errors import PluginFault, UnknownName, unknown_name
from dfbench.hookspecs import (
    KINDS,
    AnySpec,
    DatasetSpec,
    MethodSpec,
    MetricSpec,
    NetworkSpec,
    RerankerSpec,
    claimed_name,
)
from dfbench.plugins.code import IMPORT_SECONDS, describe_fault, load_target, plugin_code
from dfbench.plugins.probe import GROUP, Answer, PluginSource, ask_apart, ask_here
from dfbench.version import DISTRIBUTION

if TYPE_CHECKING:
    from dfbench.plugins.sources import ClassSource, PluginSources

Spec = TypeVar("Spec", bound=AnySpec, covariant=True)


@dataclass(frozen=True)
class Plugin:
    """A discovered plugin, working or broken."""

    name: str
    version: str
    """Version of its distribution; `-` for a single file."""
    origin: str
    """The file or module it comes from."""
    file: Path | None = None
    """The file, for a single-file plugin."""
    distribution: str = "-"
    """The installed package that provides it; `-` for a single file."""
    wanted: bool = True
    """False if `DFBENCH_PLUGINS` excludes it; it is then not imported."""
    hooks: tuple[str, ...] = ()
    """The hooks it implements, sorted."""
    offers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Names of what it offers, by kind as in `dfbench.hookspecs.KINDS`."""
    error: str | None = None
    """Why it is broken; None if it works."""
    place: str | None = None
    """`FILE:LINE` of the error; None if it is not in a line of the plugin."""
    traceback: str | None = None
    """The full traceback of the error."""

    @property
    def source(self) -> PluginSource:
        """The file or entry point to import."""
        return PluginSource(self.name, self.origin, self.file)

    @property
    def own(self) -> bool:
        """Whether it is part of dfbench."""
        return self.distribution == DISTRIBUTION

    @property
    def state(self) -> str:
        """`works`, `broken` or `left out`."""
        if not self.wanted:
            return "left out"
        return "broken" if self.error else "works"


@dataclass(frozen=True)
class Offer(Generic[Spec]):
    """A spec together with the plugin that offers it."""

    spec: Spec
    plugin: Plugin

    def load(self) -> Any:
        """Import the plugin, then the spec's target. Raises `PluginFault` if that fails."""
        plugin = self.plugin
        try:
            with plugin_code(IMPORT_SECONDS):
                plugin.source.load()
                return load_target(self.spec.target)
        except Exception as fault:  # a plugin may raise anything
            raise PluginFault(
                f"plugin {plugin.name!r} {plugin.version}: target {self.spec.target!r} "
                f"of {self.spec.name!r} cannot be loaded: {describe_fault(fault)}"
            ) from fault


class PluginHost:
    """All plugins discovered by entry point, file, folder or class.

    Names are assigned in order of discovery, dfbench's own first; a later plugin that offers a
    name already in use is broken. With `only`, plugins found by entry point or in the folder are
    loaded only if it contains their name or distribution; it raises `UnknownName` for a name that
    no plugin has. Plugins named in `here` are imported in this process, which they may crash; all
    other third-party plugins are probed in separate processes.
    """

    def __init__(
        self,
        files: Iterable[Path] = (),
        folder: Path | None = None,
        only: tuple[str, ...] | None = None,
        classes: Iterable[ClassSource] = (),
        *,
        here: Collection[str] = (),
    ) -> None:
        self.plugins: list[Plugin] = []
        self.offers: dict[str, dict[str, Offer[Any]]] = {kind: {} for kind in KINDS}
        classes = tuple(classes)
        found = [*_installed(only), *_in_files(folder, tuple(files), only)]
        _check_only(only, found, classes)
        for plugin, answer in zip(found, _answers(found, here), strict=True):
            self._add(plugin, answer)
        for source in classes:
            self._add_class(source)

    @classmethod
    def of(cls, sources: PluginSources, *, here: Collection[str] = ()) -> PluginHost:
        """The plugins of `sources` and those found by entry point."""
        return cls(sources.files, sources.folder, sources.only, sources.classes, here=here)

    @property
    def methods(self) -> Mapping[str, Offer[MethodSpec]]:
        """The methods, by name."""
        return self.offers["methods"]

    @property
    def datasets(self) -> Mapping[str, Offer[DatasetSpec]]:
        """The datasets, by name."""
        return self.offers["datasets"]

    @property
    def networks(self) -> Mapping[str, Offer[NetworkSpec]]:
        """The networks, by name."""
        return self.offers["networks"]

    @property
    def metrics(self) -> Mapping[str, Offer[MetricSpec]]:
        """The metrics, by the pattern of their names."""
        return self.offers["metrics"]

    @property
    def rerankers(self) -> Mapping[str, Offer[RerankerSpec]]:
        """The re-rankers, by name."""
        return self.offers["rerankers"]

    def method(self, name: str) -> Offer[MethodSpec]:
        """The method of this name. Raises `UnknownName`."""
        return self.find("methods", name)

    def dataset(self, name: str) -> Offer[DatasetSpec]:
        """The dataset of this name. Raises `UnknownName`."""
        return self.find("datasets", name)

    def reranker(self, name: str) -> Offer[RerankerSpec]:
        """The re-ranker of this name. Raises `UnknownName`."""
        return self.find("rerankers", name)

    def require(self, files: Iterable[Path], classes: Iterable[ClassSource] = ()) -> None:
        """Raise `PluginFault` if a plugin or class that the user named is broken."""
        wanted = set(files)
        targets = {source.target for source in classes}
        for plugin in self.plugins:
            if plugin.error and plugin.file in wanted:
                if plugin.file is not None and not plugin.file.is_file():
                    raise PluginFault(f"{plugin.error}; allowed: the path of a Python file")
                raise PluginFault(f"plugin file {plugin.origin!r} does not work: {plugin.error}")
            if plugin.error and plugin.origin in targets:
                raise PluginFault(f"method {plugin.origin!r} does not work: {plugin.error}")

    def find(self, kind: str, name: str) -> Offer[Any]:
        """What plugins offer under this name, of a kind of `KINDS`. Raises `UnknownName`."""
        offers = self.offers[kind]
        if name not in offers:
            raise self.unknown(kind, name, offers)
        return offers[name]

    def unknown(self, kind: str, name: str, allowed: Iterable[str]) -> UnknownName:
        """The error for a name that nothing of a kind has; it names broken plugins."""
        return self._unless_broken(
            unknown_name(_singular(kind), name, allowed, f"dfbench list {kind}")
        )

    def unknown_part(self, name: str) -> UnknownName:
        """The error for a name that nothing of any kind has, with the names of each kind."""
        known = {one: _singular(kind) for kind, found in self.offers.items() for one in found}
        close = get_close_matches(name, sorted(known), n=1, cutoff=0.5)
        hint = f"; did you mean the {known[close[0]]} {close[0]!r}?" if close else ";"
        allowed = "; ".join(
            f"{kind.replace('rerank', 're-rank')}: {', '.join(sorted(found))}"
            for kind, found in self.offers.items()
        )
        text = f"unknown name {name!r}{hint} allowed: {allowed}; or a plugin file"
        return self._unless_broken(UnknownName(f"{text} (see: dfbench list plugins)"))

    def _unless_broken(self, error: UnknownName) -> UnknownName:
        """The error with the names of broken plugins, if there are any."""
        broken = ", ".join(sorted(plugin.name for plugin in self.plugins if plugin.error))
        if not broken:
            return error
        return UnknownName(
            f"{error}; broken plugins, which may offer it: {broken} (see: dfbench list plugins)"
        )

    def _add_class(self, source: ClassSource) -> None:
        known = {offer.spec.target for offer in self.methods.values()}
        if source.target not in known:
            name = source.target.partition(":")[0]
            plugin = Plugin(name, "-", source.target, source.file)
            self._add(plugin, ask_here(name, lambda: _class_offer(source)))

    def _add(self, plugin: Plugin, answer: Answer | None) -> None:
        if answer is None:
            self.plugins.append(replace(plugin, wanted=False))
            return
        error = answer.error or self._taken(answer)
        if error is not None:
            told = replace(plugin, error=error, place=answer.place, traceback=answer.traceback)
            self.plugins.append(told)
            return
        plugin = replace(
            plugin,
            hooks=answer.hooks,
            offers={
                kind: tuple(spec.name for spec in specs) for kind, specs in answer.specs.items()
            },
        )
        self.plugins.append(plugin)
        for kind, specs in answer.specs.items():
            self.offers[kind] |= {spec.name: Offer(spec, plugin) for spec in specs}

    def _taken(self, answer: Answer) -> str | None:
        """The error if another plugin already has one of the names; None otherwise."""
        for kind, specs in answer.specs.items():
            offers = self.offers[kind].values()
            owners = {claimed_name(offer.spec): offer.plugin for offer in offers}
            for name in map(claimed_name, specs):
                if owner := owners.get(name):
                    return (
                        f"the {kind.removesuffix('s')} name {name!r} is taken by plugin "
                        f"{owner.name!r} ({owner.distribution} {owner.version}, {owner.origin}); "
                        "rename one, or exclude one: DFBENCH_PLUGINS=NAME,NAME"
                    )
        return None


def _singular(kind: str) -> str:
    return kind.removesuffix("s").replace("rerank", "re-rank")


def _installed(only: Collection[str] | None) -> Iterator[Plugin]:
    """Plugins by entry point, dfbench's own first so that no other can take their names."""
    for entry in sorted(entry_points(group=GROUP), key=_precedence):
        distribution = entry.dist
        plugin = Plugin(
            entry.name,
            distribution.version if distribution else "-",
            entry.value,
            distribution=distribution.name if distribution else "-",
        )
        wanted = only is None or bool({plugin.name, plugin.distribution} & {*only})
        yield replace(plugin, wanted=wanted)


def _in_files(
    folder: Path | None, named: Sequence[Path], only: Collection[str] | None
) -> Iterator[Plugin]:
    """Plugin files in the folder, then those named explicitly, without duplicates."""
    there = [] if folder is None else sorted(folder.glob("*.py"))
    for file in dict.fromkeys((*there, *named)):
        wanted = only is None or file.stem in only or file in named
        yield Plugin(_printable(file.stem), "-", _printable(str(file)), file, wanted=wanted)


def _printable(name: str) -> str:
    """A file's name, with undecodable bytes escaped."""
    return name.encode(errors="surrogateescape").decode(errors="backslashreplace")


def _check_only(
    only: tuple[str, ...] | None, found: Iterable[Plugin], classes: Iterable[ClassSource]
) -> None:
    known = {name for plugin in found for name in (plugin.name, plugin.distribution)}
    known |= {source.target.partition(":")[0] for source in classes}
    for name in only or ():
        if name not in known:
            raise unknown_name("plugin", name, known - {"-"}, "dfbench list plugins")


def _answers(found: Sequence[Plugin], here: Collection[str]) -> list[Answer | None]:
    """Each plugin's answer; None for an excluded plugin."""
    answers: dict[int, Answer] = {}
    apart: dict[int, PluginSource] = {}
    files: dict[str, Path] = {}
    for place, plugin in enumerate(found):
        if not plugin.wanted:
            continue
        if plugin.file and files.setdefault(plugin.name, plugin.file) != plugin.file:
            error = f"{str(files[plugin.name])!r} has the same name; rename {plugin.origin!r}"
            answers[place] = Answer(error=error)
        elif plugin.own or plugin.name in here:
            answers[place] = ask_here(plugin.name, plugin.source.load)
        else:
            apart[place] = plugin.source
    answers |= zip(apart, ask_apart(list(apart.values())), strict=True)
    return [answers.get(place) for place in range(len(found))]


def _precedence(entry: EntryPoint) -> tuple[bool, str, str]:
    own = entry.dist is not None and entry.dist.name == DISTRIBUTION
    return not own, entry.value, entry.name


def _class_offer(source: ClassSource) -> object:
    """A plugin that offers one class, imported here to learn its name."""
    if source.path is not None and str(source.path) not in sys.path:
        sys.path.append(str(source.path))
    cls = load_target(source.target, source.file)
    try:
        spec = MethodSpec(cls.name, cls.title, source.target)
    except AttributeError as fault:
        raise PluginFault(
            f"{source.target!r} is not a method: {fault}; allowed: a subclass of dfbench.Method "
            "with name, title and version"
        ) from fault
    return SimpleNamespace(dfbench_methods=hookspecs.hookimpl(lambda: [spec]))
