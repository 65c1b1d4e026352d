"""How much of a posterior's advantage over features comes from its softmax.

    python -m benchmarks.readings runs/*/crossx-*

Prints mAP@all of each run folder by the embedding, and by the class logits of the same encoders:
compared linearly (cosine, inner product) and after a softmax at several temperatures. A run stores
posteriors; their logarithms are the logits up to a constant for each image, which is removed. The
posteriors themselves are those at temperature 1; they are also compared by cosine.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file
from tabulate import tabulate

from dfbench.evaluation import evaluate
from dfbench.modality import MODALITIES, Modality
from dfbench.process.folder import embeddings_file
from dfbench.process.handover import LABELS_FILE

TEMPERATURES = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
_LEAST = 1e-12
"""Posteriors below it count as this."""

Rows = Mapping[Modality, NDArray[np.float32]]


def readings(folder: Path) -> dict[str, float]:
    """mAP@all by reading, for a run whose encoders have posteriors as a representation."""
    with np.load(folder / LABELS_FILE, allow_pickle=False) as stored:
        labels = {m: stored[m][stored[f"{m}_order"]] for m in MODALITIES}

    def score(rows: Rows, similarity: str) -> float:
        found = evaluate(
            rows["sketch"],
            rows["photo"],
            labels["sketch"],
            labels["photo"],
            similarity=similarity,
            metrics="map@all",
            bootstrap=0,
        )
        return found.scores["map@all"].value

    embeddings = load_file(embeddings_file(folder, ""))
    posteriors = load_file(embeddings_file(folder, "posterior"))
    logits = {m: _logits(posteriors[m]) for m in MODALITIES}
    return {
        "embedding": score({m: embeddings[m] for m in MODALITIES}, "cosine"),
        "logits, cosine": score(logits, "cosine"),
        "logits, inner": score(logits, "inner"),
        "posterior, cosine": score({m: posteriors[m] for m in MODALITIES}, "cosine"),
        **{
            f"T = {temperature:g}": score(
                {m: _softmax(logits[m] / temperature) for m in MODALITIES}, "inner"
            )
            for temperature in TEMPERATURES
        },
    }


def _logits(posteriors: NDArray[np.float32]) -> NDArray[np.float32]:
    logs = np.log(np.maximum(posteriors, _LEAST))
    centred: NDArray[np.float32] = logs - logs.mean(axis=1, keepdims=True)
    return centred


def _softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares: NDArray[np.float32] = powers / powers.sum(axis=1, keepdims=True)
    return shares


def main() -> None:
    """Compute and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER", help="folder of a run")
    folders: list[Path] = parser.parse_args().folders
    rows = [{"run": folder.name, **readings(folder)} for folder in folders]
    print(tabulate(rows, headers="keys", floatfmt=".3f", tablefmt="github"))


if __name__ == "__main__":
    main()
