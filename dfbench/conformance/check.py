"""The rules for methods, in report order, and the method under test; independent of torch."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from dfbench.errors import InvalidInput, unknown_name
from dfbench.plugins.host import PluginHost
from dfbench.plugins.sources import ClassSource, PluginSources, class_source
from dfbench.system.files import absolute


class CheckFailed(Exception):
    """A method violates a rule; the text describes how, in one line."""


@dataclass(frozen=True)
class Check:
    """A rule for methods."""

    name: str
    """Its name in reports, test ids and `expected_failures`."""
    rule: str
    """The rule as a clause."""
    target: str
    """Function of a `Stage` in this package, `module:name`; it returns a remark or None, or raises
    `CheckFailed` or an exception of the plugin."""
    after: tuple[str, ...] = ()
    """Checks that must pass before this one."""


_CLASS = ("class",)
_FIT = ("fit",)
_EMBEDDED = ("fit", "embeddings")

CHECKS = (
    Check("class", "its class can be imported and instantiated", "declarations:made"),
    Check("names", "name, title and version are valid", "declarations:names", _CLASS),
    Check("config", "settings are validated, frozen and documented", "declarations:config", _CLASS),
    Check("construction", "it is built from its configuration only", "declarations:kept", _CLASS),
    Check("fit", "fit() returns encoders, given its declared needs", "fits:fit", _CLASS),
    Check("needs", "it uses exactly the needs that it declares", "fits:needs", _FIT),
    Check("trains", "a method declared as untrained does not train", "fits:trains", _FIT),
    Check("configuration", "fit() does not change its configuration", "fits:configuration", _FIT),
    Check("teachers", "fit() does not modify the teachers", "fits:teachers", _FIT),
    Check("global-randomness", "no global random state is used", "fits:global_randomness", _FIT),
    Check("embeddings", "embeddings are finite and of equal width", "encoders:embeddings", _FIT),
    Check("batch-sizes", "batches of any size are accepted", "encoders:batch_sizes", _EMBEDDED),
    Check(
        "batch-independence",
        "an embedding depends only on its image",
        "encoders:batch_independence",
        _EMBEDDED,
    ),
    Check("modes", "embedding, train() and eval() change nothing", "encoders:modes", _EMBEDDED),
    Check("devices", "encoders can be moved and run on a GPU", "fits:devices", _EMBEDDED),
    Check("determinism", "the same seed gives the same result", "fits:determinism", _EMBEDDED),
    Check("resume", "a resumed fit gives the same result", "fits:resume", ("determinism",)),
    Check("overlap", "teachers may know different classes", "fits:overlap", _FIT),
    Check("chance", "retrieval is better than chance", "fits:chance", _EMBEDDED),
)


def check_named(name: str) -> Check:
    """The check of a name. Raises `UnknownName`."""
    for check in CHECKS:
        if check.name == name:
            return check
    raise unknown_name("check", name, (c.name for c in CHECKS), "dfbench check --help")


def chosen_checks(only: Iterable[str] = ()) -> tuple[Check, ...]:
    """The checks of these names in the kit's order; all by default. Raises `UnknownName`."""
    wanted = {check_named(name).name for name in only}
    return tuple(check for check in CHECKS if not wanted or check.name in wanted)


Target = str | Path | type
_PARTS = ("networks", "metrics", "rerankers")
"""Kinds, besides methods, that have checks of their own."""


def parts_of(target: str, sources: PluginSources) -> tuple[PluginHost, list[tuple[str, str]]]:
    """The plugins, including the target, and the kind and name of its other parts.

    `target` is a network, a metric, a re-ranker or a plugin file. Raises `PluginFault` for a
    broken file.
    """
    file = Path(target)
    if file.suffix == ".py" or file.is_file():
        sources = sources.with_files(absolute(file).resolve())
    elif ":" in target and "@" not in target:
        return PluginHost.of(sources), []
    host = PluginHost.of(sources)
    host.require(sources.files)
    named = {absolute(file).resolve()}
    return host, [
        (kind, name)
        for kind in _PARTS
        for name, offer in host.offers[kind].items()
        if offer.plugin.file in named or (name == target and target not in host.methods)
    ]


def rows_of(target: Target, sources: PluginSources) -> tuple[PluginHost, tuple[str, ...]]:
    """The plugins, including the target, and the labels of the target's methods.

    `target` is a method or variant (`crossx`, `crossx[bn]`), `module:Class`, a class, or a plugin
    file, which stands for all of its methods. Raises `PluginFault` for a broken file or class,
    `UnknownName` for an unknown name, with names of all kinds, and `InvalidInput` for a dataset.
    """
    if isinstance(target, type):
        return _class_rows(class_source(target), sources)
    file = Path(target)
    if file.suffix == ".py" or file.is_file():
        return _file_rows(absolute(file).resolve(), sources)
    if ":" in str(target):
        return _class_rows(ClassSource(target=str(target), path=absolute(Path())), sources)
    host = PluginHost.of(sources)
    host.require(sources.files)
    name = str(target).partition("[")[0]
    if name in host.datasets:
        raise InvalidInput(
            f"{name!r} is a dataset; allowed: a method, network, metric, re-ranker or plugin file; "
            f"its images are checked by: dfbench data verify {name}"
        )
    if name not in host.methods:
        raise host.unknown_part(name)
    return host, (str(target),)


def only_row(target: Target, sources: PluginSources) -> tuple[PluginHost, str]:
    """Like `rows_of`, for a target with one method. Raises `InvalidInput` for several."""
    host, labels = rows_of(target, sources)
    if len(labels) > 1:
        raise InvalidInput(
            f"{str(target)!r} offers several methods; allowed: the name of one of them "
            f"({', '.join(sorted(labels))}), with the file among the plugins"
        )
    return host, labels[0]


def _file_rows(file: Path, sources: PluginSources) -> tuple[PluginHost, tuple[str, ...]]:
    sources = sources.with_files(file)
    host = PluginHost.of(sources)
    host.require(sources.files)
    offered = next(p.offers["methods"] for p in host.plugins if p.file == file)
    if not offered:
        raise InvalidInput(
            f"plugin file {str(file)!r} offers no method; return a dfbench.MethodSpec from its "
            "dfbench_methods()"
        )
    return host, offered


def _class_rows(source: ClassSource, sources: PluginSources) -> tuple[PluginHost, tuple[str, ...]]:
    host = PluginHost.of(replace(sources, classes=(source,)))
    host.require(sources.files, (source,))
    found = (name for name, o in host.methods.items() if o.spec.target == source.target)
    return host, (next(found),)
