"""dfbench from Python: one run, and the table of all records."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from dfbench.defaults import chosen_cache, chosen_plugins, chosen_plugins_folder
from dfbench.errors import (
    LARGEST_IMAGE,
    MOST_THREADS,
    DfbenchError,
    InvalidConfig,
    InvalidInput,
    checked_seconds,
    checked_seed,
    whole_number,
)
from dfbench.method import Method, MethodConfig
from dfbench.numerics import pinned_numerics
from dfbench.planning.plan import plan_methods
from dfbench.planning.settings import absolute_files, configure
from dfbench.plugins.sources import class_source
from dfbench.process.supervision import Supervision
from dfbench.request import DataChoice, Places, Precision, RunRequest
from dfbench.runs.execute import Run, execute
from dfbench.scenarios import CLOSED
from dfbench.system.file_errors import told_faults

if TYPE_CHECKING:
    from pandas import DataFrame

StrPath = str | os.PathLike[str]


@told_faults()
def run(
    method: str | type[Method] | Method,
    dataset: str,
    *,
    seed: int = 0,
    scenario: str = CLOSED,
    settings: Mapping[str, Any] | None = None,
    classes: Iterable[str] | None = None,
    alternative_classes: Iterable[str] | None = None,
    alternative: str | None = None,
    image_size: int | None = None,
    data_root: StrPath | None = None,
    device: Literal["auto", "cpu", "cuda"] = "auto",
    threads: int | None = None,
    precision: Precision = "fp32",
    force: bool = False,
    timeout: float | None = None,
    plugins: Iterable[StrPath] = (),
    results: StrPath = "results",
    runs: StrPath = "runs",
    cache: StrPath | None = None,
) -> Run:
    """Train one row of the table and score it, as `dfbench run --alone` does.

    `method` is a row (`crossx`, `crossx[bn]`), a subclass of `Method` or an object of one, whose
    configuration then counts. A class has to stand in a module that another process can import: it
    is fitted there, and never in this one. `settings` are those of `--set`, by key. A finished run
    is not repeated unless `force`d. `Run.record` holds the scores
    (`run(...).record.metrics["map@all"].value`), `Run.folder` encoders and pictures.

    Raises `DfbenchError`: what is wrong with the request, with the method, or with a folder.
    """
    checked_seed(seed)
    checked_seconds("timeout", timeout)
    if threads is not None:
        whole_number("threads", threads, 1, MOST_THREADS)
    if image_size is not None:
        whole_number("image_size", image_size, 16, LARGEST_IMAGE)
    label, own, sources = _row(method)
    choice = DataChoice(
        name=dataset,
        image_size=image_size,
        classes=None if classes is None else tuple(classes),
        alternative_classes=None if alternative_classes is None else tuple(alternative_classes),
        alternative=alternative,
        root=_data_root(data_root),
    )
    found = chosen_plugins(map(Path, plugins), chosen_plugins_folder())
    request = RunRequest(
        method=label,
        data=choice,
        settings=absolute_files(
            {**own, **{key: _text(value) for key, value in (settings or {}).items()}}
        ),
        scenario=scenario,
        seed=seed,
        device=device,
        threads=threads,
        precision=precision,
        plugins=found.model_copy(update={"classes": sources}),
        places=Places(
            results=Path(results),
            runs=Path(runs),
            cache=chosen_cache() if cache is None else Path(cache),
        ),
    )
    (plan,) = plan_methods(request, beside=False)
    with pinned_numerics(plan.session.threads, seed):
        return execute(plan, force=force, supervision=Supervision(timeout=timeout))


@told_faults()
def table(
    results: StrPath = "results", *, dataset: str | None = None, scenario: str | None = None
) -> DataFrame:
    """The records of a folder as a `pandas.DataFrame`: a line for each row, dataset and scenario.

    Columns are those of `dfbench table --format csv`: dataset, scenario, section, method, name,
    needs, seeds, and for every metric its mean and, from two seeds on, its deviation over seeds.
    Raises `InvalidInput` without records and `UnknownName` for a dataset or scenario of none.
    """
    # pandas takes a second to import, and nothing else here needs it.
    import pandas

    from dfbench.reporting.tables.delimited import leaderboard_csv
    from dfbench.reporting.tables.leaderboard import leaderboards
    from dfbench.reporting.tables.selection import chosen_records

    records = chosen_records(Path(results), dataset, scenario)
    return pandas.read_csv(StringIO(leaderboard_csv(leaderboards(records))))


def _row(method: str | type[Method] | Method) -> tuple[str, dict[str, str], tuple[Any, ...]]:
    """Label, settings and source of a method."""
    if isinstance(method, str):
        return method, {}, ()
    cls = method if isinstance(method, type) else type(method)
    if not issubclass(cls, Method):
        raise InvalidInput(
            f"method {method!r}; allowed: a row's name, a subclass of dfbench.Method or an object "
            "of one"
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
    """A configuration as `--set` gives it: what differs from the defaults, as text."""
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
            f"configuration {config!r} cannot be handed on as text; allowed: numbers, texts and "
            "truth values that --set takes, or a named variant"
        )
    return texts


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _data_root(given: StrPath | None) -> Path | None:
    from dfbench.defaults import data_root_or_configured

    named = given or os.environ.get("DFBENCH_DATA")
    return data_root_or_configured(Path(named) if named else None)
