"""Where things live: packages in one order, each importing only what stands before it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

import dfbench

ROOT = Path(dfbench.__file__).parent
CHECKOUT = ROOT.parent

ORDER = (
    # Small words of the domain and of the contract.
    *("version", "errors", "modality", "identity", "class_names", "budget", "hookspecs"),
    "builtin",
    *("system", "numerics"),
    # Retrieval metrics, data, networks, training.
    *("evaluation.ranking", "evaluation.reranking", "evaluation"),
    *("datasets", "datasets.images", "datasets.folder", "datasets.known"),
    *("datasets.shapes.figures", "datasets.shapes", "datasets.cifar_quickdraw"),
    *("datasets.condition", "scenarios"),
    *("networks.backbones", "networks", "learning", "learning.objectives"),
    *("teachers.weights", "teachers"),
    # The contract of a method, and what a user asks for.
    *("need", "artefacts", "method", "plugins", "defaults", "request"),
    # A run, from the processes it needs to its record.
    *("process", "records", "planning", "worker", "runs"),
    # What is done with finished runs, or with many.
    *("retrieval", "drawing"),
    *("reporting", "reporting.comparisons", "reporting.tables", "reporting.plots"),
    *("reporting.site", "suites.executors", "suites", "conformance"),
    *("interface", "cli", "__main__"),
)
"""Packages and modules of `dfbench`; imports go from later to earlier ones."""

MOST_MODULES = 16
"""In one folder, so that its listing fits on a screen; `cli` has one module a command."""

PUBLIC = (
    *("dfbench", "dfbench.datasets", "dfbench.errors", "dfbench.method"),
    *("dfbench.networks", "dfbench.teachers"),
)
PUBLIC_PACKAGES = ("dfbench.learning",)
"""Packages whose modules are public too; the plugin guide names both."""


def _modules() -> dict[str, Path]:
    return {_name(file): file for file in sorted(ROOT.rglob("*.py"))}


def _name(file: Path) -> str:
    parts = file.relative_to(CHECKOUT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _imported(file: Path, modules: dict[str, Path]) -> Iterator[str]:
    """Modules of dfbench that a file imports anywhere, also in functions and for types only."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "dfbench":
            assert node.module is not None
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield inner if inner in modules else node.module
        elif isinstance(node, ast.Import):
            yield from (a.name for a in node.names if a.name.split(".")[0] == "dfbench")


def _edges() -> dict[str, set[str]]:
    modules = _modules()
    return {name: set(_imported(file, modules)) - {name} for name, file in modules.items()}


def _room(module: str) -> str:
    """The longest entry of `ORDER` that a module belongs to."""
    inner = module.removeprefix("dfbench.")
    return max((r for r in ORDER if inner == r or inner.startswith(f"{r}.")), key=len, default="")


def test_every_module_has_its_place_in_the_order() -> None:
    assert [name for name in _modules() if name != "dfbench" and not _room(name)] == []


def test_packages_import_only_what_stands_before_them() -> None:
    upward = [
        f"{module} imports {other}"
        for module, others in _edges().items()
        if module != "dfbench"  # the public surface, which names what it re-exports
        for other in sorted(others)
        if other == "dfbench" or ORDER.index(_room(other)) > ORDER.index(_room(module))
    ]
    assert upward == []


def test_no_modules_import_each_other_in_a_circle() -> None:
    edges = {module: others - {"dfbench"} for module, others in _edges().items()}
    edges.pop("dfbench")
    left = dict(edges)
    while free := [m for m, others in left.items() if not others & left.keys()]:
        for module in free:
            left.pop(module)
    assert sorted(left) == []


@pytest.mark.parametrize("folder", sorted({f.parent for f in _modules().values()}), ids=str)
def test_a_folder_has_no_more_modules_than_a_reader_can_scan(folder: Path) -> None:
    modules = [file for file in folder.glob("*.py") if file.name != "__init__.py"]
    assert folder.name == "cli" or len(modules) <= MOST_MODULES


def test_no_module_is_longer_than_400_lines() -> None:
    lengths = {n: len(f.read_text(encoding="utf-8").splitlines()) for n, f in _modules().items()}
    assert {name: length for name, length in lengths.items() if length > 400} == {}


def test_no_two_public_classes_have_one_name() -> None:
    homes = sorted(
        (node.name, module)
        for module, file in _modules().items()
        for node in ast.parse(file.read_text(encoding="utf-8")).body
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    )
    assert [(a, b) for a, b in pairwise(homes) if a[0] == b[0]] == []


@pytest.mark.parametrize("plugin", ["dfbench_baselines", "example"])
def test_plugins_import_only_what_is_public(plugin: str) -> None:
    modules = _modules()
    private = [
        f"{file.name} imports {module}"
        for file in sorted((CHECKOUT / "plugins" / plugin).rglob("*.py"))
        for module in _imported(file, modules)
        if module not in PUBLIC
        and not any(f"{module}.".startswith(f"{package}.") for package in PUBLIC_PACKAGES)
    ]
    assert private == []
