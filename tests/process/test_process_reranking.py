"""Re-rankers that cheat or get in the way: named and contained, and nothing else is hurt."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dfbench.errors import DfbenchError, PluginFault
from dfbench.evaluation import evaluate
from dfbench.evaluation.given_scores import GivenScores
from dfbench.plugins.host import PluginHost
from dfbench.plugins.info import RerankerInfo
from dfbench.plugins.sources import PluginSources
from dfbench.process.reranking import Reranked, rerank
from dfbench.process.supervision import Supervision
from dfbench.request import Limits
from dfbench.worker.rerankers import resolve_reranker

PLUGIN = """
import os
import time
import numpy as np
import torch
import dfbench

@dfbench.hookimpl
def dfbench_rerankers():
    return [dfbench.RerankerSpec("odd", "Odd", "odd_reranker:Odd")]

class Odd(dfbench.Reranker):
    name, title, definition = "odd", "Odd", "inner product"

    def prepare(self, gallery, similarity):
        self.gallery = gallery
        {prepare}

    def scores(self, queries):
        scores = queries @ self.gallery.T
        {scores}
        return scores
"""
INFO = RerankerInfo(
    name="odd",
    title="Odd",
    version=1,
    plugin="odd_reranker",
    plugin_version="-",
    definition="inner product",
    config={},
)
RANDOM = np.random.default_rng(0)
QUERIES = RANDOM.normal(size=(9, 4)).astype(np.float32)
GALLERY = RANDOM.normal(size=(30, 4)).astype(np.float32)
LABELS = RANDOM.integers(3, size=9), RANDOM.integers(3, size=30)


def reranked(place: Path, scores: str = "pass", prepare: str = "pass", **limits: float) -> Reranked:
    file = place / "odd_reranker.py"
    file.write_text(PLUGIN.format(scores=scores, prepare=prepare), encoding="utf-8")
    return rerank(
        INFO,
        QUERIES,
        GALLERY,
        GivenScores(QUERIES, GALLERY, *LABELS, similarity="inner"),
        similarity="inner",
        plugins=PluginSources(files=(file,)),
        threads=1,
        supervision=Supervision(Limits(**limits)),
        parent=place,
    )


def test_scores_come_back_in_the_order_of_the_gallery(tmp_path: Path) -> None:
    found = reranked(tmp_path)
    plain = evaluate(QUERIES, GALLERY, *LABELS, similarity="inner")
    for name, score in plain.scores.items():
        assert found.evaluation.scores[name].value == pytest.approx(score.value), name
    assert [entry.name for entry in tmp_path.iterdir() if entry.is_dir()] == []


@pytest.mark.parametrize(
    ("scores", "prepare", "told"),
    [
        ("scores = scores[:, :-1]", "pass", r"scores have shape \[9, 29\]; allowed: \[9, 30\]"),
        ("scores[0, 3] = float('nan')", "pass", "not finite .* 1 of 9 queries"),
        ("scores = scores.long()", "pass", "int64; allowed: floating point"),
        ("return scores.tolist()", "pass", r"scores\(\) returned a list; allowed: a tensor"),
        ("pass", "gallery.labels", r"prepare\(\) raised AttributeError: .* 'labels'"),
        ("queries.zero_()", "pass", "changed the embeddings of the queries"),
        ("pass", "gallery.numpy()[0] = 0", "changed the embeddings of the gallery"),
        ("pass", "torch.empty(2**60)", r"prepare\(\) raised RuntimeError"),
        ("raise SystemExit(0)", "pass", "SystemExit: 0"),
        ("os.kill(os.getpid(), 9)", "pass", "died .*SIGKILL"),
    ],
)
def test_hostile_reranker_is_named(scores: str, prepare: str, told: str, tmp_path: Path) -> None:
    with pytest.raises(DfbenchError, match=f"re-ranker 'odd' of plugin 'odd_reranker'.*{told}"):
        reranked(tmp_path, scores, prepare)
    assert [entry.name for entry in tmp_path.iterdir() if entry.is_dir()] == []


def test_reranker_that_never_ends_is_ended_by_its_time_limit(tmp_path: Path) -> None:
    with pytest.raises(
        PluginFault, match=r"'odd' of .*not done after 0.5 s, the time limit .*--rerank-timeout"
    ):
        reranked(tmp_path, "time.sleep(600)", rerank_timeout=0.5)


def test_reranker_that_takes_too_much_memory_is_ended_by_its_limit(tmp_path: Path) -> None:
    with pytest.raises(PluginFault, match=r"'odd' of .* more than the 1 MiB allowed"):
        reranked(tmp_path, "time.sleep(600)", memory_limit=1 / 1024)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (('"inner product"', "None"), "has definition=None"),
        (('name, title, definition = "odd"', 'name, title, definition = "even"'), "name 'even'"),
        (("def prepare", "def prepared"), "does not define prepare"),
        (("(dfbench.Reranker)", ""), "is not a subclass of dfbench.Reranker"),
        (('"inner product"', '"inner product"\n    version = 0'), "has version=0"),
        (('"inner product"', '"inner product"\n    Config = dict'), "subclass of dfbench.Reranke"),
    ],
)
def test_reranker_that_breaks_its_contract_is_told_so(
    change: tuple[str, str], told: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    text = PLUGIN.format(scores="pass", prepare="pass")
    assert change[0] in text
    module = f"odd_{abs(hash(request.node.name))}"  # imported here: each needs a name of its own
    file = tmp_path / f"{module}.py"
    file.write_text(text.replace(*change).replace("odd_reranker", module), encoding="utf-8")
    host = PluginHost.of(PluginSources(files=(file,)), here={module})
    with pytest.raises(PluginFault, match=told):
        resolve_reranker(host, "odd")
