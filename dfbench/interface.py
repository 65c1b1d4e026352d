"""The Python interface: one run, and the table of all records."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, Unpack, get_type_hints

from dfbench.defaults import chosen_plugins, chosen_plugins_folder
from dfbench.errors import DfbenchError, InvalidConfig, InvalidInput
from dfbench.hookspecs import NO_IMAGES
from dfbench.method import Method, MethodConfig
from dfbench.numerics import pinned_numerics
from dfbench.planning.plan import plan_methods
from dfbench.planning.settings import configure
from dfbench.plugins.sources import class_source
from dfbench.process.supervision import Supervision
from dfbench.reporting.event_log import check_log_folder, event_log
from dfbench.request import (
    DataChoice,
    Limits,
    Places,
    RunOptions,
    RunRequest,
    StrPath,
    read_options,
)
from dfbench.request.option import declared
from dfbench.runs.execute import Run, execute, with_rerankings
from dfbench.system.file_errors import told_faults

if TYPE_CHECKING:
    from pandas import DataFrame

_Function = TypeVar("_Function", bound=Callable[..., Any])


def _with_options(function: _Function) -> _Function:
    """Have `help` and editors list the keywords that a function takes as `RunOptions`."""
    options = declared(DataChoice, RunRequest, Limits, Places)
    signature = inspect.signature(function)
    parameters = [p for p in signature.parameters.values() if p.kind != p.VAR_KEYWORD]
    for name, hint in get_type_hints(RunOptions).items():
        default = options[name].default
        plain = default if isinstance(default, str | float | int) else None
        shown = str(default) if isinstance(default, Path) else plain
        parameters.append(
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=shown, annotation=hint)
        )
    vars(function)["__signature__"] = signature.replace(parameters=parameters)
    return function


@_with_options
@told_faults()
def run(
    method: str | type[Method] | Method,
    dataset: str,
    *,
    force: bool = False,
    plugins: Iterable[StrPath] = (),
    plugins_dir: StrPath | None = None,
    **options: Unpack[RunOptions],
) -> Run:
    """Train and evaluate one method, as `dfbench run --alone` does.

    `method` is a name (`crossx`, `crossx[bn]`), a subclass of `Method` or an object of one, whose
    configuration then counts. A class has to be in a module that another process can import: it
    is fitted there, and never in this one. The other options are those of `dfbench run` by the
    same names (`help(dfbench.run)` lists them), with `settings` for `--set`, by key. A finished run
    is not repeated unless `force`d. `Run.record` holds the scores
    (`run(...).record.metrics["map@all"].value`), `Run.folder` encoders and pictures.

    Raises `DfbenchError` for an error in the request, the method or a folder.
    """
    label, own, sources = _row(method)
    named = os.environ.get("DFBENCH_DATA")
    given: dict[str, Any] = {"data_root": named or None, **options}
    if given.get("cache") is None:
        given.pop("cache", None)
    settings = given.get("settings") or {}
    given["settings"] = {**own, **settings} if isinstance(settings, Mapping) else settings
    folder = chosen_plugins_folder() if plugins_dir is None else Path(plugins_dir)
    found = chosen_plugins(map(Path, plugins), folder)
    request, limits = read_options(
        {**given, "method": label, "dataset": dataset},
        replace(found, classes=sources),
    )
    if request.data.name == NO_IMAGES:
        raise InvalidInput(
            "dataset is None; allowed: a dataset to score on (without one: dfbench run "
            "--photo-teacher T --sketch-teacher T)"
        )
    check_log_folder(request.places.log_dir)
    (plan,) = plan_methods(request, beside=False)
    with pinned_numerics(plan.session.threads, request.seed):
        supervision = Supervision(limits)
        with event_log(request.places.log_dir, plan.folder):
            run = execute(plan, force=force, supervision=supervision)
        return with_rerankings(plan, run, supervision)


@told_faults()
def table(
    results: StrPath = "results", *, dataset: str | None = None, scenario: str | None = None
) -> DataFrame:
    """The records of a folder as a `pandas.DataFrame`: a line per method, dataset and scenario.

    Columns are those of `dfbench table --format csv`: dataset, scenario, section, method, name,
    needs, seeds, and for every metric its mean and, from two seeds on, its deviation over seeds.
    Texts are of dtype `string`, the number of seeds `Int64`, metrics `float64` in full precision.
    Raises `InvalidInput` without records and `UnknownName` for a dataset or scenario of none.
    """
    from dfbench.reporting.tables.columns import data_frame
    from dfbench.reporting.tables.leaderboard import leaderboards
    from dfbench.reporting.tables.selection import chosen_records

    records = chosen_records(Path(results), dataset, scenario)
    return data_frame(leaderboards(records))


def _row(method: str | type[Method] | Method) -> tuple[str, dict[str, str], tuple[Any, ...]]:
    """Label, settings and source of a method."""
    if isinstance(method, str):
        return method, {}, ()
    cls = method if isinstance(method, type) else type(method)
    if not issubclass(cls, Method):
        raise InvalidInput(
            f"method {method!r}; allowed: the name of a method, a subclass of dfbench.Method or an "
            "object of one"
        )
    if isinstance(method, type):
        return cls.name, {}, (class_source(cls),)
    if not isinstance(getattr(method, "config", None), MethodConfig):
        raise InvalidInput(
            f"method {method!r} has no configuration; let its __init__(self, config) call "
            "super().__init__(config)"
        )
    return cls.name, _settings(method.config), (class_source(cls),)


def _settings(config: MethodConfig) -> dict[str, str]:
    """A configuration in the form of `--set`: values that differ from the defaults, as text."""
    fields = type(config).model_fields
    texts = {
        name: _text(value)
        for name, value in config
        if fields[name].is_required()
        or value != fields[name].get_default(call_default_factory=True)
    }
    try:
        same = configure(type(config), {}, texts, type(config).__name__) == config
    except DfbenchError:
        same = False
    if not same:
        raise InvalidConfig(
            f"configuration {config!r} cannot be passed on as text; allowed: numbers, strings and "
            "booleans that --set accepts, or a named variant"
        )
    return texts


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
