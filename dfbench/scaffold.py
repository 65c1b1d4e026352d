"""A new plugin package, written from a template."""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Literal

import dfbench
from dfbench.errors import InvalidInput
from dfbench.files import atomic_path

Kind = Literal["method", "dataset"]
_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_LAYOUT = {
    "pyproject.toml.txt": "pyproject.toml",
    "README.md.txt": "README.md",
    "gitignore.txt": ".gitignore",
    "workflow.yml.txt": ".github/workflows/tests.yml",
    "init.py.txt": "src/{module}/__init__.py",
    "method.py.txt": "src/{module}/method.py",
    "dataset.py.txt": "src/{module}/dataset.py",
    "test.py.txt": "tests/test_{module}.py",
}


def new_package(kind: Kind, name: str, folder: Path | None) -> Path:
    """Write a package that offers one method or dataset, and return its folder.

    `folder` defaults to the distribution's name, `dfbench-NAME`, in the current folder. Raises
    `InvalidInput` for a name that cannot be one and for a folder that is not empty.
    """
    if not _NAME.fullmatch(name):
        raise InvalidInput(
            f"name {name!r}; allowed: lower case, digits and single hyphens, e.g. dfbench new "
            f"{kind} my-{kind}"
        )
    distribution = f"dfbench-{name}"
    folder = folder or Path(distribution)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InvalidInput(
            f"{str(folder)!r} is there already; allowed: an empty or new folder, dfbench new "
            f"{kind} {name} DIR"
        )
    module = distribution.replace("-", "_")
    words = {
        "name": name,
        "distribution": distribution,
        "module": module,
        "title": name.replace("-", " ").title(),
        "class_name": name.replace("-", " ").title().replace(" ", ""),
        "dfbench_version": dfbench.__version__,
    }
    for template in sorted(files("dfbench").joinpath("templates", kind).iterdir(), key=str):
        target = folder / _LAYOUT[template.name].format(module=module)
        _write(target, Template(template.read_text(encoding="utf-8")).substitute(words))
    _write(folder / "src" / module / "py.typed", "")
    return folder


def _write(file: Path, text: str) -> None:
    with atomic_path(file) as temporary:
        temporary.write_text(text, encoding="utf-8")
