"""What real runs leave behind is loaded and exported as it was scored."""

from __future__ import annotations

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
