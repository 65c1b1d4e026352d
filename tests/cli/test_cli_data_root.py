"""Where the data root comes from: the option, the environment, or the configuration file."""

from __future__ import annotations

from pathlib import Path

import pytest
from bench import Bench

from dfbench.defaults import configuration_file, data_root_or_configured
from dfbench.errors import InvalidConfig, UnknownName


@pytest.fixture(autouse=True)
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The configuration file of a person who has none yet."""
    file = tmp_path / "config" / "config.toml"
    file.parent.mkdir()
    monkeypatch.delenv("DFBENCH_DATA", raising=False)
    monkeypatch.setattr("platformdirs.user_config_path", lambda *_, **__: file.parent)
    return file


def missing_root(bench: Bench, *options: str) -> str:
    return bench.run("classifier-only", "--dataset", "pacs", "--classes", "all", *options).err


def test_option_goes_before_environment_before_file(
    quick_bench: Bench, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "dataset 'pacs' needs the folder of its images" in missing_root(quick_bench)
    config.write_text('data-root = "/from/the/file"\n')
    assert "no folder '/from/the/file'" in missing_root(quick_bench)
    monkeypatch.setenv("DFBENCH_DATA", "/from/the/environment")
    assert "no folder '/from/the/environment'" in missing_root(quick_bench)
    assert "no folder '/from/the/option'" in missing_root(
        quick_bench, "--data-root", "/from/the/option"
    )


def test_guide_is_one_error_with_status_2(quick_bench: Bench) -> None:
    finished = quick_bench.run("classifier-only", "--dataset", "tuberlin", "--classes", "all")
    assert "dataset 'tuberlin' needs the folder" in finished.refused()
    assert "dfbench data verify tuberlin --data-root PATH" in finished.err


def test_relative_root_begins_at_the_file(config: Path) -> None:
    config.write_text('data-root = "sets"\n')
    assert data_root_or_configured(None) == config.parent / "sets"
    config.write_text('data-root = "~/sets"\n')
    assert data_root_or_configured(None) == Path.home() / "sets"


def test_faulty_file_is_named(config: Path) -> None:
    config.write_text('data_root = "x"\n')
    with pytest.raises(UnknownName, match=r"'data_root'; did you mean 'data-root'.*config\.toml"):
        data_root_or_configured(None)
    config.write_text("data-root = 3\n")
    with pytest.raises(InvalidConfig, match=r"data-root = 3 in '.*config\.toml'; allowed"):
        data_root_or_configured(None)
    config.write_text("data-root\n")
    with pytest.raises(InvalidConfig, match=r"configuration file '.*' cannot be read"):
        data_root_or_configured(None)
    assert configuration_file() == config
    config.unlink()
    assert data_root_or_configured(None) is None


def test_published_dataset_runs_and_names_itself(
    quick_bench: Bench, pictures: Path, tmp_path: Path
) -> None:
    """A whole run on a miniature of PACS, with drawn figures as alternative images."""
    for modality in ("photo", "sketch"):
        for name, drawn in zip(("dog", "guitar"), ("boat", "sun"), strict=True):
            place = tmp_path / "PACS" / modality / name
            place.parent.mkdir(parents=True, exist_ok=True)
            place.symlink_to(pictures / modality / drawn)
    record = quick_bench.call(
        *without_choice(quick_bench.arguments("classifier-only")),
        *("--dataset", "pacs", "--classes", "all", "--data-root", str(tmp_path)),
        *("--alternative", f"folder:{pictures}", "--format", "json"),
    ).json
    assert record["data"]["name"] == "pacs"
    assert record["data"]["classes"] == ["dog", "guitar"]
    assert any("PACS" in note for note in record["data"]["notes"])
    assert not any(str(tmp_path) in note for note in record["data"]["notes"])


def without_choice(arguments: list[str]) -> list[str]:
    """The arguments without those that choose a dataset and its classes."""
    named = ("--dataset", "--classes", "--alternative-classes")
    at = [i for i, part in enumerate(arguments) if part in named]
    dropped = {j for i in at for j in (i, i + 1)}
    return [part for i, part in enumerate(arguments) if i not in dropped]
