"""What real runs leave behind is loaded and exported as it was scored."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from bench import BENCHMARK, Bench
from plugin_text import method_text
from safetensors.numpy import load_file

import dfbench
from dfbench.datasets.images.decoding import decoded
from dfbench.modality import MODALITIES

ROWS = {
    "crossx": ("--precision", "bf16"),
    "crossx[released]": (),
    "classifier-posterior": ("--set", "temperature=2", "--scenario", "overlap=0.34"),
    "averaging-weights[rebasin]": (),
}


@pytest.mark.parametrize("row", ROWS)
def test_loaded_encoders_give_the_embeddings_that_were_scored(
    row: str, quick_bench: Bench, pictures: Path
) -> None:
    record = quick_bench.record(row, *ROWS[row])
    out = quick_bench.place / "out"
    done = quick_bench.call(
        *("export", "--run", record["eval_id"][:8], "-o", str(out)),
        *("--results", str(quick_bench.results), "--runs", str(quick_bench.runs)),
    )
    assert done.status == 0, done.err
    (folder,) = (file.parent for file in quick_bench.runs.rglob("outcome.json"))
    scored = load_file(folder / "embeddings.safetensors")
    for place in (folder, out):
        model = dfbench.load(place)
        assert model.about.fit_id == record["fit_id"]
        for modality in MODALITIES:
            files = [f for name in BENCHMARK for f in (pictures / modality / name).iterdir()]
            images = np.stack([decoded(file, 32) for file in files])
            encode = model.encode_photos if modality == "photo" else model.encode_sketches
            away = np.abs(scored[modality][:, None] - encode(images)[None]).max(axis=2)
            assert away.min(axis=1).max() < 1e-4


def test_encoders_of_a_plugin_that_are_no_chain_are_refused_by_name(quick_bench: Bench) -> None:
    plugin = quick_bench.plugin(method_text("pixels"))
    quick_bench.record("pixels", "--plugin", str(plugin))
    refusal = quick_bench.call(
        *("export", "--run", "pixels-s0", "--results", str(quick_bench.results)),
        *("--runs", str(quick_bench.runs)),
    ).refused()
    assert "its photo encoder is torch.nn.modules.flatten.Flatten; allowed: " in refusal


@pytest.mark.parametrize(
    ("parts", "told"),
    [
        ("(self.net.normaliser, self.net.backbone)", "whose parts compute something else"),
        ("1 / 0", "whose parts do not work (ZeroDivisionError: division by zero)"),
    ],
    ids=["others", "raising"],
)
def test_wrong_parts_of_a_plugin_spoil_its_export_and_not_its_run(
    parts: str, told: str, quick_bench: Bench
) -> None:
    text = method_text("own").replace(
        "return Encoders(nn.Flatten(), nn.Flatten())",
        "net = setting.new_encoder('photo')\n        return Encoders(Net(net), Net(net))",
    )
    text += (
        "\n\nclass Net(nn.Module):\n    def __init__(self, net):\n        super().__init__()\n"
        "        self.net = net\n\n    def forward(self, x):\n        return self.net(x)\n"
        f"\n    def as_parts(self):\n        return {parts}\n"
    )
    quick_bench.record("own", "--plugin", str(quick_bench.plugin(text)))
    refusal = quick_bench.call(
        *("export", "--run", "own-s0", "--results", str(quick_bench.results)),
        *("--runs", str(quick_bench.runs)),
    ).refused()
    assert told in refusal


POSTERIORS = {
    "crossx": ("--scenario", "overlap=0.34"),
    "averaging-weights[rebasin]": (),
}


@pytest.mark.parametrize("row", POSTERIORS)
def test_exported_posterior_has_the_scores_of_the_record(
    row: str, quick_bench: Bench, pictures: Path
) -> None:
    record = quick_bench.record(row, *POSTERIORS[row])
    out = quick_bench.place / "out"
    places = ("--results", str(quick_bench.results), "--runs", str(quick_bench.runs))
    done = quick_bench.call(
        *("export", "--run", record["eval_id"][:8], "--representation", "posterior"),
        *("-o", str(out), *places),
    )
    assert done.status == 0, done.err
    model = dfbench.load(out)
    (folder,) = (file.parent for file in quick_bench.runs.rglob("outcome.json"))
    assert model.identity("photo") == dfbench.load(folder, representation="posterior").identity(
        "photo"
    )
    assert model.about.similarity == "inner"
    scored = load_file(folder / "embeddings-posterior.safetensors")
    files = {m: [f for n in BENCHMARK for f in (pictures / m / n).iterdir()] for m in MODALITIES}
    rows, labels = {}, {}
    for modality, encode in (("photo", model.encode_photos), ("sketch", model.encode_sketches)):
        found = encode(files[modality])
        away = np.abs(scored[modality][:, None] - found[None]).max(axis=2)
        assert away.min(axis=1).max() < 1e-5
        tested = away.argmin(axis=1)
        rows[modality] = found[tested]
        labels[modality] = [files[modality][place].parent.name for place in tested]
    scores = dfbench.evaluate(
        *(rows["sketch"], rows["photo"], labels["sketch"], labels["photo"]),
        similarity=model.about.similarity,
    )
    expected = record["representations"]["posterior"]
    assert scores.scores["map@all"].value == pytest.approx(expected["map@all"]["value"], abs=1e-6)
    assert expected != record["metrics"]
    card = json.loads((out / "card.json").read_text())
    assert card["encoders"]["representation"] == "posterior"
    assert card["measured"]["metrics"] == expected
    page = (out / "README.md").read_text()
    assert f"| map@all | {expected['map@all']['value']:.3f} |" in page
    assert 'representation: "posterior"\n' in page.split("---")[1]
    assert "compared by `inner` similarity" in page


def test_posterior_is_searched_from_a_run_and_from_its_export(
    quick_bench: Bench, pictures: Path
) -> None:
    quick_bench.record("crossx")
    out = quick_bench.place / "out"
    places = ("--results", str(quick_bench.results), "--runs", str(quick_bench.runs))
    chosen = ("--representation", "posterior")
    exported = quick_bench.call("export", "--run", "crossx-s0", *chosen, "-o", str(out), *places)
    assert exported.status == 0, exported.err
    asked = (
        *("--gallery", str(pictures / "photo"), "--cache", str(quick_bench.place / "cache")),
        *("--sketch", str(next((pictures / "sketch" / "cup").iterdir())), "--format", "json"),
    )
    (folder,) = (file.parent for file in quick_bench.runs.rglob("outcome.json"))
    found = [
        quick_bench.call("query", "--run", str(run), *which, *asked)
        for run, which in ((folder, chosen), (out, ()), (out, chosen), (folder, ()))
    ]
    assert [one.status for one in found] == [0] * 4, [one.err for one in found]
    assert found[0].json == found[1].json == found[2].json
    assert found[3].json != found[0].json
    refusal = quick_bench.call("query", "--run", str(out), "--representation", "poster", *asked)
    assert "did you mean 'posterior'? allowed: posterior" in refusal.refused()


def test_unknown_representation_of_a_run_is_refused_with_those_it_has(quick_bench: Bench) -> None:
    quick_bench.record("crossx")
    places = ("--results", str(quick_bench.results), "--runs", str(quick_bench.runs))
    out = ("-o", str(quick_bench.place / "out"))
    for name in ("posteriors", "x" * 300, "../posterior"):
        asked = ("export", "--run", "crossx-s0", "--representation", name, *out, *places)
        refusal = quick_bench.call(*asked).refused()
        assert f"unknown representation {name!r}" in refusal
        assert "allowed: posterior" in refusal
    assert not (quick_bench.place / "out").exists()
    (described,) = quick_bench.runs.rglob("encoders.json")
    content = json.loads(described.read_text())
    described.write_text(json.dumps({**content, "representations": {}}))
    asked = ("export", "--run", "crossx-s0", "--representation", "posterior", *out, *places)
    assert "repeat the run with --force" in quick_bench.call(*asked).refused()
