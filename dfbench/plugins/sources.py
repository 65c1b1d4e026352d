"""Where plugins come from besides entry points, and where another process imports a class from."""

from __future__ import annotations

import inspect
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from dfbench.errors import InvalidInput


class ClassSource(BaseModel):
    """A method's class that was named by itself, without a plugin."""

    model_config = ConfigDict(frozen=True)

    target: str
    """`module:Class`."""
    path: Path | None = None
    """Folder that the module is found in, if Python does not search it anyway."""
    file: Path | None = None
    """The plugin file that the class is in, if it is one."""


class PluginSources(BaseModel):
    """Where plugins come from besides entry points."""

    model_config = ConfigDict(frozen=True)

    files: tuple[Path, ...] = ()
    folder: Path | None = None
    only: tuple[str, ...] | None = None
    """Names of plugins or distributions outside of which none is loaded, but those of `files`."""
    classes: tuple[ClassSource, ...] = ()

    def with_files(self, *files: Path) -> PluginSources:
        """These and more plugin files, each once."""
        return self.model_copy(update={"files": tuple(dict.fromkeys((*self.files, *files)))})

    @property
    def named(self) -> frozenset[str]:
        """Names of the plugins that were named outright, by their files."""
        return frozenset(file.stem for file in self.files)


def class_source(cls: type) -> ClassSource:
    """Where a class is imported from. Raises `InvalidInput` if another process could not."""
    target = f"{cls.__module__}:{cls.__qualname__}"
    remedy = (
        "allowed: a class at the top of a module of its own, e.g. from mymethod import "
        f"{cls.__name__} (a process of its own imports it from there)"
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
        raise InvalidInput(f"method {target!r} is in {str(file)!r}, not so called; {remedy}")
    return ClassSource(target=target, path=root)
