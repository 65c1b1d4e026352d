"""Options made from the fields of a request, and types of words, numbers and paths."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Collection, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import rich_click as click
from pydantic import BaseModel

from dfbench.cli.completers import complete_dataset, complete_method, complete_setting
from dfbench.errors import InvalidConfig, InvalidInput
from dfbench.request.option import Declared, Option, declared
from dfbench.request.values import Location, OptionValues, SettingPairs, Switch, Texts, Whole, Word
from dfbench.system.files import absolute


class Choice(click.Choice[str]):
    """One of a few words; the error for a misspelt one suggests the nearest."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The word. Raises `click.BadParameter` with the allowed words and the nearest one."""
        try:
            return super().convert(value, param, ctx)
        except click.BadParameter as fault:
            close = get_close_matches(str(value), self.choices, n=1, cutoff=0.5)
            if not close:
                raise
            message = f"{fault.message} Did you mean {close[0]!r}?"
            raise click.BadParameter(message, ctx=ctx, param=param) from fault


class FiniteRange(click.FloatRange):
    """A finite number in a range; comparisons with the bounds alone would let NaN pass."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """The number."""
        number: float = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value!r}; allowed: finite numbers, {self._describe_range()}", param, ctx)
        return number


class AbsolutePath(click.Path):
    """A file or folder, made absolute when the command line is parsed; `~` is the user's home.

    A plugin may later change the current folder (`os.chdir`) or `HOME`.
    """

    def __init__(
        self, *, exists: bool = False, file_okay: bool = True, dir_okay: bool = True
    ) -> None:
        super().__init__(exists=exists, file_okay=file_okay, dir_okay=dir_okay, path_type=Path)

    def convert(
        self,
        value: str | os.PathLike[str],
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> Any:
        """The path from the root. Raises `InvalidInput` if the current folder has been removed."""
        found = os.fsdecode(super().convert(value, param, ctx))
        # Path.expanduser raises for a file named ~something.
        return absolute(Path(os.path.expanduser(found)))  # noqa: PTH111


class NamedFile(AbsolutePath):
    """A file with the name of a model, `NAME=FILE`, or a file alone, whose name is then empty."""

    def convert(
        self,
        value: str | os.PathLike[str],
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> Any:
        """Name and path; `=` in the path of a file that exists does not separate."""
        given = os.fsdecode(value)
        name, equals, file = given.partition("=")
        if not equals or "/" in name or Path(given).exists():
            return "", super().convert(given, param, ctx)
        if not name.strip() or not file:
            self.fail(f"{given!r}; allowed: FILE or NAME=FILE", param, ctx)
        return name.strip(), super().convert(file, param, ctx)


def named_files(option: str, given: Sequence[tuple[str, Path]]) -> dict[str, Path]:
    """Files by name. Raises `InvalidInput` for a repeated name, and for one of several without."""
    found: dict[str, Path] = {}
    for name, path in given:
        if not name and len(given) > 1:
            raise InvalidInput(
                f"{option} {str(path)!r} is one of {len(given)} and has no name; allowed: "
                f"{option} NAME=FILE for each model"
            )
        if name in found:
            raise InvalidInput(
                f"{option} names {name!r} twice; allowed: one file for each model; rename one"
            )
        found[name] = path
    return found


def key_values(option: str, pairs: tuple[str, ...], example: str) -> dict[str, str]:
    """Keys with their values. Raises `InvalidConfig` for a pair without a key or `=`."""
    values = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise InvalidConfig(f"{option} {pair!r}; allowed: {option} {example}")
        values[key.strip()] = value.strip()
    return values


if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

Command = TypeVar("Command", bound=Callable[..., Any])
_UNSET: Any = object()


_COMPLETERS = {
    "method": complete_method,
    "dataset": complete_dataset,
    "alternative": complete_dataset,
    "settings": complete_setting,
}


class OptionType(click.ParamType[Any]):
    """What an option of a request takes."""

    def __init__(self, values: OptionValues) -> None:
        self.values = values
        self.name = "integer" if isinstance(values, Whole) else "text"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The value. Raises `click.BadParameter` with the sentence for a wrong one."""
        try:
            return self.values.take(self.values.parse(value) if isinstance(value, str) else value)
        except ValueError as fault:
            self.fail(str(fault), param, ctx)

    def get_metavar(self, param: click.Parameter, ctx: click.Context | None = None) -> str | None:
        """The words, where there are only a few."""
        del param, ctx
        return f"[{'|'.join(self.values.words)}]" if isinstance(self.values, Word) else None

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """The words, where there are only a few."""
        from click.shell_completion import CompletionItem

        del ctx, param
        words = self.values.words if isinstance(self.values, Word) else ()
        return [CompletionItem(word) for word in words if word.startswith(incomplete)]


def request_options(
    *models: type[BaseModel], without: Collection[str] = (), default: Any = _UNSET
) -> Callable[[Command], Command]:
    """Add the options that models declare, by their names; `default` stands in for theirs."""

    def decorated(command: Command) -> Command:
        for name, one in reversed(list(declared(*models).items())):
            if name not in without:
                command = _option(name, one, default, {})(command)
        return command

    return decorated


def request_option(
    model: type[BaseModel], name: str, **differently: Any
) -> Callable[[Command], Command]:
    """One option that a model declares; `differently` overrides what it says of it."""
    return _option(name, declared(model)[name], _UNSET, differently)


def _option(
    name: str, one: Declared, default: Any, differently: Mapping[str, Any]
) -> Callable[[Command], Command]:
    option = one.option
    given: dict[str, Any] = {
        "help": option.help,
        "metavar": option.metavar,
        "envvar": option.environment,
        "show_envvar": option.environment is not None,
        "shell_complete": _COMPLETERS.get(name),
        **_kind(option, one, default),
        **differently,
    }
    return click.option(option.flag or f"--{name.replace('_', '-')}", name, **given)


def _kind(option: Option, one: Declared, default: Any) -> dict[str, Any]:
    """Type and default."""
    if isinstance(option.values, SettingPairs):
        return {"multiple": True, "callback": _pairs}
    if isinstance(option.values, Texts):
        return {"multiple": True}
    if isinstance(option.values, Switch) and default is _UNSET:
        return {"is_flag": True}
    if isinstance(option.values, Location):
        kind: click.ParamType[Any] = AbsolutePath(file_okay=False)
    else:
        kind = OptionType(option.values)
    value = one.default if default is _UNSET else default
    known = value is not None and not callable(value)
    return {"type": kind, "default": value, "show_default": known}


def _pairs(ctx: click.Context, param: click.Parameter, pairs: tuple[str, ...]) -> dict[str, str]:
    del ctx
    return key_values(param.opts[0], pairs, "KEY=VALUE, e.g. --set budget.steps=300")
