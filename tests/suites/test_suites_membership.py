"""Which records are of a suite, without its images."""

from __future__ import annotations

from pathlib import Path

import pytest
from synthetic import synthetic_record

from dfbench.budget import Budget
from dfbench.errors import UnknownName
from dfbench.planning.methods import resolve
from dfbench.plugins.host import PluginHost
from dfbench.plugins.sources import PluginSources
from dfbench.records.record import Record
from dfbench.suites.file import read_suite
from dfbench.suites.membership import of_suite

_SUITE = """
methods = ["averaging-weights", "averaging-weights[mixed]"]
datasets = ["shapes", {{ dataset = "folder:../no/such/{folder}", budget = {{ steps = 9 }} }}]
scenarios = ["closed", "overlap=0.5"]
seeds = [0, 1]
[budget]
steps = 7
"""


@pytest.fixture(scope="module")
def host() -> PluginHost:
    return PluginHost.of(PluginSources())


def _record(host: PluginHost, label: str = "averaging-weights", **more: object) -> Record:
    row = resolve(host, label, {})[0]
    settings: dict[str, object] = {"dataset": "shapes", "budget": Budget(steps=7), **more}
    settings = {"config": row.config, "version": row.version, **settings}
    return synthetic_record(label, **settings)  # type: ignore[arg-type]  # keywords of a test


def _members(records: list[Record], path: Path, host: PluginHost) -> list[Record]:
    suite = path / "suite.toml"
    suite.write_text(_SUITE.format(folder="photos"), encoding="utf-8")
    return of_suite(records, read_suite(suite), host)


def test_runs_of_the_grid_are_members_whatever_folder_they_lay_in(
    host: PluginHost, tmp_path: Path
) -> None:
    records = [
        _record(host),
        _record(host, "averaging-weights[mixed]", seed=1, scenario="overlap=0.5"),
        _record(host, dataset="folder:photos", budget=Budget(steps=9)),
    ]
    assert _members(records, tmp_path, host) == records


@pytest.mark.parametrize(
    "other",
    [
        {"seed": 2},
        {"scenario": "overlap=0.6"},
        {"dataset": "sketchy"},
        {"budget": Budget(steps=9)},
        {"config": {"batch_norm": "other"}},
        {"version": 99},
        {"dataset": "folder:photos"},
    ],
)
def test_records_that_differ_in_what_the_file_says_are_none(
    host: PluginHost, tmp_path: Path, other: dict[str, object]
) -> None:
    assert _members([_record(host, **other)], tmp_path, host) == []


def test_other_rows_and_precisions_are_none(host: PluginHost, tmp_path: Path) -> None:
    other = [
        _record(host, "classifier-only"),
        _record(host).model_copy(update={"numerics": "cpu-bf16"}),
        _record(host).model_copy(update={"numerics": "cpu-fp32-compiled"}),
    ]
    assert _members(other, tmp_path, host) == []


def test_a_row_that_is_not_to_be_had_is_told(host: PluginHost, tmp_path: Path) -> None:
    suite = tmp_path / "suite.toml"
    suite.write_text('methods = ["averagin-weights"]\ndatasets = ["shapes"]\nseeds = [0]\n')
    with pytest.raises(UnknownName, match="averaging-weights"):
        of_suite([], read_suite(suite), host)


def _with_external(record: Record, photo: str, sketch: str) -> Record:
    identities = {"photo": photo, "sketch": sketch}
    teachers = {
        modality: teacher.model_copy(
            update={"external": "resnet18, 64 px", "identity": identities[modality]}
        )
        for modality, teacher in record.teachers.items()
    }
    return record.model_copy(update={"teachers": teachers})


def test_runs_with_external_teachers_belong_to_the_entry_that_names_them(
    host: PluginHost, tmp_path: Path
) -> None:
    mine, foreign = "aaaa" * 8, "bbbb" * 8
    suite = tmp_path / "suite.toml"
    suite.write_text(
        'methods = ["averaging-weights"]\nseeds = [0]\nbudget = { steps = 7 }\n'
        '[[datasets]]\ndataset = "shapes"\nphoto_teacher = "aaaa"\nsketch_teacher = "bbbbb"\n'
        '[[datasets]]\ndataset = "folder:photos"\nprecision = "bf16"\n',
        encoding="utf-8",
    )
    given = _with_external(_record(host), mine, foreign)
    half = _record(host, dataset="folder:photos").model_copy(update={"numerics": "cpu-bf16"})
    others = [
        _record(host),
        _with_external(_record(host), foreign, mine),
        _with_external(half, mine, foreign),
        _record(host, dataset="folder:photos"),
        given.model_copy(update={"numerics": "cpu-bf16"}),
    ]
    assert of_suite([*others, given, half], read_suite(suite), host) == [given, half]
