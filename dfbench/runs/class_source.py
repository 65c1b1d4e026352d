"""How another process finds a method's class that was named by itself."""

from __future__ import annotations

import inspect
from pathlib import Path

from dfbench.errors import InvalidInput
from dfbench.runs.request import ClassSource


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
