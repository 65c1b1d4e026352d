"""New plugin packages, written from templates."""

from __future__ import annotations

import keyword
import re
import sys
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Literal

from dfbench.errors import InvalidInput
from dfbench.hookspecs import claimed_name, is_offer_name
from dfbench.system.files import atomic_path, check_writable
from dfbench.version import DISTRIBUTION, __version__

if TYPE_CHECKING:
    from dfbench.plugins.host import PluginHost

Kind = Literal["method", "dataset", "network", "metric", "reranker"]
_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_LAYOUT = {
    "pyproject.toml.txt": "pyproject.toml",
    "README.md.txt": "README.md",
    "gitignore.txt": ".gitignore",
    "workflow.yml.txt": ".github/workflows/tests.yml",
    "init.py.txt": "src/{module}/__init__.py",
    "method.py.txt": "src/{module}/method.py",
    "dataset.py.txt": "src/{module}/dataset.py",
    "network.py.txt": "src/{module}/network.py",
    "metric.py.txt": "src/{module}/metric.py",
    "reranker.py.txt": "src/{module}/reranker.py",
    "test.py.txt": "tests/test_{module}.py",
}


def new_package(kind: Kind, name: str, folder: Path | None) -> Path:
    """Write a package that offers one thing of a kind, and return its folder.

    `folder` defaults to the distribution's name, `dfbench-NAME`, in the current folder. Raises
    `InvalidInput` for an invalid name or a folder that is not empty, and `FileFault` for a folder
    that cannot be written to.
    """
    _check_name(kind, name)
    distribution = f"dfbench-{name}"
    folder = folder or Path(distribution)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InvalidInput(
            f"{str(folder)!r} already exists; allowed: an empty or new folder, dfbench new "
            f"{kind} {name} DIR"
        )
    check_writable(folder / "pyproject.toml")
    module = distribution.replace("-", "_")
    words = {
        "name": name,
        "distribution": distribution,
        "module": module,
        "title": name.replace("-", " ").title(),
        "class_name": name.replace("-", " ").title().replace(" ", ""),
        "dfbench_distribution": DISTRIBUTION,
        "dfbench_version": __version__,
    }
    for template in sorted(files("dfbench").joinpath("templates", kind).iterdir(), key=str):
        target = folder / _LAYOUT[template.name].format(module=module)
        _write(target, Template(template.read_text(encoding="utf-8")).substitute(words))
    _write(folder / "src" / module / "py.typed", "")
    return folder


def check_free(kind: Kind, name: str, host: PluginHost) -> None:
    """Raise `InvalidInput` if a name is invalid or already in use by a plugin or module."""
    _check_name(kind, name)
    offers = {claimed_name(one.spec): one for one in host.offers[f"{kind}s"].values()}
    module = f"dfbench-{name}".replace("-", "_")
    if name in offers:
        owner = offers[name].plugin
        taken = f"the {kind} of plugin {owner.name!r} ({owner.distribution} {owner.version})"
    elif plugin := next((plugin for plugin in host.plugins if plugin.name == name), None):
        taken = f"an installed plugin ({plugin.distribution} {plugin.version})"
    elif find_spec(module) is not None:
        taken = f"taken: a module {module!r} is installed"
    else:
        return
    raise _refused(kind, name, f"it is {taken}", f"an unused name (see: dfbench list {kind}s)")


def _check_name(kind: Kind, name: str) -> None:
    if not (_NAME.fullmatch(name) and is_offer_name(name)):
        raise _refused(
            kind, name, "", "lower-case letters, digits and single hyphens, starting with a letter"
        )
    if keyword.iskeyword(name) or keyword.iskeyword(name.title()):
        raise _refused(kind, name, "it is a Python keyword", "any other name")
    if name.replace("-", "_") in sys.stdlib_module_names:
        raise _refused(kind, name, "it is a standard library module", "any other name")
    if f"dfbench-{name}" == DISTRIBUTION:
        raise _refused(kind, name, f"{DISTRIBUTION!r} is dfbench itself", "any other name")


def _refused(kind: Kind, name: str, why: str, allowed: str) -> InvalidInput:
    given = f"name {name!r}: {why}" if why else f"name {name!r}"
    return InvalidInput(f"{given}; allowed: {allowed}, e.g. dfbench new {kind} my-{kind}")


def _write(file: Path, text: str) -> None:
    with atomic_path(file) as temporary:
        temporary.write_text(text, encoding="utf-8")
