"""From a file to requests, and the part of them that patterns choose."""

from __future__ import annotations

from pathlib import Path

import pytest

from dfbench.errors import UnknownName
from dfbench.plugins.sources import PluginSources
from dfbench.suites.file import read_suite
from dfbench.suites.grid import Cell, grid, select

TEXT = """
methods = ["crossx", "crossx[bn]", { method = "classifier-only", config = { x = true } }]
datasets = ["shapes", { dataset = "folder:../images", image_size = 32, budget = { steps = 7 } }]
seeds = [3, 10]
precision = "bf16"
compile = true
[budget]
steps = 5
batch_size = 9
[teachers]
learning_rate = 0.05
[run]
threads = 2
"""


@pytest.fixture
def cells(tmp_path: Path) -> list[Cell]:
    file = tmp_path / "suite.toml"
    file.write_text(TEXT, encoding="utf-8")
    return grid(read_suite(file), {"device": "cpu"}, PluginSources())


def test_plugins_of_the_file_come_after_those_of_the_command_line(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / f"{name}.py").touch()
    file = tmp_path / "suite.toml"
    file.write_text('plugins = ["one.py", "./two.py"]\n' + TEXT, encoding="utf-8")
    sources = PluginSources(files=(Path("/given.py"), tmp_path / "two.py"))
    found = grid(read_suite(file), {}, sources)[0].request.plugins.files
    assert found == (Path("/given.py"), tmp_path / "two.py", tmp_path / "one.py")


def _labels(cells: list[Cell]) -> list[tuple[str, str, int]]:
    return [(c.request.method, c.request.data.kind, c.request.seed) for c in cells]


def test_grid_is_dataset_by_dataset_with_all_methods_of_a_seed_together(cells: list[Cell]) -> None:
    methods = ("crossx", "crossx[bn]", "classifier-only")
    assert _labels(cells) == [
        (method, dataset, seed)
        for dataset in ("shapes", "folder")
        for seed in (3, 10)
        for method in methods
    ]


def test_settings_of_a_dataset_stand_in_place_of_the_suites(cells: list[Cell]) -> None:
    shared = {"budget.batch_size": "9", "teachers.learning_rate": "0.05"}
    assert cells[0].request.settings == {"budget.steps": "5", **shared}
    assert cells[6].request.settings == {"budget.steps": "7", **shared}
    assert cells[2].request.settings.method["x"] == "true"


def test_options_come_from_the_command_line_or_else_from_the_file(cells: list[Cell]) -> None:
    assert {(cell.request.device, cell.request.threads) for cell in cells} == {("cpu", 2)}
    assert {(cell.request.precision, cell.request.compile) for cell in cells} == {("bf16", True)}


def test_paths_of_a_suite_start_at_its_file(cells: list[Cell], tmp_path: Path) -> None:
    assert {cell.request.data.base for cell in cells} == {tmp_path}


@pytest.mark.parametrize(
    ("only", "without", "count"),
    [
        ((), (), 12),
        (("crossx",), (), 4),
        (("crossx*",), (), 8),
        (("crossx[bn]",), (), 4),
        (("crossx[*]",), (), 4),
        (("crossx", "seed=3"), (), 2),
        (("crossx", "classifier-????"), (), 8),
        (("shapes", "seed=10", "crossx*"), ("crossx",), 1),
        ((), ("folder*", "seed=3"), 3),
        (("closed",), (), 12),
    ],
)
def test_patterns_choose_runs(
    only: tuple[str, ...], without: tuple[str, ...], count: int, cells: list[Cell]
) -> None:
    assert len(select(cells, only, without)) == count


def test_pattern_that_matches_nothing_is_answered_with_what_would(cells: list[Cell]) -> None:
    with pytest.raises(UnknownName) as raised:
        select(cells, (), ("crosx",))
    text = str(raised.value)
    assert "unknown --except pattern 'crosx'; did you mean 'crossx'?" in text
    assert "seed=10" in text
