"""Options of a run: one declaration, the same at the command line, in suites and from Python."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, get_type_hints

import pytest
from click import BadParameter, Group
from click.testing import CliRunner

import dfbench
from dfbench.cli.app import app
from dfbench.errors import DfbenchError
from dfbench.planning.session import Sessions
from dfbench.plugins.sources import PluginSources
from dfbench.process.messages import DatasetAnswer, DatasetOffer
from dfbench.process.supervision import Supervision
from dfbench.request import (
    DataChoice,
    DataOptions,
    ExternalOptions,
    FitOptions,
    Limits,
    MachineOptions,
    Places,
    RerankOptions,
    RunOptions,
    RunRequest,
    read_options,
)
from dfbench.request.option import declared
from dfbench.suites.executors.cluster import ClusterChoice
from dfbench.suites.executors.local import gpu_slots
from dfbench.suites.file import DatasetEntry, RunDefaults, Suite, read_suite
from dfbench.suites.grid import grid

OPTIONS = declared(DataChoice, RunRequest, Limits, Places)
POSITIONAL = {"method", "dataset"}
"""What `dfbench.run` takes by position."""
LOOSER = {
    *("settings", "classes", "alternative_classes", "timeout", "data_root", "rerank"),
    *("photo_teacher", "sketch_teacher", "results", "runs", "cache", "rerank_timeout", "log_dir"),
}
"""What may be given as something else than it is kept as: paths, iterables, texts."""
AXES = {"method", "dataset", "scenario", "seed", "settings"}
"""What a suite has a list or a table of."""


def _parameters(*verbs: str) -> set[str]:
    command: Any = app
    for verb in verbs:
        assert isinstance(command, Group)
        command = command.commands[verb]
    return {parameter.name for parameter in command.params}


def test_every_option_is_a_keyword_of_run_of_the_same_type() -> None:
    hints = get_type_hints(RunOptions)
    assert hints.keys() == OPTIONS.keys() - POSITIONAL
    for name in hints.keys() - LOOSER:
        one = OPTIONS[name]
        assert hints[name] == one.model.model_fields[one.field].annotation, name


def test_every_option_is_one_of_the_command_line() -> None:
    assert _parameters("run") >= OPTIONS.keys()
    assert all(one.option.help.endswith(".") for one in OPTIONS.values())


def test_teachers_are_trained_on_data_chosen_as_those_of_a_run() -> None:
    of_a_fit = declared(ExternalOptions, FitOptions, RerankOptions).keys() | {"method", "devices"}
    wanted = declared(DataChoice, RunRequest).keys() - of_a_fit
    assert _parameters("teachers", "train") >= wanted
    assert not _parameters("teachers", "train") & of_a_fit


def test_data_are_prepared_with_all_options_of_data() -> None:
    other = {"alternative"}  # another dataset, which is prepared by its own name
    assert _parameters("data", "prepare") >= declared(DataChoice).keys() - other


def test_suites_take_every_option_in_one_place() -> None:
    of_data = declared(DataOptions, ExternalOptions, FitOptions, RerankOptions).keys()
    assert DatasetEntry.model_fields.keys() >= of_data
    assert Suite.model_fields.keys() >= of_data
    of_runs = declared(MachineOptions, Limits).keys()
    assert RunDefaults.model_fields.keys() >= of_runs
    places = declared(Places).keys() | {"data_root"}
    assert OPTIONS.keys() == of_data | of_runs | AXES | places
    assert _parameters("suite", "run") >= of_runs | places


def _told_by_python(name: str, given: object) -> str:
    with pytest.raises(DfbenchError) as fault:
        dfbench.run("crossx", **{"dataset": "shapes", name: given})  # type: ignore[arg-type]
    return str(fault.value).removeprefix(f"{name} is ")


def _told_by_command(name: str, given: object) -> str:
    flag = OPTIONS[name].option.flag or f"--{name.replace('_', '-')}"
    words = ["run", "--method", "crossx", "--dataset", "shapes", f"{flag}={given}"]
    fault = CliRunner().invoke(app, words, standalone_mode=False).exception
    assert isinstance(fault, DfbenchError | BadParameter)
    return str(fault) if isinstance(fault, DfbenchError) else fault.message


def _told_by_suite(name: str, given: object, folder: Path) -> str:
    keys = {"seed": "seeds", "scenario": "scenarios"}
    text = str(given) if isinstance(given, int | float) else f"'{given}'"
    line = f"{keys[name]} = [{text}]" if name in keys else f"{name} = {text}"
    table = "[run]\n" if name in RunDefaults.model_fields else ""
    seeds = "" if name == "seed" else "seeds = [0]\n"
    file = folder / "suite.toml"
    file.write_text(f'methods = ["crossx"]\ndatasets = ["shapes"]\n{seeds}{table}{line}\n')
    with pytest.raises(DfbenchError) as fault:
        read_suite(file)
    return str(fault.value).partition(f"{name}")[2].partition(": ")[2]


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("seed", -1),
        ("seed", 1.5),
        ("seed", "one"),
        ("seed", 2**64),
        ("scenario", "clsed"),
        ("image_size", 3),
        ("image_size", 32.5),
        ("holdout", "fith"),
        ("holdout", "none"),
        ("precision", "fp16"),
        ("device", "tpu"),
        ("threads", 0),
        ("threads", 10**9),
        ("devices", 0),
        ("timeout", 0),
        ("timeout", "soon"),
        ("rerank_timeout", -1),
        ("memory_limit", -1),
        ("memory_limit", "much"),
        ("memory_limit", float("inf")),
        ("checkpoint_seconds", -0.5),
        ("checkpoint_seconds", float("nan")),
        ("alternative", ""),
        ("photo_teacher", " "),
    ],
)
def test_a_wrong_value_gives_the_same_sentence_everywhere(
    name: str, given: object, tmp_path: Path
) -> None:
    sentence = _told_by_python(name, given)
    assert "; allowed: " in sentence or "? allowed: " in sentence
    assert _told_by_command(name, given) == sentence
    assert _told_by_suite(name, given, tmp_path) == sentence


@pytest.mark.parametrize(
    ("name", "given"), [("sed", 1), ("hold_out", "all"), ("memory", 4), ("time_out", 3)]
)
def test_misspelt_keyword_of_run_is_answered_with_a_suggestion(name: str, given: object) -> None:
    with pytest.raises(DfbenchError, match=f"unknown option '{name}'; did you mean"):
        dfbench.run("crossx", "shapes", **{name: given})  # type: ignore[arg-type]


GIVEN: dict[str, Any] = {
    "scenario": "overlap=0.5",
    "seed": 3,
    "settings": {"rounds": "2", "budget.steps": "7", "teachers.steps": "9"},
    "classes": ("boat", "cup"),
    "alternative_classes": ("key",),
    "alternative": "shapes",
    "image_size": 48,
    "holdout": "literature",
    "duplicate_photos": True,
    "skip_unreadable": True,
    "photo_teacher": "p.safetensors",
    "sketch_teacher": "abcdef",
    "train_teachers": True,
    "device": "cpu",
    "threads": 3,
    "devices": 2,
    "precision": "bf16",
    "compile": True,
    "rerank": ("diffusion:k=3,alpha=0.5", "k-reciprocal"),
    "timeout": 1800.0,
    "rerank_timeout": 600.0,
    "memory_limit": 2.5,
    "checkpoint_seconds": 0.0,
    "data_root": "sets",
    "results": "r",
    "runs": "x",
    "cache": "c",
}
"""Every option but `log_dir`, which needs an extra, with a value that is not its default."""


def _texts(name: str, value: object) -> list[str]:
    if name == "settings":
        assert isinstance(value, dict)
        return [part for k, v in value.items() for part in ("--set", f"{k}={v}")]
    flag = f"--{name.replace('_', '-')}"
    if name == "rerank":
        assert isinstance(value, tuple)
        return [part for one in value for part in (flag, one)]
    if value is True:
        return [flag]
    return [flag, ",".join(value) if isinstance(value, tuple) else str(value)]


class _Seen(Exception):
    """A request came as far as planning."""


@pytest.fixture
def planned(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[], RunRequest]:
    """The request that planning was asked for; nothing is planned."""
    requests: list[RunRequest] = []

    def seen(request: RunRequest, *, beside: bool) -> None:
        del beside
        requests.append(request)
        raise _Seen

    monkeypatch.setattr("dfbench.planning.plan.plan_methods", seen)
    monkeypatch.setattr("dfbench.interface.plan_methods", seen)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "p.safetensors").touch()
    return requests.pop


def test_options_mean_the_same_request_everywhere(
    planned: Callable[[], RunRequest], tmp_path: Path
) -> None:
    assert GIVEN.keys() == OPTIONS.keys() - POSITIONAL - {"log_dir"}
    data = "folder:pictures"
    with pytest.raises(_Seen):
        dfbench.run("crossx", data, **GIVEN)
    from_python = planned()
    words = [part for name, value in GIVEN.items() for part in _texts(name, value)]
    result = CliRunner().invoke(app, ["run", "--method", "crossx", "--dataset", data, *words])
    assert isinstance(result.exception, _Seen), result.output
    assert planned() == from_python

    assert from_python.photo_teacher == str(tmp_path / "p.safetensors")
    assert from_python.data.root == tmp_path / "sets"
    for name, value in GIVEN.items():
        one = OPTIONS[name]
        if one.model is RunRequest and name not in ("settings", "photo_teacher"):
            assert getattr(from_python, name) == value

    file = tmp_path / "suite.toml"
    file.write_text(
        'methods = [{ method = "crossx", config = { rounds = 2 } }]\nseeds = [3]\n'
        'scenarios = ["overlap=0.5"]\nprecision = "bf16"\ncompile = false\nimage_size = 64\n'
        "budget = { steps = 7 }\nteachers = { steps = 9 }\n"
        '[[datasets]]\ndataset = "folder:pictures"\nclasses = ["boat", "cup"]\n'
        'alternative_classes = "key"\nalternative = "shapes"\nimage_size = 48\n'
        'holdout = "literature"\nduplicate_photos = true\nskip_unreadable = true\ncompile = true\n'
        'rerank = ["diffusion:k=3,alpha=0.5", "k-reciprocal"]\n'
        'photo_teacher = "p.safetensors"\nsketch_teacher = "abcdef"\n'
        "train_teachers = true\n"
        '[run]\ndevice = "cuda"\nthreads = 3\ndevices = 2\ntimeout = "30m"\n'
    )
    places = {name: tmp_path / GIVEN[name] for name in ("results", "runs", "cache", "data_root")}
    (cell,) = grid(read_suite(file), {**places, "device": "cpu"}, PluginSources())
    assert cell.request == from_python


def test_limits_of_python_reach_the_process_of_the_fit() -> None:
    options = {"dataset": "shapes", "memory_limit": 1.5, "timeout": "2h", "checkpoint_seconds": 7}
    _, limits = read_options(options, PluginSources())
    supervision = Supervision(limits)
    assert (supervision.memory_mib, supervision.limits.timeout) == (1536, 7200)
    assert supervision.limits.checkpoint_seconds == 7
    assert supervision.untimed.limits.timeout is None
    assert supervision.untimed.memory_mib == 1536


def test_weights_and_teachers_of_a_suite_begin_at_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    (folder / "p.safetensors").touch()
    monkeypatch.chdir(tmp_path)
    file = folder / "suite.toml"
    file.write_text(
        'methods = ["crossx"]\nseeds = [0]\nphoto_teacher = "p.safetensors"\n'
        'datasets = ["shapes"]\n[teachers]\nweights = "w.pt"\n'
    )
    (cell,) = grid(read_suite(file), {}, PluginSources())
    assert cell.request.photo_teacher == str(folder / "p.safetensors")
    assert cell.request.settings.weights == folder / "w.pt"
    assert cell.request.places.results == tmp_path / "results"


def test_runs_of_a_suite_on_several_gpus_share_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    seen = [slot["CUDA_VISIBLE_DEVICES"] for slot in gpu_slots(5, 2)]
    assert seen == ["0,1", "2,3"]
    assert gpu_slots(1, 2) == []
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4, 6,7")
    assert [slot["CUDA_VISIBLE_DEVICES"] for slot in gpu_slots(3, 3)] == ["4,6,7"]
    assert ClusterChoice(None, None).gpus("cuda", 2) == 2
    assert ClusterChoice(None, None).gpus("cpu", 2) == 0
    with pytest.raises(DfbenchError, match=r"--gpus-per-run 0\.5 with --devices 2; allowed"):
        ClusterChoice(None, 0.5).gpus("cuda", 2)


def test_run_from_python_needs_a_dataset() -> None:
    nothing: Any = None
    with pytest.raises(DfbenchError, match="no --dataset; allowed: --dataset NAME, or without"):
        dfbench.run("crossx", nothing)
    with pytest.raises(DfbenchError, match="dataset is None; allowed: a dataset to score on"):
        dfbench.run("crossx", nothing, photo_teacher="abcdef", sketch_teacher="abcdef")


def test_dataset_is_opened_once_although_others_take_spare_classes_from_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    opened: list[str] = []

    def opening(choice: DataChoice, *_: object, **more: object) -> Any:
        del more
        opened.append(choice.name)
        return SimpleNamespace(
            name=choice.name,
            image_size=choice.image_size or 32,
            classes=(f"{choice.name} one", f"{choice.name} two"),
            alternative_classes=("key", "house") if choice.name == "shapes" else (),
            fingerprint=choice.name,
        )

    monkeypatch.setattr("dfbench.planning.session.open_choice", opening)
    names = ("shapes", "plain", "other")
    offers = {
        name: DatasetAnswer(offer=DatasetOffer(name=name, target="a:b", argument=None, file=None))
        for name in names
    }
    sessions = Sessions(offers, "cpu")
    folders = {name: tmp_path / name for name in ("results", "runs", "cache")}
    for name in names:
        for seed in (0, 1):
            options = {"dataset": name, "seed": seed, **folders}
            request, _ = read_options(options, PluginSources(), tmp_path)
            assert sessions.open(request).alternative.source == "shapes (spare)"
    assert opened == list(names)


@pytest.mark.parametrize(
    ("given", "seconds"),
    [({}, 3600), ({"timeout": 5}, 3600), ({"rerank_timeout": "2h"}, 7200)],
    ids=["default", "of the fit", "own"],
)
def test_a_reranking_always_has_a_time_limit_of_its_own(
    given: dict[str, object], seconds: float
) -> None:
    _, limits = read_options({"dataset": "shapes", **given}, PluginSources())
    assert Supervision(limits).of_reranking.limits.timeout == seconds
