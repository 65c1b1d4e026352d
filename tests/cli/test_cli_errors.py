"""Wrong input: one line, status 2, nothing lost."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from bench import Bench


@pytest.mark.parametrize(
    ("method", "line"),
    [
        ("crosx", "unknown method 'crosx'; did you mean 'crossx'?"),
        ("crossx[bm]", "unknown variant of crossx 'bm'; did you mean 'bn'?"),
        ("crossx[", "not a method: 'crossx['; allowed: NAME or NAME[VARIANT]"),
    ],
)
def test_unknown_row_is_answered_with_a_suggestion(
    method: str, line: str, quick_bench: Bench
) -> None:
    assert line in quick_bench.run(method).refused()


@pytest.mark.parametrize(
    ("target", "line"),
    [
        ("crosx", "unknown name 'crosx'; did you mean the method 'crossx'? allowed: methods: "),
        ("resnet-tinny", "did you mean the network 'resnet-tiny'?"),
        ("shaes", "did you mean the dataset 'shapes'?"),
        ("mapall", "did you mean the metric 'map@all'?"),
        ("difusion", "did you mean the re-ranker 'diffusion'?"),
        ("crosx[bn]", "did you mean the method 'crossx'?"),
        ("shapes", "'shapes' is a dataset; allowed: a method, network, metric, re-ranker or "),
    ],
)
def test_unknown_target_of_a_check_is_answered_from_all_kinds(
    target: str, line: str, quick_bench: Bench
) -> None:
    refusal = quick_bench.call("check", target).refused()
    assert line in refusal
    if "is a dataset" not in line:
        kinds = ("methods: ", "; datasets: ", "; networks: ", "; metrics: ", "; re-rankers: ")
        assert [kind in refusal for kind in kinds] == [True] * 5


@pytest.mark.parametrize(
    ("dataset", "line"),
    [
        ("shpaes", "unknown dataset 'shpaes'; did you mean 'shapes'?"),
        ("shapes:20", "dataset 'shapes:20'; allowed: --dataset shapes"),
        ("folder", "dataset 'folder'; allowed: --dataset folder:PATH"),
        ("folder:", "dataset 'folder:'; allowed: --dataset folder:PATH"),
        ("folder:/nowhere/at/all", "/nowhere/at/all"),
    ],
)
def test_dataset_that_is_not_there_is_quoted_with_what_is_allowed(
    dataset: str, line: str, quick_bench: Bench
) -> None:
    assert line in quick_bench.run("crossx", "--dataset", dataset).refused()


@pytest.mark.parametrize(
    ("setting", "line"),
    [
        ("roundz=3", "unknown setting of method 'crossx' 'roundz'; did you mean 'rounds'?"),
        (
            "rounds=many",
            "setting rounds='many' of method 'crossx': input should be a valid integer",
        ),
        ("rounds=-1", "setting rounds='-1' of method 'crossx': input should be greater than or"),
        ("pair_targets=sofd", "setting pair_targets='sofd' of method 'crossx'"),
        ("budget.stepz=3", "did you mean 'steps'?"),
        ("budget.steps=some", "setting budget.steps='some'"),
        ("teachers.initialisation=imagnet", "setting teachers.initialisation='imagnet'"),
        (
            "teachers.initialisation=imagenet",
            "teachers.initialisation=imagenet with teachers.network=resnet-tiny; allowed: ",
        ),
        ("teachers.weights=w.pth", "w.pth' is not a file; allowed: a safetensors file or"),
        ("teachers.network=resnet-mimi", "unknown network 'resnet-mimi'; did you mean 'resnet-mi"),
        ("rounds", "--set 'rounds'; allowed: --set KEY=VALUE"),
        ("=3", "--set '=3'; allowed: --set KEY=VALUE"),
    ],
)
def test_setting_that_does_not_exist_or_fit_is_one_line(
    setting: str, line: str, quick_bench: Bench
) -> None:
    assert line in quick_bench.run("crossx", "--set", setting).refused()
    assert not quick_bench.results.exists()


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_cuda_without_a_device_is_one_line(quick_bench: Bench) -> None:
    line = quick_bench.run("crossx", "--device", "cuda").refused()
    assert "--device cuda, but torch sees no CUDA device; allowed here: --device cpu" in line


@pytest.mark.parametrize(
    "arguments",
    [
        ("--device", "tpu"),
        ("--seed", "-1"),
        ("--threads", "0"),
        ("--image-size", "3"),
        ("--format", "xml"),
        ("--precision", "fp16"),
        ("--no-such-option",),
    ],
)
def test_option_that_click_refuses_exits_with_status_2(
    arguments: tuple[str, ...], quick_bench: Bench
) -> None:
    finished = quick_bench.run("crossx", *arguments)
    assert finished.status == 2
    assert "Traceback" not in finished.err


def _copy(bench: Bench) -> Path:
    folder = bench.place / "pictures"
    shutil.copytree(bench.pictures, folder)
    return folder


def test_folder_without_one_modality_is_one_line(quick_bench: Bench) -> None:
    folder = _copy(quick_bench)
    shutil.rmtree(folder / "sketch")
    line = quick_bench.run("crossx", "--dataset", f"folder:{folder}").refused()
    assert "sketch" in line


def test_class_in_one_modality_only_is_named(quick_bench: Bench) -> None:
    folder = _copy(quick_bench)
    shutil.rmtree(folder / "sketch" / "cup")
    line = quick_bench.run("crossx", "--dataset", f"folder:{folder}").refused()
    assert "'cup'" in line


def test_truncated_image_is_named_and_left_out_on_request(quick_bench: Bench) -> None:
    folder = _copy(quick_bench)
    image = folder / "photo" / "cup" / "3.png"
    image.write_bytes(image.read_bytes()[:40])
    line = quick_bench.run("classifier-only", "--dataset", f"folder:{folder}").refused()
    assert "3.png" in line
    finished = quick_bench.run(
        "classifier-only", "--dataset", f"folder:{folder}", "--skip-unreadable"
    )
    assert finished.status == 0
    assert "1 unreadable image file" in finished.err


def test_unknown_class_is_answered_with_a_suggestion(quick_bench: Bench) -> None:
    line = quick_bench.run("crossx", "--classes", "boat,cupp").refused()
    assert "did you mean 'cup'" in line


def test_table_of_an_empty_folder_says_how_to_make_a_record(quick_bench: Bench) -> None:
    line = quick_bench.call("table", "--results", str(quick_bench.results)).refused()
    assert "no records in" in line
    assert "dfbench run --method crossx --dataset shapes" in line


@pytest.mark.parametrize(
    ("content", "place"),
    [
        (b"{}", "schema_version"),
        (b'{"schema_version": 2}', "schema_version"),
        (b'{"schema_version": 1', "the file"),
        (b"[]", "the file"),
        (b"", "the file"),
        (b"\xff\xfe\x00", "the file"),
    ],
)
def test_foreign_file_among_the_records_is_named(
    content: bytes, place: str, quick_bench: Bench
) -> None:
    foreign = quick_bench.results / "shapes" / "notes.json"
    foreign.parent.mkdir(parents=True)
    foreign.write_bytes(content)
    finished = quick_bench.call("table", "--results", str(quick_bench.results))
    assert "no records in" in finished.refused()
    (line,) = (line for line in finished.err.splitlines() if line.startswith("left out: "))
    assert str(foreign) in line
    assert f"({place}: " in line
    assert "move it out of the results folder" in line


def test_misspelt_dataset_of_the_table_is_answered_with_a_suggestion(quick_bench: Bench) -> None:
    quick_bench.record("classifier-only")
    arguments = ("table", "--results", str(quick_bench.results), "--dataset")
    assert quick_bench.call(*arguments, "folder:pictures").status == 0
    assert "did you mean 'folder:pictures'" in quick_bench.call(*arguments, "pictures").refused()


def test_method_that_cannot_be_described_is_one_line(quick_bench: Bench) -> None:
    assert "did you mean 'crossx'" in quick_bench.call("describe", "crosx").refused()


def test_misspelt_word_of_an_option_is_answered_with_the_words_and_the_nearest(
    quick_bench: Bench,
) -> None:
    finished = quick_bench.call("table", "--format", "jsn")
    assert finished.status == 2
    assert "'csv', 'json'. Did you mean 'json'?" in finished.err
    assert "Did you mean" not in quick_bench.call("table", "--format", "xyz").err
