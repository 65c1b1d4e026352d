"""What `dfbench check` is pointed at: a row, a class, or a file of methods."""

from __future__ import annotations

from pathlib import Path

from dfbench.errors import InvalidInput
from dfbench.files import absolute
from dfbench.plugins import PluginHost
from dfbench.runs.class_source import class_source
from dfbench.runs.request import ClassSource, PluginSources

Target = str | Path | type


def rows_of(target: Target, sources: PluginSources) -> tuple[PluginHost, tuple[str, ...]]:
    """The plugins with the target among them, and the labels of the rows that it means.

    `target` is a row (`crossx`, `crossx[bn]`), `module:Class`, a class, or a plugin file, which
    means all of its methods. Raises `PluginFault` for a file or class that does not work and
    `UnknownName` for a row that nobody offers.
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
    host.method(str(target).partition("[")[0])
    return host, (str(target),)


def only_row(target: Target, sources: PluginSources) -> tuple[PluginHost, str]:
    """As `rows_of`, for a target that means one row. Raises `InvalidInput` for several."""
    host, labels = rows_of(target, sources)
    if len(labels) > 1:
        raise InvalidInput(
            f"{str(target)!r} offers several methods; allowed: one of them by name, "
            f"{', '.join(sorted(labels))}, with the file among the plugins"
        )
    return host, labels[0]


def _file_rows(file: Path, sources: PluginSources) -> tuple[PluginHost, tuple[str, ...]]:
    sources = sources.with_files(file)
    host = PluginHost.of(sources)
    host.require(sources.files)
    offered = next(plugin.methods for plugin in host.plugins if plugin.file == file)
    if not offered:
        raise InvalidInput(
            f"plugin file {str(file)!r} offers no method; let its dfbench_methods() return a "
            "dfbench.MethodSpec"
        )
    return host, offered


def _class_rows(source: ClassSource, sources: PluginSources) -> tuple[PluginHost, tuple[str, ...]]:
    host = PluginHost.of(sources.model_copy(update={"classes": (source,)}))
    host.require(sources.files, (source,))
    found = (name for name, o in host.methods.items() if o.spec.target == source.target)
    return host, (next(found),)
