from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from bench import CommandLine
from stand_in import stand_in_run
from torch import nn

import dfbench
from dfbench.errors import InvalidInput, UnknownName
from dfbench.networks import OverUnion, SoftmaxAt
from dfbench.records.record import Record
from dfbench.retrieval import FoundRun, export
from dfbench.retrieval.onnx_file import write_onnx

Made = tuple[Path, Record]
BYTES = np.random.default_rng(0).integers(0, 256, (5, 3, 32, 32)).astype(np.uint8)


def test_export_embeds_as_its_run_and_says_what_it_is(made: Made, tmp_path: Path) -> None:
    folder, record = made
    written = export(FoundRun(folder, record), tmp_path / "out")
    model, before = dfbench.load(tmp_path / "out"), dfbench.load(folder)
    assert np.array_equal(model.encode_photos(BYTES), before.encode_photos(BYTES))
    assert np.array_equal(model.encode_sketches(BYTES), before.encode_sketches(BYTES))
    assert model.identity("photo") == before.identity("photo")
    card = json.loads((tmp_path / "out" / "card.json").read_text())
    assert card["measured"]["eval_id"] == record.eval_id
    assert card["measured"]["metrics"]["map@all"]["value"] == 0.5
    assert card["encoders"]["classes"] == {"photo": ["cat", "dog"], "sketch": ["cat", "owl"]}
    assert card["data_licence"].startswith("MIT")
    assert card["dfbench"] == dfbench.__version__
    names = {"encoders.safetensors", "card.json", "README.md"}
    assert {file.name for file in written.files} == names


def test_model_card_is_front_matter_and_a_page(made: Made, tmp_path: Path) -> None:
    yaml = pytest.importorskip("yaml")
    folder, record = made
    export(FoundRun(folder, record), tmp_path / "out", licence='CC0: "no rights"')
    text = (tmp_path / "out" / "README.md").read_text()
    _, front, page = text.split("---\n", 2)
    content = yaml.safe_load(front)
    assert content["license_name"] == 'CC0: "no rights"'
    (result,) = content["model-index"][0]["results"]
    values = {metric["type"]: metric["value"] for metric in result["metrics"]}
    assert values == {name: score.value for name, score in record.metrics.items()}
    assert f"| map@all | {record.metrics['map@all'].value:.3f} |" in page
    assert "classes known to the sketch teacher: cat, owl" in page
    export(FoundRun(folder, None), tmp_path / "bare")
    bare = (tmp_path / "bare" / "README.md").read_text()
    assert "## Scores" not in bare
    assert "licence of the images: not stated" in bare


def test_runs_and_exports_of_before_representations_are_loaded(made: Made, tmp_path: Path) -> None:
    folder, _ = made
    shutil.copytree(folder, tmp_path / "run")
    export(FoundRun(*made), tmp_path / "out")
    expected = dfbench.load(folder).encode_photos(BYTES)
    for file, key in (("run/encoders.json", None), ("out/card.json", "encoders")):
        content = json.loads((tmp_path / file).read_text())
        about = content[key] if key else content
        del about["representation"], about["representations"]
        (tmp_path / file).write_text(json.dumps(content))
        model = dfbench.load((tmp_path / file).parent)
        assert np.array_equal(model.encode_photos(BYTES), expected)
        with pytest.raises(UnknownName, match="unknown representation 'posterior'"):
            dfbench.load((tmp_path / file).parent, representation="posterior")


def test_export_of_an_export_keeps_its_card(made: Made, tmp_path: Path) -> None:
    first = export(FoundRun(*made), tmp_path / "first", licence="CC0")
    second = export(FoundRun(first.folder, None), tmp_path / "second")
    assert second.card == first.card
    assert second.card.data_licence == "CC0"


def test_run_without_test_images_is_exported_without_scores(made: Made, tmp_path: Path) -> None:
    card = export(FoundRun(made[0], None), tmp_path / "out").card
    assert card.measured is None
    assert card.data_licence is None
    assert card.encoders.fit_id == made[1].fit_id


def test_exchanged_tensors_are_noticed(made: Made, tmp_path: Path) -> None:
    export(FoundRun(*made), tmp_path / "out")
    other, _ = stand_in_run(tmp_path / "other", seed=1)
    shutil.copy(other / "encoders.safetensors", tmp_path / "out")
    with pytest.raises(InvalidInput, match="not the file described by its card"):
        dfbench.load(tmp_path / "out")


def test_export_overwrites_exports_and_nothing_else(made: Made, tmp_path: Path) -> None:
    run = FoundRun(*made)
    export(run, tmp_path / "out")
    export(run, tmp_path / "out")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    (tmp_path / "file").write_text("text")
    for target, told in (("mine", "contains other files"), ("file", "is a file")):
        with pytest.raises(InvalidInput, match=told):
            export(run, tmp_path / target)
    with pytest.raises(InvalidInput, match="is the run itself"):
        export(run, made[0])


def test_onnx_computes_the_same_embeddings(made: Made, tmp_path: Path) -> None:
    runtime = pytest.importorskip("onnxruntime", reason="ONNX Runtime is not installed")
    pytest.importorskip("onnxscript", reason="onnxscript is not installed")
    export(FoundRun(*made), tmp_path / "out", onnx=True)
    model = dfbench.load(tmp_path / "out")
    for modality, expected in (
        ("photo", model.encode_photos(BYTES)),
        ("sketch", model.encode_sketches(BYTES)),
    ):
        session = runtime.InferenceSession(tmp_path / "out" / f"{modality}.onnx")
        (found,) = session.run(None, {"images": BYTES})
        assert np.allclose(found, expected, atol=1e-4)


def test_onnx_of_posteriors_over_a_union_takes_any_number_of_images(tmp_path: Path) -> None:
    runtime = pytest.importorskip("onnxruntime", reason="ONNX Runtime is not installed")
    pytest.importorskip("onnxscript", reason="onnxscript is not installed")
    pixels = nn.Sequential(nn.Flatten(), nn.Linear(3 * 8 * 8, 2), SoftmaxAt(), OverUnion((2, 0), 4))
    write_onnx(pixels, 8, tmp_path / "e.onnx")
    session = runtime.InferenceSession(tmp_path / "e.onnx")
    for count in (1, 5):
        images = BYTES[:count, :, :8, :8]
        with torch.no_grad():
            expected = pixels(torch.from_numpy(images) / 255).numpy()
        (found,) = session.run(None, {"images": images})
        assert np.allclose(found, expected, atol=1e-4)


def test_failed_export_leaves_the_earlier_one_as_it_was(
    made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, target = FoundRun(*made), tmp_path / "out"
    export(run, target)
    before = {file.name: file.read_bytes() for file in target.iterdir()}

    def fail(_encoder: nn.Module, _size: int, file: Path) -> None:
        file.write_bytes(b"half")
        raise InvalidInput("no ONNX")

    monkeypatch.setattr("dfbench.retrieval.onnx_file.check_installed", lambda: None)
    monkeypatch.setattr("dfbench.retrieval.onnx_file.write_onnx", fail)
    with pytest.raises(InvalidInput, match="no ONNX"):
        export(run, target, onnx=True)
    assert {file.name: file.read_bytes() for file in target.iterdir()} == before
    assert [entry.name for entry in tmp_path.iterdir() if entry.name.startswith(".")] == []


def test_export_without_onnx_leaves_no_onnx_of_other_encoders(made: Made, tmp_path: Path) -> None:
    run, target = FoundRun(*made), tmp_path / "out"
    export(run, target)
    (target / "photo.onnx").write_bytes(b"of an earlier export")
    assert "photo.onnx" not in {file.name for file in export(run, target).files}
    assert not (target / "photo.onnx").exists()


def test_missing_libraries_of_onnx_name_the_extra(
    made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dfbench.retrieval.onnx_file.find_spec", lambda _: None)
    with pytest.raises(InvalidInput, match=r"pip install 'dfbench-sbir\[onnx\]'"):
        export(FoundRun(*made), tmp_path / "out", onnx=True)
    assert not (tmp_path / "out").exists()


def test_export_verb_writes_a_folder_named_for_the_run(
    line: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, record = stand_in_run(line.place)
    monkeypatch.chdir(line.place)
    done = line.call("export", "--run", record.fit_id[:6])
    assert done.status == 0, done.err
    assert set(done.out.split()) == {
        f"export-{folder.name}/{name}"
        for name in ("encoders.safetensors", "card.json", "README.md")
    }
