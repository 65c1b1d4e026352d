"""The hooks a plugin may implement: the complete contract between dfbench and plugins.

A plugin is a module (or object) with functions of these names, marked with `dfbench.hookimpl` and
found through the entry-point group `dfbench`, `--plugin FILE` or the folder `DFBENCH_PLUGINS_DIR`.
Hooks and arguments are only ever added. Importing a plugin must be cheap: a spec names its target
as `"module:attribute"`, which is imported when what it names is used. A spec checks its fields on
construction, so that the error points at the plugin's own line.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal, get_args

from pluggy import HookimplMarker, HookspecMarker

from dfbench.errors import LARGEST_IMAGE, PluginFault

hookspec = HookspecMarker("dfbench")
hookimpl = HookimplMarker("dfbench")

NO_IMAGES = "no-images"
"""Dataset name of a run without a dataset; no dataset can have it."""
_NAME = re.compile(r"[a-z0-9]+([-_][a-z0-9]+)*")
_NAME_LENGTH = 64
_TARGET = re.compile(r"[^:]+:[^:.]+(\.[^:.]+)*")
_METRIC = re.compile(
    r"(?P<family>[a-z0-9]+([-_][a-z0-9]+)*)(@(all|[1-9][0-9]*|\{k\}))?"
    r"(:([a-z0-9]+([-_][a-z0-9]+)*|\{[a-z]+\}))?"
)

Ties = Literal["expected", "gallery"]
"""How a metric resolves ties: in expectation over their orders, or in the gallery's order."""
_FOLDER = re.compile(r"[^:/]+:[^:./]+")


def is_offer_name(text: object) -> bool:
    """Whether a method, dataset or network can have this name."""
    return isinstance(text, str) and len(text) <= _NAME_LENGTH and bool(_NAME.fullmatch(text))


@dataclass(frozen=True)
class MethodSpec:
    """A method a plugin offers: `target` names a subclass of `dfbench.Method`."""

    name: str
    """Name for `--method`: lower case, digits, hyphens and underscores, e.g. `crossx`."""
    title: str
    """Name in tables, e.g. `CrossX-DFL`."""
    target: str
    """Import path of the class, e.g. `my_package.my_method:MyMethod`."""
    beside: tuple[str, ...] = ()
    """Labels of cheap baselines that put its score in context; `dfbench run` runs them too."""
    trains: bool = True
    """False for a method that trains nothing, which tables list apart from those that do.

    Where it depends on the configuration, `dfbench.Method.trains` decides.
    """

    def __post_init__(self) -> None:
        _check_fields(self)
        if not isinstance(self.beside, list | tuple) or not all(map(_is_line, self.beside)):
            raise _wrong(self, "beside", "a tuple of labels, e.g. ('classifier-only',)")
        object.__setattr__(self, "beside", tuple(self.beside))
        if not isinstance(self.trains, bool):
            raise _wrong(self, "trains", "True or False")


@dataclass(frozen=True)
class DatasetSpec:
    """A dataset a plugin offers: `target(request)` returns a `dfbench.datasets.Dataset`."""

    name: str
    """Name for `--dataset`, before any colon."""
    title: str
    """One-line description for `dfbench list datasets`."""
    target: str
    """Import path of the opening function, e.g. `my_package.my_data:open_dataset`."""
    argument: str | None = None
    """What follows the colon in `--dataset NAME:ARGUMENT`, e.g. `PATH`; None if nothing does."""
    teachers: str | None = None
    """Folder of trained networks in the folder of a module, e.g. `my_package.my_data:teachers`.

    `dfbench teachers train --out` writes it. Runs whose recipe, data and seed are those of a
    network there use it instead of training one.
    """

    def __post_init__(self) -> None:
        _check_fields(self)
        if self.name == NO_IMAGES:
            raise _wrong(self, "name", "another: this one means no dataset")
        if self.argument is not None and not _is_line(self.argument):
            raise _wrong(self, "argument", "None, or one line of text, e.g. 'PATH'")
        folder = self.teachers
        if folder is not None and not (_is_line(folder) and _FOLDER.fullmatch(folder)):
            raise _wrong(self, "teachers", "None, or 'module:folder', e.g. 'my_data:teachers'")


@dataclass(frozen=True)
class NetworkSpec:
    """A network a plugin offers: `target(image_size)` returns a `dfbench.networks.Backbone`."""

    name: str
    """Name for `--set teachers.network=NAME`."""
    title: str
    """One-line description for `dfbench list networks`."""
    target: str
    """Import path of the class or function, e.g. `my_package.my_network:MyNetwork`."""
    version: int = 1
    """Increased when the same weights may give other features; part of every identity."""
    enlarged_to: int = 0
    """Size in pixels to which smaller images are enlarged, unless the name says `NAME@SIZE`."""

    def __post_init__(self) -> None:
        _check_fields(self)
        _check_version(self)
        if not (_is_whole(self.enlarged_to) and 0 <= self.enlarged_to <= LARGEST_IMAGE):
            raise _wrong(self, "enlarged_to", f"a whole number from 0 to {LARGEST_IMAGE}")


@dataclass(frozen=True)
class MetricSpec:
    """A metric a plugin offers: a function of the ranked relevance, with its definition as data.

    `target(ranked, **parameters)` returns one value in [0, 1] per query, float64 `[B]`, higher for
    better rankings. `ranked` is a `dfbench.evaluation.TieGroups`, or a
    `dfbench.evaluation.PositiveRanks` if `ties` is `gallery`.
    """

    name: str
    """`family[@k][:variant]`, e.g. `mrr`, `ndcg@all` or `ndcg@{k}`. A number takes the place of
    what is in braces, and is passed to the target under that name."""
    formula: str
    """The definition in one line, printed with the number; `{k}` is replaced."""
    target: str
    """Import path of the function, e.g. `my_package.my_metric:reciprocal_rank`."""
    ties: Ties = "expected"
    """`expected`: the target returns the expectation over all orders of tied photos. `gallery`:
    tied photos keep the gallery's order."""
    used_by: str = ""
    """Publications that use it."""
    version: int = 1
    """Increased when any value may change."""
    bounded: bool = False
    """Whether a query's value cannot exceed min(1, R/k), R being its relevant photos."""

    def __post_init__(self) -> None:
        if not (isinstance(self.name, str) and _METRIC.fullmatch(self.name)):
            raise _wrong(self, "name", "family[@k][:variant], e.g. 'mrr', 'ndcg@all', 'ndcg@{k}'")
        if not _is_line(self.formula):
            raise _wrong(self, "formula", "one line of text")
        _check_target(self)
        if self.ties not in get_args(Ties):
            raise _wrong(self, "ties", "'expected' or 'gallery'")
        if self.used_by and not _is_line(self.used_by):
            raise _wrong(self, "used_by", "one line of text")
        _check_version(self)
        if not isinstance(self.bounded, bool) or (self.bounded and "@{k}" not in self.name):
            raise _wrong(self, "bounded", "False, or True in a name with '@{k}'")

    @property
    def title(self) -> str:
        """The formula."""
        return self.formula


@dataclass(frozen=True)
class RerankerSpec:
    """A re-ranker a plugin offers: `target` names a subclass of `dfbench.Reranker`."""

    name: str
    """Name for `--rerank`."""
    title: str
    """One-line description for `dfbench list rerankers`."""
    target: str
    """Import path of the class, e.g. `my_package.my_reranker:MyReranker`."""

    def __post_init__(self) -> None:
        _check_fields(self)


AnySpec = MethodSpec | DatasetSpec | NetworkSpec | MetricSpec | RerankerSpec
KINDS: dict[str, type[AnySpec]] = {
    "methods": MethodSpec,
    "datasets": DatasetSpec,
    "networks": NetworkSpec,
    "metrics": MetricSpec,
    "rerankers": RerankerSpec,
}
"""What plugins offer; the hook of each kind is `dfbench_` and its name."""


def claimed_name(spec: AnySpec) -> str:
    """The name that nothing of the same kind in another plugin can have; of a metric, its family.

    >>> claimed_name(MetricSpec("ndcg@{k}", "DCG over that of the best order", "mine:ndcg"))
    'ndcg'
    """
    return re.split("[@:]", spec.name)[0] if isinstance(spec, MetricSpec) else spec.name


def _check_fields(spec: MethodSpec | DatasetSpec | NetworkSpec | RerankerSpec) -> None:
    if not is_offer_name(spec.name):
        allowed = "lower case and digits with single hyphens or underscores between them, e.g. "
        raise _wrong(spec, "name", f"{allowed}'my-method', at most {_NAME_LENGTH} characters")
    if not _is_line(spec.title):
        raise _wrong(spec, "title", "one line of text")
    _check_target(spec)


def _check_target(spec: AnySpec) -> None:
    if not (_is_line(spec.target) and _TARGET.fullmatch(spec.target)):
        raise _wrong(spec, "target", "'module:attribute', e.g. 'my_package.my_module:MyName'")


def _check_version(spec: NetworkSpec | MetricSpec) -> None:
    if not _is_whole(spec.version) or spec.version < 1:
        raise _wrong(spec, "version", "a whole number from 1")


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_line(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip()) and value.isprintable()


def _wrong(spec: AnySpec, field: str, allowed: str) -> PluginFault:
    given = ascii(getattr(spec, field))
    shown = given if len(given) <= _NAME_LENGTH else f"{given[:_NAME_LENGTH]}..."
    return PluginFault(f"{type(spec).__name__} has {field}={shown}; allowed: {allowed}")


@hookspec
def dfbench_methods() -> Iterable[MethodSpec]:  # type: ignore[empty-body]  # a specification
    """Return the methods this plugin offers."""


@hookspec
def dfbench_datasets() -> Iterable[DatasetSpec]:  # type: ignore[empty-body]  # a specification
    """Return the datasets this plugin offers."""


@hookspec
def dfbench_networks() -> Iterable[NetworkSpec]:  # type: ignore[empty-body]  # a specification
    """Return the networks this plugin offers."""


@hookspec
def dfbench_metrics() -> Iterable[MetricSpec]:  # type: ignore[empty-body]  # a specification
    """Return the metrics this plugin offers."""


@hookspec
def dfbench_rerankers() -> Iterable[RerankerSpec]:  # type: ignore[empty-body]  # a specification
    """Return the re-rankers this plugin offers."""
