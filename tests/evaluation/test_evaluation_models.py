"""Several models on the same images: scores of each, and paired differences."""

import csv
import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from dfbench.cli.evaluate import evaluate as command
from dfbench.errors import DfbenchError, InvalidInput, UnknownName
from dfbench.evaluation import evaluate, evaluate_models, paired_difference

Run = Callable[..., Result]
RNG = np.random.default_rng(0)
LABELS = RNG.integers(4, size=60), RNG.integers(4, size=90)
CENTRES = RNG.normal(size=(4, 6))
SIDES = {
    name: [CENTRES[side] + noise * RNG.normal(size=(len(side), 6)) for side in LABELS]
    for name, noise in (("sharp", 0.5), ("blunt", 1.5), ("vague", 1.6))
}
QUERIES = {name: side[0] for name, side in SIDES.items()}
GALLERY = {name: side[1] for name, side in SIDES.items()}
METRICS = ("map@all", "acc@3")


def test_each_model_is_scored_as_alone_and_each_pair_as_by_the_paired_bootstrap() -> None:
    result = evaluate_models(QUERIES, GALLERY, *LABELS, metrics=METRICS, bootstrap=200)
    for name, one in result.models.items():
        alone = evaluate(QUERIES[name], GALLERY[name], *LABELS, metrics=METRICS, bootstrap=200)
        assert one.scores == alone.scores
    pairs = [("sharp", "blunt"), ("sharp", "vague"), ("blunt", "vague")]
    assert [(d.metric, (d.model, d.minus)) for d in result.differences] == [
        (metric, pair) for metric in METRICS for pair in pairs
    ]
    for one in result.differences:
        first, second = (result.models[n].per_query[one.metric] for n in (one.model, one.minus))
        paired = paired_difference([first], [second], resamples=200)
        assert (one.value, one.low, one.high) == pytest.approx(
            (paired.value, paired.low, paired.high)
        )
    assert result.differences[0].verdict == "better"
    assert result.differences[2].verdict == "not distinguishable"


def test_differences_from_a_baseline_have_its_sign() -> None:
    result = evaluate_models(QUERIES, GALLERY, *LABELS, metrics="map@all", baseline="sharp")
    assert [(d.model, d.minus) for d in result.differences] == [
        ("blunt", "sharp"),
        ("vague", "sharp"),
    ]
    assert [d.verdict for d in result.differences] == ["worse", "worse"]


def test_one_gallery_serves_all_models_and_queries_without_photos_drop_from_pairs() -> None:
    queries = {"a": QUERIES["sharp"], "b": QUERIES["blunt"]}
    labels = np.where(np.arange(60) < 5, 9, LABELS[0])
    result = evaluate_models(
        queries, GALLERY["sharp"], labels, LABELS[1], metrics="map@all", bootstrap=0
    )
    (one,) = result.differences
    first, second = (result.models[name].per_query["map@all"] for name in ("a", "b"))
    assert one.value == pytest.approx(np.mean((first - second)[5:]))
    assert (one.low, one.high, one.verdict) == (None, None, "no verdict: no interval")


def test_wrong_models_are_refused_by_name() -> None:
    with pytest.raises(InvalidInput, match="of queries are 'a' and of the gallery 'b'; allowed"):
        evaluate_models({"a": QUERIES["sharp"]}, {"b": GALLERY["sharp"]}, *LABELS)
    with pytest.raises(InvalidInput, match="of queries are none"):
        evaluate_models({}, {}, *LABELS)
    with pytest.raises(UnknownName, match="unknown baseline 'shrap'; did you mean 'sharp'"):
        evaluate_models(QUERIES, GALLERY, *LABELS, baseline="shrap")
    short = {**GALLERY, "blunt": GALLERY["blunt"][:, :2]}
    with pytest.raises(InvalidInput, match="model 'blunt': queries have 6 components"):
        evaluate_models(QUERIES, short, *LABELS)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs the command where each model has a file a side."""
    monkeypatch.chdir(tmp_path)
    for name, sides in SIDES.items():
        for side, embeddings, labels in zip("qg", sides, LABELS, strict=True):
            np.savez(f"{name}_{side}.npz", embeddings=embeddings, labels=labels)

    def invoke(*options: str) -> Result:
        return CliRunner().invoke(command, ["--device", "cpu", "--bootstrap", "50", *options])

    return invoke


def files(*names: str) -> list[str]:
    return [
        part
        for name in names
        for part in ("--queries", f"{name}={name}_q.npz", "--gallery", f"{name}={name}_g.npz")
    ]


def ok(finished: Result) -> str:
    assert finished.exit_code == 0, (finished.output, finished.exception)
    return finished.output


def test_command_equals_the_python_function(run: Run) -> None:
    result = evaluate_models(QUERIES, GALLERY, *LABELS, bootstrap=50)
    document = json.loads(ok(run(*files(*SIDES), "--format", "json")))
    for name, one in document["models"].items():
        for metric, score in one["scores"].items():
            assert score["value"] == result.models[name].scores[metric].value
    assert [(d["model"], d["minus"], d["verdict"]) for d in document["differences"]] == [
        (d.model, d.minus, d.verdict) for d in result.differences
    ]


@pytest.mark.parametrize("style", ["text", "markdown", "latex", "html"])
def test_every_format_shows_models_differences_and_classes(run: Run, style: str) -> None:
    options = ("--metric", "map@all", "--metric", "ndcg@5", "--per-class", "--format", style)
    printed = ok(run(*files("sharp", "blunt"), *options))
    for words in ("mAP@all", "nDCG@5", "sharp - blunt", "better", "Classes, mAP@all"):
        assert words in printed


def test_spreadsheet_has_scores_differences_and_classes_under_one_header(run: Run) -> None:
    options = ("--metric", "map@all", "--per-class", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(ok(run(*files("sharp", "blunt"), *options)))))
    scores = [row for row in rows if not row["minus"] and not row["class"]]
    (difference,) = [row for row in rows if row["minus"]]
    assert [row["model"] for row in scores] == ["sharp", "blunt"]
    first, second = (float(row["value"]) for row in scores)
    assert float(difference["value"]) == pytest.approx(first - second)
    assert [row["class"] for row in rows if row["model"] == "blunt" and row["class"]] == [*"0123"]


def test_one_model_without_a_name_has_its_classes_by_metric(run: Run) -> None:
    both = ("--queries", "sharp_q.npz", "--gallery", "sharp_g.npz", "--per-class")
    printed = ok(run(*both, "--metric", "map@all", "--metric", "acc@3"))
    assert "60 queries, 90 photos, similarity cosine" in printed
    assert "class   mAP@all   Acc@3" in printed
    assert "Differences" not in printed
    rows = list(csv.DictReader(io.StringIO(ok(run(*both, "--format", "csv")))))
    assert "model" not in rows[0]


def test_equal_sign_in_the_path_of_a_file_separates_no_name(run: Run) -> None:
    Path("sharp_q.npz").rename("lr=3.npz")
    document = json.loads(
        ok(run("--queries", "lr=3.npz", "--gallery", "sharp_g.npz", "--format", "json"))
    )
    assert "scores" in document


@pytest.mark.parametrize("ending", ["png", "svg", "pdf"])
def test_curves_of_all_models_are_drawn(run: Run, ending: str) -> None:
    ok(run(*files(*SIDES), "--metric", "map@all", "--plot", f"curves.{ending}"))
    content = Path(f"curves.{ending}").read_bytes()
    assert len(content) > 1000
    if ending == "svg":
        assert all(f">{name}</text>".encode() in content for name in (*SIDES, "chance"))


def refused(finished: Result) -> str:
    """The sentence of a user error, raised to the main group or by the parser."""
    if isinstance(finished.exception, DfbenchError):
        return str(finished.exception)
    assert finished.exit_code == 2, finished.output
    return " ".join(finished.output.replace("│", " ").split())


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ([*files("sharp"), "--queries", "blunt_q.npz"], "is one of 2 and has no name; allowed"),
        (files("sharp", "sharp"), "--queries names 'sharp' twice"),
        ([*files("sharp"), "--gallery", "b=blunt_g.npz"], "the same names, or one gallery for all"),
        (["--queries", "=sharp_q.npz", "--gallery", "sharp_g.npz"], "allowed: FILE or NAME=FILE"),
        (["--queries", "a=", "--gallery", "sharp_g.npz"], "allowed: FILE or NAME=FILE"),
        ([*files("sharp"), "--baseline", "sharp"], "--baseline with one model; allowed"),
        ([*files("sharp", "blunt"), "--baseline", "blnt"], "did you mean 'blunt'?"),
        ([*files("sharp"), "--plot", "curves.gif"], "--plot '.*curves.gif'; allowed: a name"),
        ([*files("sharp"), "--plot", "sharp_q.npz/curves.png"], "sharp_q.npz"),
        ([*files("sharp"), "--format", "csvv"], "Did you mean 'csv'?"),
        ([*files("sharp"), "--query-labels", "sharp_q.npz:class"], "is not a file|ends in"),
        ([*files("sharp"), "--metric", "recal@5"], "unknown metric 'recal@5'"),
    ],
)
def test_wrong_options_are_refused_in_one_line(run: Run, options: list[str], words: str) -> None:
    sentence = refused(run(*options))
    assert re.search(words, sentence), sentence


def test_models_of_other_images_are_refused(run: Run, tmp_path: Path) -> None:
    other: dict[str, Any] = {
        "order": (QUERIES["blunt"], LABELS[0][::-1]),
        "number": (QUERIES["blunt"][:-1], LABELS[0][:-1]),
        "names": (QUERIES["blunt"], LABELS[0].astype(str)),
    }
    for name, (embeddings, labels) in other.items():
        np.savez(tmp_path / "blunt_q.npz", embeddings=embeddings, labels=labels)
        assert "have different queries" in refused(run(*files("sharp", "blunt"))), name
