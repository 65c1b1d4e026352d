"""A bound that knows which test images are of unknown classes: what reaches it, what is kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from zoo_bench import ZooBench

from dfbench.datasets.dataset import ImageSet
from dfbench.errors import PluginFault
from dfbench.need import Need
from dfbench.process.folder import embeddings_file
from dfbench.process.handover import TestImages
from dfbench.records.record import Record
from dfbench.reporting.roles import REFERENCE, UNTRAINED, section_of
from dfbench.runs.ranking import keep_by_knowledge
from dfbench.scenarios.classes import ScenarioClasses

DIVISION = ScenarioClasses(shared=("b",), photo_only=("c",), sketch_only=("a",))
LABELS = np.array([0, 1, 2, 2, 1, 0])


def _test_images() -> TestImages:
    images = np.zeros((len(LABELS), 3, 16, 16), np.uint8)
    names = tuple(map(str, range(len(LABELS))))
    made = ImageSet(images=images, labels=LABELS, classes=("a", "b", "c"), names=names)
    return TestImages.shuffled({"photo": made, "sketch": made})


def _store(folder: Path, images: TestImages, width: int = 2) -> None:
    """Embeddings `[1 + i, -(1 + i)]` of test image i."""
    rows = {}
    for modality in images.sets:
        number = (1 + images.orders[modality]).astype(np.float32)
        rows[modality] = np.stack([number, -number, number][:width], axis=1)
    save_file(rows, embeddings_file(folder, ""))


@pytest.mark.parametrize(
    ("division", "known"),
    [
        (DIVISION, {"photo": {"b", "c"}, "sketch": {"a", "b"}}),
        (None, {"photo": {"a", "b", "c"}, "sketch": {"a", "b", "c"}}),
        (
            ScenarioClasses(shared=("x",), unseen=("a", "b", "c")),
            {"photo": set(), "sketch": set()},
        ),
        (ScenarioClasses(shared=("a", "b", "c")), {"photo": {*"abc"}, "sketch": {*"abc"}}),
        (
            ScenarioClasses(shared=(), photo_only=("a",), sketch_only=("b", "c")),
            {"photo": {"a"}, "sketch": {"b", "c"}},
        ),
    ],
)
def test_harness_keeps_the_half_that_holds(
    tmp_path: Path, division: ScenarioClasses | None, known: dict[str, set[str]]
) -> None:
    images = _test_images()
    _store(tmp_path, images)
    keep_by_knowledge(tmp_path, "", images, division, "row")
    kept = load_file(embeddings_file(tmp_path, ""))
    for modality in ("photo", "sketch"):
        rows = images.restored(modality, kept[modality])
        signs = [1 if "abc"[label] in known[modality] else -1 for label in LABELS]
        assert rows.tolist() == [[sign * (1 + i)] for i, sign in enumerate(signs)]


def test_embeddings_that_come_in_no_twos_are_refused(tmp_path: Path) -> None:
    images = _test_images()
    _store(tmp_path, images, width=3)
    with pytest.raises(PluginFault, match="2 D"):
        keep_by_knowledge(tmp_path, "", images, DIVISION, "row")


def _of(bench: ZooBench, row: str, *extra: str) -> dict[str, Any]:
    return bench.record(row, "overlap=0.4", *extra)


def test_oracle_is_a_reference_that_prints_its_need(zoo_bench: ZooBench) -> None:
    oracle, plain = _of(zoo_bench, "open-posterior[oracle]"), _of(zoo_bench, "open-posterior")
    assert oracle["method"]["needs"] == [Need.KNOWN_CLASS_ORACLE.value]
    assert plain["method"]["needs"] == []
    row = Record.model_validate(oracle).method
    assert section_of(row) == REFERENCE
    assert section_of(Record.model_validate(plain).method) == UNTRAINED
    (folder,) = zoo_bench.bench.runs.glob(f"*/*-s0-{oracle['fit_id'][:12]}")
    classes = len(oracle["data"]["classes"])
    assert {rows.shape[1] for rows in load_file(embeddings_file(folder, "")).values()} == {classes}
    assert "labels" not in (folder / "job.json").read_text()
    listed = zoo_bench.bench.call(
        *("table", "--results", str(zoo_bench.bench.results), "--format", "markdown")
    )
    assert "| known-class oracle |" in listed.out


def test_oracle_of_closed_is_the_posterior(zoo_bench: ZooBench) -> None:
    found = [
        zoo_bench.record(row, "closed") for row in ("open-posterior[oracle]", "open-posterior")
    ]
    posterior = zoo_bench.record("classifier-posterior", "closed")
    assert all(one["metrics"] == posterior["metrics"] for one in found)
