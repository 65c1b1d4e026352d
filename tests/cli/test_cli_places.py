"""Places that cannot be written or read: one line, status 2, before the work."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from bench import Bench

import dfbench
from dfbench.errors import DfbenchError

RESULTS = str(Path(__file__).parent.parent.parent / "results")


@pytest.fixture(params=["below a file", "a link to nowhere", "a loop of links", "too long a name"])
def nowhere(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A path at which nothing can be written, not even by root."""
    place = tmp_path / "place"
    place.mkdir()
    if request.param == "below a file":
        (place / "file").touch()
        return place / "file" / "x"
    if request.param == "too long a name":
        return place / ("x" * 300)
    target = "link" if request.param == "a loop of links" else "absent"
    (place / "link").symlink_to(place / target)
    return place / "link" / "x"


def _names(place: Path, line: str) -> bool:
    """Whether a line names the place and what to do."""
    return str(place.parent.parent) in line and line.endswith("then repeat the same command")


def test_run_is_refused_before_anything_is_trained(
    nowhere: Path, quick_bench: Bench, tmp_path: Path
) -> None:
    cache = tmp_path / "cache"
    for option in ("--results", "--runs"):
        words = (option, str(nowhere), "--cache", str(cache))
        assert _names(nowhere, quick_bench.run("classifier-only", *words).refused())
        assert not (cache / "teachers").exists()


def test_suite_is_refused_before_anything_is_trained(
    nowhere: Path, quick_bench: Bench, tmp_path: Path
) -> None:
    suite = tmp_path / "suite.toml"
    suite.write_text(
        f'methods = ["classifier-only"]\nseeds = [0, 1]\n[[datasets]]\n'
        f'dataset = "folder:{quick_bench.pictures}"\nclasses = ["boat", "cup", "sun"]\n'
        'alternative_classes = ["house", "key"]\n',
        encoding="utf-8",
    )
    places = {"--results": tmp_path / "r", "--runs": tmp_path / "u", "--cache": tmp_path / "c"}
    for option in ("--results", "--runs"):
        words = [w for pair in {**places, option: nowhere}.items() for w in map(str, pair)]
        line = quick_bench.call("suite", "run", str(suite), *words, "--device", "cpu").refused()
        assert _names(nowhere, line)
        assert not (tmp_path / "c" / "teachers").exists()


WRITERS = {
    "report": ["report", "--results", RESULTS, "-o", "{}"],
    "table": ["table", "--results", RESULTS, "--page", "{}.md"],
    "plot": ["plot", "bars", "--results", RESULTS, "--dataset", "shapes", "-o", "{}.pdf"],
    "new method": ["new", "method", "my-own", "{}"],
    "new dataset": ["new", "dataset", "my-own", "{}"],
    "train": ["teachers", "train", "--dataset", "shapes", "--force", "--cache", "{}"],
    "prepare": ["data", "prepare", "shapes", "--cache", "{}"],
    "fetch": ["data", "fetch", "cifar-quickdraw", "--cache", "{}"],
}


@pytest.mark.parametrize("command", WRITERS)
def test_command_that_writes_refuses_the_place_in_one_line(
    command: str, nowhere: Path, bench: Bench
) -> None:
    line = bench.call(*(word.format(nowhere) for word in WRITERS[command])).refused()
    assert _names(nowhere, line)


def test_comparisons_are_not_computed_for_a_place_that_takes_none(
    bench: Bench, tmp_path: Path
) -> None:
    results = tmp_path / "results"
    results.mkdir()
    for entry in Path(RESULTS).iterdir():
        (results / entry.name).symlink_to(entry)
    (results / "comparisons.json").unlink(missing_ok=True)
    (results / "comparisons.json").mkdir()
    line = bench.call("compare", "--write", "--results", str(results)).refused()
    assert "it is a folder, not a file" in line


@pytest.mark.parametrize("option", ["--output", "--cache"])
def test_import_is_refused_before_the_checkpoint_is_read(
    option: str, nowhere: Path, bench: Bench, tmp_path: Path
) -> None:
    torch.save({}, tmp_path / "w.pth")
    line = bench.call(
        *("teachers", "import", str(tmp_path / "w.pth"), "--modality", "photo", option),
        *(str(nowhere), "--network", "resnet18", "--classes", "a,b", "--mean", "0", "--std", "1"),
        *("--input-size", "32"),
    ).refused()
    assert _names(nowhere, line)


@pytest.mark.parametrize("code", [errno.EACCES, errno.EIO, errno.ESTALE, errno.EPERM])
@pytest.mark.parametrize(
    "words",
    [["table"], ["report"], ["compare", "A", "B"], ["plot", "bars", "-o", "x.pdf"], ["export"]],
)
def test_folder_of_records_that_cannot_be_read_is_not_an_empty_one(
    words: list[str], code: int, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = bench.results / "shapes"
    folder.mkdir(parents=True)
    real = Path.iterdir

    def closed(path: Path) -> Iterator[Path]:
        if path == folder:
            raise OSError(code, os.strerror(code), str(path))
        return real(path)

    monkeypatch.setattr(Path, "iterdir", closed)
    monkeypatch.chdir(bench.place)
    more = ["--run", "abcdef"] if words == ["export"] else []
    line = bench.call(*words, *more, "--results", str(bench.results)).refused()
    assert str(folder) in line
    assert "no records" not in line


def test_python_interface_raises_our_error_with_the_same_words(
    quick_bench: Bench, tmp_path: Path
) -> None:
    (tmp_path / "afile").touch()
    with pytest.raises(DfbenchError, match="a file, not a folder; choose another place"):
        dfbench.table(tmp_path / "afile")
    with pytest.raises(DfbenchError, match=r"afile/x.*a file, not a folder"):
        dfbench.run(
            "classifier-only",
            f"folder:{quick_bench.pictures}",
            classes=["boat", "cup"],
            alternative_classes=["house", "key"],
            results=tmp_path / "afile" / "x",
            runs=tmp_path / "runs",
            cache=tmp_path / "cache",
            device="cpu",
            threads=1,
        )
    assert not (tmp_path / "cache" / "teachers").exists()
