"""Options made from the fields of a request, and those of them that several commands share."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import rich_click as click
from pydantic import BaseModel

from dfbench.cli.completers import complete_dataset, complete_method, complete_setting
from dfbench.cli.parameters import AbsolutePath, key_values
from dfbench.request import Places
from dfbench.request.option import Declared, Option, declared
from dfbench.request.values import Location, OptionValues, SettingPairs, Switch, Texts, Whole, Word

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


results_option = request_option(Places, "results")
"""`--results`, the folder of records."""
runs_option = request_option(Places, "runs")
"""`--runs`, the folder of large files."""
cache_option = request_option(Places, "cache")
"""`--cache`, the folder of files that can be recomputed."""


def data_root_option(command: Command) -> Command:
    """Add `--data-root`, the folder of published datasets."""
    from dfbench.request import DataChoice  # few commands need data

    return request_option(DataChoice, "data_root")(command)
