"""Re-rankings of finished runs: recorded beside the plain scores, from the stored embeddings."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from bench import Bench, stored_embeddings

from dfbench.records.store import ResultStore, read_record
from dfbench.reporting.run_folders import MissingRun, RunFolders

PLUGIN = """
import time
import torch
import dfbench
{head}

@dfbench.hookimpl
def dfbench_rerankers():
    return [dfbench.RerankerSpec("backwards", "Reversed", "someplugin:Backwards")]


class Config(dfbench.RerankerConfig):
    power: int = 1


class Backwards(dfbench.Reranker):
    name, title, definition = "backwards", "Backwards", "negative inner product"
    Config = Config

    def prepare(self, gallery, similarity):
        self.gallery = gallery

    def scores(self, queries):
        {scores}
        return -(queries @ self.gallery.T)
"""
RERANK = ("--rerank", "backwards")


def plugin(bench: Bench, scores: str = "pass", head: str = "") -> tuple[str, str]:
    return "--plugin", str(bench.plugin(PLUGIN.format(scores=scores, head=head)))


def only_record(bench: Bench) -> Path:
    (path,) = bench.results.rglob("*.json")
    return path


def test_reranking_is_recorded_beside_the_plain_scores_without_another_fit(
    quick_bench: Bench,
) -> None:
    before = quick_bench.record("classifier-only")
    (encoders,) = quick_bench.runs.rglob("encoders.safetensors")
    written = encoders.stat().st_mtime_ns
    chosen = ("--rerank", "query-expansion:k=3", *RERANK, *plugin(quick_bench))
    after = quick_bench.record("classifier-only", *chosen)
    assert encoders.stat().st_mtime_ns == written
    reranked = after.pop("reranked")
    assert before.pop("reranked") == {}
    assert after == before
    assert list(reranked) == ["query-expansion:k=3", "backwards"]
    expanded = reranked["query-expansion:k=3"]
    assert expanded["reranker"]["config"] == {"k": 3}
    assert "Chum et al. 2007" in expanded["reranker"]["definition"]
    assert expanded["metrics"].keys() == after["metrics"].keys()
    assert expanded["representations"].keys() == after["representations"].keys()
    assert len({one["identity"] for one in reranked.values()} | {after["eval_id"]}) == 3
    assert reranked["backwards"]["metrics"]["map@all"] != after["metrics"]["map@all"]
    table = quick_bench.call("table", "--results", str(quick_bench.results))
    assert "backwards *" in table.out
    assert "transductive" in table.out


def test_same_reranking_is_not_repeated_and_gives_the_same_scores(quick_bench: Bench) -> None:
    first = quick_bench.record("classifier-only", "--rerank", "diffusion")
    told = quick_bench.run("classifier-only", "--rerank", "diffusion").err
    assert "re-ranking by" not in told
    again = quick_bench.record("classifier-only", "--force", "--rerank", "diffusion")
    scores = [record["reranked"]["diffusion"]["metrics"] for record in (first, again)]
    assert scores[0] == scores[1]


def test_record_without_reranking_stays_valid(quick_bench: Bench) -> None:
    quick_bench.record("classifier-only")
    content = json.loads(only_record(quick_bench).read_bytes())
    content.pop("reranked")
    content.pop("checksum")
    from dfbench.records import store

    content["checksum"] = store._checksum(content)
    assert read_record(json.dumps(content).encode()).reranked == {}


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("difusion", "unknown re-ranker 'difusion'; did you mean 'diffusion'?"),
        ("diffusion:q=1", "unknown setting of re-ranker 'diffusion' 'q'"),
        ("diffusion:alfa=1", "did you mean 'alpha'?"),
        ("diffusion:alpha=1", "try --rerank diffusion:alpha=VALUE"),
        ("diffusion:k=0", "setting k='0' of re-ranker 'diffusion': input should be greater"),
        ("diffusion:k", "'k' is not a setting; allowed: NAME or NAME:KEY=VALUE"),
        ("diffusion:k=1,k=2", "has k twice"),
        ("diffusion:", "'' is not a setting"),
    ],
)
def test_wrong_reranker_is_refused_before_anything_is_fitted(
    name: str, told: str, quick_bench: Bench
) -> None:
    assert told in quick_bench.run("classifier-only", "--rerank", name).refused()
    assert not list(quick_bench.results.rglob("*.json"))


def test_reranking_without_test_images_is_refused(quick_bench: Bench) -> None:
    finished = quick_bench.call(
        *("run", "--method", "classifier-only", "--rerank", "diffusion"),
        *("--photo-teacher", "a", "--sketch-teacher", "b"),
    )
    assert "--rerank diffusion without --dataset; allowed: with the test" in finished.refused()


def test_failing_reranker_leaves_plain_scores_and_those_of_others(quick_bench: Bench) -> None:
    broken = plugin(quick_bench, "raise RuntimeError('no labels here')")
    finished = quick_bench.run("classifier-only", *RERANK, "--rerank", "query-expansion", *broken)
    line = finished.refused()
    assert "re-ranker 'backwards' of plugin 'someplugin' -: scores() raised RuntimeError" in line
    assert "plain scores are kept" in line
    assert "Classifier Only" in finished.out
    (record,) = ResultStore(quick_bench.results)
    assert list(record.reranked) == ["query-expansion"]


def test_run_whose_embeddings_are_gone_is_not_reranked(quick_bench: Bench) -> None:
    quick_bench.record("classifier-only")
    for file in quick_bench.runs.rglob("embeddings*.safetensors"):
        file.unlink()
    line = quick_bench.run("classifier-only", "--rerank", "query-expansion").refused()
    assert "stored embeddings of the run cannot be read" in line
    assert "dfbench run --force" in line


def test_reranker_of_a_plugin_cannot_take_a_built_in_name(quick_bench: Bench) -> None:
    text = PLUGIN.format(scores="pass", head="").replace('"backwards"', '"diffusion"')
    line = quick_bench.run("classifier-only", "--plugin", str(quick_bench.plugin(text))).refused()
    assert "the reranker name 'diffusion' is taken by plugin 'builtin'" in line


def test_evaluate_reranks_files(quick_bench: Bench, tmp_path: Path) -> None:
    import numpy as np

    quick_bench.record("classifier-only")
    (folder,) = {file.parent for file in quick_bench.runs.rglob("labels.npz")}
    with np.load(folder / "labels.npz") as labels:
        for name, rows in stored_embeddings(folder).items():
            np.savez(tmp_path / f"{name}.npz", embeddings=rows, labels=labels[name])
    files = [
        *("--queries", str(tmp_path / "sketch.npz"), "--gallery", str(tmp_path / "photo.npz")),
        *("--rerank", "query-expansion:k=3", "--format", "json", "--seed", "0"),
    ]
    told: dict[str, Any] = quick_bench.call("evaluate", *files).json
    recorded = quick_bench.record("classifier-only", "--rerank", "query-expansion:k=3")
    found = told["reranked"]["query-expansion:k=3"]
    assert found["transductive"] is True
    for name, score in recorded["reranked"]["query-expansion:k=3"]["metrics"].items():
        assert found["scores"][name]["value"] == pytest.approx(score["value"])
    failing = quick_bench.call("evaluate", *files, *RERANK, *plugin(quick_bench, "return None"))
    assert failing.json["scores"] == told["scores"]
    assert list(failing.json["reranked"]["backwards"]) == ["error"]
    assert "returned a NoneType; allowed: a tensor [B, G]" in failing.refused()


def test_evaluate_marks_reranked_tables_of_one_model(quick_bench: Bench, tmp_path: Path) -> None:
    import numpy as np

    rows = np.random.default_rng(0).normal(size=(12, 4))
    file = tmp_path / "side.npz"
    np.savez(file, embeddings=rows, labels=np.arange(12) % 3)
    rerank = ("--rerank", "query-expansion:k=3")
    sides = ("--queries", str(file), "--gallery", str(file))
    text = quick_bench.call("evaluate", *sides, *rerank).out
    assert "re-ranked by query-expansion:k=3 (transductive" in text
    head, *lines = quick_bench.call("evaluate", *sides, *rerank, "--format", "csv").out.splitlines()
    assert head.endswith(",reranker")
    assert {line.rpartition(",")[2] for line in lines} == {"", "query-expansion:k=3"}
    both = [text for name in "ab" for text in ("--queries", f"{name}={file}")]
    refused = quick_bench.call("evaluate", *both, "--gallery", str(file), *rerank).refused()
    assert "--rerank with 2 models; allowed: with one" in refused


def test_summary_puts_a_reranking_below_the_representation_it_reranks(quick_bench: Bench) -> None:
    quick_bench.record("averaging-weights")
    places = "--results", str(quick_bench.results), "--runs", str(quick_bench.runs)
    assert quick_bench.call("rescore", "--metric", "prec@3", *places).status == 0
    chosen = ("--alone", "--rerank", "query-expansion:k=3")
    lines = quick_bench.run("averaging-weights", *chosen).out.splitlines()
    names = [line[:31].rstrip() for line in lines]
    first = next(i for i, name in enumerate(names) if name.strip() == "Averaging Weights")
    assert [name.strip() for name in names[first + 1 : first + 4]] == [
        "+ query-expansion:k=3 *",
        "posterior",
        "+ query-expansion:k=3 *",
    ]
    indents = [len(name) - len(name.lstrip()) for name in names[first : first + 4]]
    assert indents == [1, 3, 3, 5]
    assert any("prec@3" in line for line in lines)  # recorded, but not of the re-ranking


def test_values_of_each_query_are_kept_and_restored_after_a_forced_fit(quick_bench: Bench) -> None:
    chosen = ("--rerank", "query-expansion:k=3")
    quick_bench.record("classifier-only", *chosen)
    (record,) = ResultStore(quick_bench.results)
    folders = RunFolders(quick_bench.runs)
    values = folders.values(record, "map@all", "", "query-expansion:k=3")
    assert values.shape == (record.data.queries,)
    assert values.mean() == pytest.approx(
        record.reranked["query-expansion:k=3"].metrics["map@all"].value
    )
    assert not (values == folders.values(record, "map@all", "")).all()
    quick_bench.record("classifier-only", "--force")
    with pytest.raises(MissingRun, match=r"of the re-ranking .*--rerank query-expansion:k=3"):
        folders.values(record, "map@all", "", "query-expansion:k=3")
    quick_bench.record("classifier-only", *chosen)
    assert (folders.values(record, "map@all", "", "query-expansion:k=3") == values).all()
