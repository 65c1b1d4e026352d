"""Sources of plugins other than entry points, and import locations of classes."""

from __future__ import annotations

import inspect
from dataclasses import dataclass, replace
from pathlib import Path

from dfbench.errors import InvalidInput


@dataclass(frozen=True)
class ClassSource:
    """A method class named directly, without a plugin."""

    target: str
    """`module:Class`."""
    path: Path | None = None
    """Folder of the module, if it is not on Python's search path."""
    file: Path | None = None
    """The plugin file that defines the class, if any."""


@dataclass(frozen=True)
class PluginSources:
    """Sources of plugins other than entry points."""

    files: tuple[Path, ...] = ()
    folder: Path | None = None
    only: tuple[str, ...] | None = None
    """Names of the only plugins or distributions to load, in addition to `files`."""
    classes: tuple[ClassSource, ...] = ()

    def with_files(self, *files: Path) -> PluginSources:
        """The same sources with additional plugin files, without duplicates."""
        return replace(self, files=tuple(dict.fromkeys((*self.files, *files))))

    @property
    def named(self) -> frozenset[str]:
        """Names of the plugins given as files."""
        return frozenset(file.stem for file in self.files)


def class_source(cls: type) -> ClassSource:
    """Where to import a class from. Raises `InvalidInput` if another process cannot import it."""
    target = f"{cls.__module__}:{cls.__qualname__}"
    remedy = (
        "allowed: a class at the top level of an importable module, e.g. from mymethod import "
        f"{cls.__name__} (each run imports it in a separate process)"
    )
    if cls.__module__ == "__main__":
        raise InvalidInput(f"method {target!r} is defined in a script or notebook; {remedy}")
    if "." in cls.__qualname__:
        raise InvalidInput(f"method {target!r} is defined in a function or class; {remedy}")
    try:
        file = Path(inspect.getfile(cls)).resolve()
    except (OSError, TypeError) as fault:
        raise InvalidInput(f"method {target!r} has no file ({fault}); {remedy}") from fault
    names = cls.__module__.split(".")
    root = file.parents[len(names) if file.name == "__init__.py" else len(names) - 1]
    whole = root.joinpath(*names)
    if file not in (whole.with_suffix(".py"), whole / "__init__.py"):
        raise InvalidInput(
            f"method {target!r} is in {str(file)!r}, whose path does not match; {remedy}"
        )
    return ClassSource(target=target, path=root)
