"""What plugin code gets, what it may not touch, and what is said of it when it misbehaves."""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from bench import ALTERNATIVE, BENCHMARK, Bench
from plugin_text import method_text

from dfbench.datasets import DatasetRequest
from dfbench.datasets.folder.opening import open_folder

PIXELS = method_text("pixels", title="Raw Pixels")
WITNESS = """
import os
import shutil
import sys
from pathlib import Path

import numpy as np
from torch import nn

HERE = Path(__file__).parent
with (HERE / "pids").open("a") as file:
    print(os.getpid(), file=file)


def witness(setting):
    shutil.copytree(setting.artefacts._folder, HERE / "seen")


class Witness(nn.Flatten):
    def forward(self, x):
        np.save(HERE / "given.npy", x.mul(255).round().byte().numpy())
        return super().forward(x)
"""


def test_ten_line_plugin_is_scored_by_its_pixels_and_its_code_stays_in_processes_of_its_own(
    bench: Bench,
) -> None:
    text = PIXELS.replace("        return Enc", "        witness(setting)\n        return Enc")
    text = text.replace("Encoders(nn.Flatten()", "Encoders(Witness()")
    file = bench.plugin(WITNESS + text)
    record = bench.record("pixels", "--plugin", str(file))
    _check_isolation(bench)
    _check_nothing_of_the_test_is_there_while_it_fits(bench.place / "seen")
    data = open_folder(
        DatasetRequest(
            cache=bench.cache / "images",
            argument=str(bench.pictures),
            classes=BENCHMARK,
            alternative_classes=ALTERNATIVE,
        )
    )
    given = np.load(bench.place / "given.npy")
    _check_images_are_shuffled(given, data.images("photo", "test").images)
    assert list(bench.runs.rglob("*.npy")) == []
    assert record["method"]["title"] == "Raw Pixels"
    assert record["method"]["needs"] == []
    _check_scores(record, data)


def _check_isolation(bench: Bench) -> None:
    pids = (bench.place / "pids").read_text().split()
    assert len(set(pids)) == 2, "one process describes, another fits"
    assert str(os.getpid()) not in pids
    assert "someplugin" not in sys.modules


def _check_images_are_shuffled(given: np.ndarray, photos: np.ndarray) -> None:
    assert given.shape == photos.shape
    assert not np.array_equal(given, photos)
    assert sorted(map(bytes, given)) == sorted(map(bytes, photos))


def _check_nothing_of_the_test_is_there_while_it_fits(seen: Path) -> None:
    names = {file.relative_to(seen).as_posix() for file in seen.rglob("*") if file.is_file()}
    assert names == {".lock", "job.json", "state.json"}
    job = json.loads((seen / "job.json").read_text())
    assert "labels" not in json.dumps(job)
    assert not any(name in json.dumps(job) for name in BENCHMARK)


def _check_scores(record: dict, data: object) -> None:
    """Scores are those of pixels ranked in the dataset's own order, with its labels."""
    from dfbench.evaluation import evaluate

    sets = [data.images(m, "test") for m in ("sketch", "photo")]  # type: ignore[attr-defined]
    pixels = [
        np.broadcast_to(s.images, (len(s), 3, 32, 32)).reshape(len(s), -1) / np.float32(255)
        for s in sets
    ]
    expected = evaluate(pixels[0], pixels[1], sets[0].labels, sets[1].labels, bootstrap=0)
    for name, score in expected.scores.items():
        assert record["metrics"][name]["value"] == pytest.approx(score.value, abs=1e-6)


def _fitting(bench: Bench, body: str) -> str:
    """A plugin whose `fit` has this body."""
    indented = "\n".join(f"        {line}" for line in body.strip("\n").splitlines())
    head, _, _ = PIXELS.partition("        return Enc")
    return str(bench.plugin("import torch\n" + head + indented + "\n"))


def _encoding(bench: Bench, photo: str, sketch: str = "x.flatten(1)") -> str:
    """A plugin whose encoders compute these expressions of the images `x`."""
    return _fitting(
        bench,
        f"""
class E(nn.Module):
    def __init__(self, f):
        super().__init__()
        self.f = f
    def forward(self, x):
        return self.f(x)
return Encoders(E(lambda x: {photo}), E(lambda x: {sketch}))
""",
    )


def test_constant_embeddings_score_exactly_chance(quick_bench: Bench) -> None:
    code = "x.new_full((len(x), 4), 0.3)"
    record = quick_bench.record("pixels", "--plugin", _encoding(quick_bench, code, code))
    metrics = record["metrics"]
    assert metrics["map@all"]["value"] == pytest.approx(record["chance"], abs=1e-12)
    assert metrics["acc@1"]["value"] == pytest.approx(1 / 3, abs=1e-12)
    # Two of six photos are relevant, in every order equally likely.
    orders = [(i, j) for i in range(1, 7) for j in range(i + 1, 7)]
    average = sum((1 / i + 2 / j) / 2 for i, j in orders) / len(orders)
    assert record["chance"] == pytest.approx(average, abs=1e-12)


REFUSED = {
    "nan": ("x.flatten(1) * float('nan')", "photo embeddings are not finite .* for 6 of 6 images"),
    "one nan": (
        "torch.where(torch.arange(len(x)).view(-1, 1) == 2, float('nan'), x.flatten(1))",
        "photo embeddings are not finite .* for 1 of 6 images",
    ),
    "infinite": ("x.flatten(1) / 0", "photo embeddings are not finite"),
    "too many axes": ("x", r"photo encoder maps 6 images to \[6, 3, 32, 32\]; allowed: \[6, D\]"),
    "too few rows": ("x.flatten(1)[1:]", r"photo encoder maps 6 images to \[5, 3072\]"),
    "no tensor": ("x.flatten(1).numpy()", "photo encoder maps 6 images to ndarray"),
    "none": ("None", "photo encoder maps 6 images to NoneType"),
    "integers": ("x.flatten(1).long()", "photo embeddings are int64; allowed: floating point"),
    "booleans": ("x.flatten(1) > 0", "photo embeddings are bool; allowed: floating point"),
    "other width": ("x.flatten(1)[:, :9]", r"differ in width: \[9, 3072\]"),
    "zero": ("x.new_zeros(len(x), 3072)", "gallery row 0 is zero .6 such rows.; cosine"),
    "no width": ("x.flatten(1)[:, :0]", r"photo embeddings have shape \[6, 0\]"),
    "raises": ("x @ x.new_ones(5)", "plugin 'someplugin' .* photo encoder raised RuntimeError"),
    "exits": ("exit(3)", "photo encoder raised SystemExit: 3"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_embeddings_that_cannot_be_ranked_are_refused_by_name(
    case: str, quick_bench: Bench
) -> None:
    code, fault = REFUSED[case]
    finished = quick_bench.run("pixels", "--plugin", _encoding(quick_bench, code))
    line = finished.refused()
    assert "method 'pixels'" in line
    assert re.search(fault, line), line
    assert list(quick_bench.results.rglob("*.json")) == []
    assert list(quick_bench.runs.rglob("*.npy")) == []


def test_half_precision_embeddings_are_ranked(quick_bench: Bench) -> None:
    code = "x.flatten(1).to(torch.bfloat16)"
    record = quick_bench.record("pixels", "--plugin", _encoding(quick_bench, code, code))
    assert record["metrics"]["map@all"]["value"] > 0


MISBEHAVED = {
    "raises": ("raise ValueError('two\\nlines')", "fit\\(\\) raised ValueError: two lines"),
    "exits": ("import sys\nsys.exit(5)", "fit\\(\\) raised SystemExit: 5"),
    "returns nothing": ("pass", "fit\\(\\) returned NoneType; allowed: dfbench.Encoders"),
    "returns functions": (
        "return Encoders(lambda x: x, lambda x: x)",
        "photo encoder is <function .*; allowed: a torch.nn.Module",
    ),
    "unknown similarity": (
        "return Encoders(nn.Flatten(), nn.Flatten(), 'dot')",
        "unknown similarity 'dot'; allowed: cosine, euclidean, inner",
    ),
    "modality classifier undeclared": (
        "setting.modality_classifier",
        "asked for 'modality classifier' without declaring it; .* Need.MODALITY_CLASSIFIER",
    ),
    "alternative data undeclared": (
        "setting.alternative_images('photo')",
        "asked for 'alternative data' without declaring it; .* Need.ALTERNATIVE_DATA",
    ),
    "training data undeclared": (
        "setting.training_images('photo')",
        "asked for 'training data' without declaring it; .* Need.TRAINING_DATA",
    ),
}


@pytest.mark.parametrize("case", MISBEHAVED)
def test_fit_that_breaks_the_contract_is_answered_with_one_line_that_names_the_method(
    case: str, quick_bench: Bench
) -> None:
    code, fault = MISBEHAVED[case]
    finished = quick_bench.run("pixels", "--plugin", _fitting(quick_bench, code))
    line = finished.refused()
    assert "'pixels'" in line
    assert re.search(fault, line), line
    assert list(quick_bench.results.rglob("*.json")) == []


@pytest.mark.parametrize(
    ("fault", "kept"),
    [
        ("ValueError('no idea')", 0),
        ("FileNotFoundError(2, 'no such file')", 0),
        ("OSError(28, 'no space left on device')", 1),
        ("MemoryError()", 1),
        ("torch.OutOfMemoryError('of the GPU')", 1),
    ],
)
def test_checkpoints_of_a_plugin_outlive_a_lack_of_room_and_not_a_fault_of_its_own(
    fault: str, kept: int, quick_bench: Bench
) -> None:
    code = f"[*setting.loop('train', 2, {{}})]\nraise {fault}"
    line = quick_bench.run("pixels", "--plugin", _fitting(quick_bench, code)).refused()
    assert fault.partition("(")[0].removeprefix("torch.") in line
    assert "'pixels'" in line
    assert len(list(quick_bench.runs.rglob("*.checkpoint"))) == kept


def test_declared_need_is_supplied_and_recorded(quick_bench: Bench) -> None:
    body = """
judge = setting.modality_classifier
assert not any(p.requires_grad for p in judge.parameters())
return Encoders(nn.Flatten(), nn.Flatten())
"""
    file = Path(_fitting(quick_bench, body))
    needs = "    @classmethod\n    def needs(cls, config):\n"
    needs += "        return frozenset({Need.MODALITY_CLASSIFIER})\n"
    text = file.read_text().replace("import Encoders", "import Need, Encoders") + "\n" + needs
    record = quick_bench.record("pixels", "--plugin", str(quick_bench.plugin(text)))
    assert record["method"]["needs"] == ["modality classifier"]


def test_need_for_pairs_of_no_row_is_refused_before_anything_is_trained(
    quick_bench: Bench,
) -> None:
    needs = "    @classmethod\n    def needs(cls, config):\n"
    needs += "        return frozenset({Need.GENERATED_PAIRS})\n"
    file = quick_bench.plugin(PIXELS.replace("import Enc", "import Need, Enc") + "\n" + needs)
    line = quick_bench.run("pixels", "--plugin", str(file)).refused()
    assert "method 'pixels' cannot be made: its needs() and pairs_of() disagree" in line


CLASSES = {
    "no method at all": ("class Pixels: pass", "not a subclass of dfbench.Method"),
    "no fit": ("class Pixels(Method):\n    name, title, version = 'pixels', 'P', 1", "abstract"),
    "no title": (
        "class Pixels(Method):\n    name, version = 'pixels', 1\n    def fit(self, s): pass",
        "title",
    ),
    "no name": ("class Pixels(Method):\n    title = 'P'\n    def fit(self, s): pass", "name"),
    "another name": (
        "class Pixels(Method):\n    name, title, version = 'p', 'P', 1\n    def fit(self, s): pass",
        "has the name 'p' but is registered as 'pixels'",
    ),
    "needs that raise": (
        "class Pixels(Method):\n    name, title, version = 'pixels', 'P', 1\n"
        "    def fit(self, s): pass\n    @classmethod\n    def needs(cls, config): 1 / 0",
        "ZeroDivisionError",
    ),
}


@pytest.mark.parametrize("case", CLASSES)
def test_class_that_breaks_the_contract_is_answered_with_one_line_that_names_the_plugin(
    case: str, quick_bench: Bench
) -> None:
    code, fault = CLASSES[case]
    text = PIXELS.partition("class Pixels")[0] + code + "\n"
    line = quick_bench.run("pixels", "--plugin", str(quick_bench.plugin(text))).refused()
    assert "'someplugin'" in line
    assert fault in line


def test_file_with_a_syntax_error_is_named_and_nothing_runs(quick_bench: Bench) -> None:
    file = quick_bench.plugin("def f(:\n")
    line = quick_bench.run("classifier-only", "--plugin", str(file)).refused()
    assert "someplugin.py' does not work: SyntaxError" in line
    assert not quick_bench.results.exists()


def test_process_that_dies_is_told_by_its_signal(bench: Bench) -> None:
    plugin = _fitting(bench, "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)")
    line = bench.run("pixels", "--plugin", plugin).refused()
    assert re.search(r"died \(SIGKILL, perhaps out of memory: it used \d+ MiB\)", line)
    assert "nothing was scored" in line
    assert list(bench.runs.rglob("*.npy")) == []
