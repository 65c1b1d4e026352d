"""How much of a posterior's advantage over features comes from its softmax.

    python -m benchmarks.readings results/folder-pacs/crossx-*.json --runs runs

Prints mAP@all of each record's run by the embedding, and by the class logits of the same encoders:
compared linearly (cosine, inner product) and after a softmax at several temperatures. A run stores
posteriors; their logarithms are the logits up to a constant for each image, which is removed. The
posteriors themselves are those at temperature 1; they are also compared by cosine.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from tabulate import tabulate
from torch import Tensor

from dfbench.errors import DfbenchError, InvalidInput
from dfbench.evaluation import evaluate
from dfbench.modality import MODALITIES, Modality
from dfbench.records.store import read_record
from dfbench.reporting.run_folders import EmbeddedTest, embedded_test

TEMPERATURES = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
_LEAST = 1e-12
"""Posteriors below it count as this."""


def readings(embedded: EmbeddedTest, posterior: EmbeddedTest) -> dict[str, float]:
    """mAP@all by reading, for the embeddings and the class posteriors of the same encoders."""

    def score(rows: dict[Modality, Tensor], similarity: str) -> float:
        found = evaluate(
            rows["sketch"],
            rows["photo"],
            embedded.labels["sketch"],
            embedded.labels["photo"],
            similarity=similarity,
            metrics="map@all",
            bootstrap=0,
        )
        return found.scores["map@all"].value

    embeddings = {m: torch.from_numpy(embedded.embeddings[m]) for m in MODALITIES}
    posteriors = {m: torch.from_numpy(posterior.embeddings[m]) for m in MODALITIES}
    logs = {m: posteriors[m].clamp_min(_LEAST).log() for m in MODALITIES}
    logits = {m: logs[m] - logs[m].mean(dim=1, keepdim=True) for m in MODALITIES}
    scores = {
        "embedding": score(embeddings, "cosine"),
        "logits, cosine": score(logits, "cosine"),
        "logits, inner": score(logits, "inner"),
        "posterior, cosine": score(posteriors, "cosine"),
    }
    for temperature in TEMPERATURES:
        softened = {m: (logits[m] / temperature).softmax(dim=1) for m in MODALITIES}
        scores[f"T = {temperature:g}"] = score(softened, "inner")
    return scores


def main() -> None:
    """Compute and print; ends with status 2 and one line if a record or its run cannot be read."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("records", nargs="+", type=Path, metavar="RECORD", help="JSON file")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="folder of runs")
    arguments = parser.parse_args()
    rows: list[dict[str, str | float]] = []
    for file in arguments.records:
        try:
            record = read_record(file.read_bytes())
            if "posterior" not in record.representations:
                raise InvalidInput("no posterior representation; give records of trained methods")
            tests = [embedded_test(arguments.runs, record, name) for name in ("", "posterior")]
        except (DfbenchError, OSError) as fault:
            parser.exit(2, f"error: {file}: {fault}\n")
        rows.append({"record": file.stem, **readings(*tests)})
    print(tabulate(rows, headers="keys", floatfmt=".3f", tablefmt="github"))


if __name__ == "__main__":
    main()
