"""The suite file: a grid of runs in TOML, checked key by key before anything starts."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, Strict, ValidationError

from dfbench.budget import Budget
from dfbench.errors import DfbenchError, InvalidInput, unknown_name
from dfbench.planning.settings import configure
from dfbench.request import (
    DataOptions,
    ExternalOptions,
    FitOptions,
    Limits,
    MachineOptions,
    RerankOptions,
    RunRequest,
)
from dfbench.request.option import declared
from dfbench.request.values import SettingValue
from dfbench.scenarios import CLOSED, canonical
from dfbench.suites.positions import KeyPath, key_lines, line_of
from dfbench.system.files import read_text
from dfbench.teachers.recipe import TeacherRecipe

_TOML_LINE = re.compile(r"(?P<text>.*?) \(at (?:line (?P<line>\d+), column \d+|end of document)\)")


class InvalidSuite(DfbenchError):
    """A suite file with errors; the text names file, line and key."""


def _entry(key: str) -> BeforeValidator:
    """Accept a string in place of a table with only this key."""

    def widened(value: object) -> object:
        if isinstance(value, str):
            return {key: value}
        if isinstance(value, dict):
            return value
        raise ValueError(f'{value!r}; allowed: a string, or a table such as {{ {key} = "..." }}')

    return BeforeValidator(widened)


PREFIXED = "budget and teachers are not settings of a method; use [budget] steps=300"
"""The error of a key of a method's settings with a prefix."""
SettingTable = dict[str, Annotated[str, BeforeValidator(SettingValue().take)]]
Seed = Annotated[int, declared(RunRequest)["seed"].option]
Name = Annotated[str, Field(min_length=1)]
_Count = Annotated[int, Strict(), Field(ge=1)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class DatasetOptions(DataOptions, ExternalOptions, FitOptions, RerankOptions):
    """Options of the runs on a dataset: in its entry, or in the suite for all of them."""

    @property
    def given(self) -> dict[str, Any]:
        """Those that were given."""
        names = self.model_fields_set & DatasetOptions.model_fields.keys()
        return {name: getattr(self, name) for name in names}


class MethodEntry(_Part):
    """A method of the grid."""

    method: Name
    """Label, `crossx` or `crossx[bn]`."""
    config: SettingTable = Field(default_factory=dict)
    """Settings of the method."""


class DatasetEntry(DatasetOptions):
    """A dataset of the grid, with its own options."""

    dataset: Name
    """As on the command line; a path after `folder:` is relative to the suite file."""
    budget: SettingTable = Field(default_factory=dict)
    """Settings of the budget, in place of the suite's."""
    teachers: SettingTable = Field(default_factory=dict)
    """Settings of the teachers, in place of the suite's."""
    scenarios: Annotated[tuple[Name, ...], Field(min_length=1)] | None = None
    """Scenarios in place of the suite's."""


class RunDefaults(MachineOptions, Limits):
    """Options that the command line may override."""

    jobs: _Count | None = None

    @property
    def given(self) -> dict[str, Any]:
        """Those of a run that were given."""
        return {name: getattr(self, name) for name in self.model_fields_set - {"jobs"}}


Keys = TypeVar("Keys", bound=BaseModel)


class Suite(DatasetOptions):
    """The content of a suite file."""

    title: str = ""
    plugins: tuple[Name, ...] = ()
    """Plugin files; paths are relative to the suite file."""
    methods: Annotated[tuple[Annotated[MethodEntry, _entry("method")], ...], Field(min_length=1)]
    datasets: Annotated[tuple[Annotated[DatasetEntry, _entry("dataset")], ...], Field(min_length=1)]
    scenarios: Annotated[tuple[Name, ...], Field(min_length=1)] = (CLOSED,)
    seeds: Annotated[tuple[Seed, ...], Field(min_length=1)]
    budget: SettingTable = Field(default_factory=dict)
    """Settings of the shared budget."""
    teachers: SettingTable = Field(default_factory=dict)
    """Settings of the teacher recipe."""
    run: RunDefaults = RunDefaults()

    def options(self, entry: DatasetEntry) -> dict[str, Any]:
        """Options of the runs on a dataset, those of its entry first."""
        return self.given | entry.given


@dataclass(frozen=True)
class SuiteFile:
    """A suite, with the lines of its keys."""

    path: Path
    suite: Suite
    lines: Mapping[KeyPath, int]

    @property
    def plugin_files(self) -> tuple[Path, ...]:
        """The plugin files it names, as absolute paths."""
        return tuple(plugin_file(self.path, name) for name in self.suite.plugins)

    def invalid(self, faults: Iterable[tuple[KeyPath, str]]) -> InvalidSuite:
        """The exception for errors of keys: one line each, with file, line and key."""
        return invalid(self.path, self.lines, faults)


def read_suite(path: Path) -> SuiteFile:
    """Read and check a suite file.

    Raises `InvalidInput` for a file that cannot be read, `InvalidSuite` with all errors, one per
    line.
    """
    suite, lines = checked_file(
        path,
        Suite,
        "suite",
        _TABLES,
        lambda suite: [*_contradictions(suite), *missing_plugins(path, suite.plugins)],
    )
    return SuiteFile(path, suite, lines)


def checked_file(
    path: Path,
    model: type[Keys],
    kind: Literal["suite", "run"],
    tables: Mapping[str, type[BaseModel]],
    contradictions: Callable[[Keys], Iterable[tuple[KeyPath, str]]],
) -> tuple[Keys, Mapping[KeyPath, int]]:
    """The keys of a file in their model, free of contradictions, and their lines.

    `tables` are the models of its tables. Raises like `read_suite`.
    """
    content, lines = _read_toml(path, kind)
    try:
        keys = model.model_validate(content)
    except ValidationError as fault:
        errors = _explained(fault, model, tables, f"dfbench {kind} --help")
        raise invalid(path, lines, errors) from fault
    found = list(contradictions(keys))
    if found:
        raise invalid(path, lines, found)
    return keys, lines


def _read_toml(path: Path, kind: str) -> tuple[dict[str, Any], Mapping[KeyPath, int]]:
    """The content of a file, with the lines of its keys; messages call it a file of this kind.

    Raises `InvalidInput` for a file that cannot be read, `InvalidSuite` for one that is not TOML.
    """
    try:
        text = read_text(path)
    except OSError as fault:
        raise InvalidInput(
            f"cannot read the {kind} file {str(path)!r}: {(fault.strerror or 'error').lower()}"
        ) from fault
    except ValueError as fault:
        raise InvalidSuite(f"{path.name}: {fault}") from fault
    try:
        return tomllib.loads(text), key_lines(text)
    except tomllib.TOMLDecodeError as fault:
        found = _TOML_LINE.fullmatch(str(fault))
        line = (found and found["line"]) or str(text.count("\n") + 1)
        reason = found["text"] if found else str(fault)
        raise InvalidSuite(f"{path.name} line {line}: not TOML: {reason.lower()}") from fault


def invalid(
    path: Path, lines: Mapping[KeyPath, int], faults: Iterable[tuple[KeyPath, str]]
) -> InvalidSuite:
    """The exception for errors of keys: one line each, with file, line and key."""
    placed = sorted((line_of(lines, key), _dotted(key), text) for key, text in faults)
    return InvalidSuite(
        "\n".join(f"{path.name} line {line}, key {key}: {text}" for line, key, text in placed)
    )


def _dotted(key: KeyPath) -> str:
    """`datasets[1].image_size`."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in key)
    return text.removeprefix(".")


def _explained(
    fault: ValidationError,
    top: type[BaseModel],
    tables: Mapping[str, type[BaseModel]],
    remedy: str,
) -> Iterator[tuple[KeyPath, str]]:
    """Keys and messages of pydantic's errors, in a model of the file with models of its tables.

    `remedy` is the command that lists the keys.
    """
    for error in fault.errors():
        if error["type"] != "too_short" or not error["input"]:  # else its items are invalid
            yield error["loc"], _meaning(error, top, tables, remedy)


def _meaning(
    error: Any, top: type[BaseModel], tables: Mapping[str, type[BaseModel]], remedy: str
) -> str:
    kind, key = error["type"], error["loc"]
    if kind == "extra_forbidden":
        model = tables.get(str(key[0]), top) if len(key) > 1 else top
        return str(unknown_name("key", str(key[-1]), model.model_fields, remedy))
    if kind == "missing":
        return "is missing"
    if kind == "too_short":
        return "is empty; give at least one"
    if kind == "value_error":
        return str(error["ctx"]["error"])
    rule = error["msg"]
    return f"{error['input']!r}; {rule[0].lower()}{rule[1:]}"


_TABLES: Mapping[str, type[BaseModel]] = {
    "methods": MethodEntry,
    "datasets": DatasetEntry,
    "run": RunDefaults,
}


def _contradictions(suite: Suite) -> Iterator[tuple[KeyPath, str]]:
    """Errors of keys that all have the right type."""
    for axis in ("plugins", "methods", "datasets", "seeds"):
        yield from _repeated((axis,), getattr(suite, axis))
    parts: list[tuple[KeyPath, Suite | DatasetEntry]] = [((), suite)]
    parts += [(("datasets", place), entry) for place, entry in enumerate(suite.datasets)]
    for owner, part in parts:
        yield from _bad_scenarios((*owner, "scenarios"), part.scenarios or ())
        yield from bad_settings(owner, part.budget, part.teachers)
    for place, method in enumerate(suite.methods):
        for key in method.config:
            if "." in key:
                yield ("methods", place, "config", key), PREFIXED


def missing_plugins(path: Path, names: Sequence[str]) -> Iterator[tuple[KeyPath, str]]:
    """Errors of plugin files that do not exist."""
    for place, name in enumerate(names):
        file = plugin_file(path, name)
        if not file.is_file():
            text = f"no such plugin file: {str(file)!r}; allowed: a path relative to {path.name}"
            yield ("plugins", place), text


def plugin_file(path: Path, name: str) -> Path:
    """The plugin file of a relative path in the file `path`."""
    return (path.parent / Path(name).expanduser()).resolve()


def _repeated(axis: KeyPath, items: Sequence[Any]) -> Iterator[tuple[KeyPath, str]]:
    for place, item in enumerate(items):
        first = items.index(item)
        if first < place:
            same = _dotted((*axis, first))
            yield (*axis, place), f"the same as {same}; list each only once"


def _bad_scenarios(axis: KeyPath, texts: Sequence[str]) -> Iterator[tuple[KeyPath, str]]:
    spelt = []
    for place, text in enumerate(texts):
        try:
            spelt.append(canonical(text))
        except DfbenchError as fault:
            spelt.append(text)
            yield (*axis, place), str(fault)
    yield from _repeated(axis, spelt)


def bad_settings(
    key: KeyPath, budget: Mapping[str, str], teachers: Mapping[str, str]
) -> Iterator[tuple[KeyPath, str]]:
    """Errors of settings of the budget and the teachers in the tables of these names."""
    parts = (("budget", Budget, budget), ("teachers", TeacherRecipe, teachers))
    for owner, model, given in parts:
        for name, value in given.items():
            try:
                configure(model, {}, {name: value}, f"the {owner}", f"{owner}.")
            except DfbenchError as fault:
                yield (*key, owner, name), str(fault)
