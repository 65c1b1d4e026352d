"""Run folders with all that a report shows, made up."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
from PIL import Image
from shelf import QUERIES, Shelf

from dfbench.datasets.dataset import ImageSet
from dfbench.modality import Modality
from dfbench.process.handover import LABELS_FILE
from dfbench.records.record import Record
from dfbench.records.showcase import chosen_queries, save_showcase
from dfbench.reporting.run_folders import RunFolders

PHOTOS = 20
SIZE = 16
LABELS: dict[Modality, np.ndarray[tuple[int, ...], np.dtype[np.int64]]] = {
    "photo": np.arange(PHOTOS) % 2,
    "sketch": np.arange(QUERIES) % 2,
}


def furnish(shelf: Shelf, record: Record) -> Path:
    """Add showcase, labels, curves and pictures to the folder of a record's run."""
    folder = shelf.folder(record)
    values = RunFolders(shelf.runs).values(record, "map@all", "")
    images = {modality: _images(modality) for modality in LABELS}
    chosen = chosen_queries(values, LABELS["sketch"])
    top = np.tile(np.arange(10), (len(chosen), 1))
    shares = np.array([[0.75, 0.25], [0.0, 1.0]])
    save_showcase(folder, images, values, chosen, top, shares)
    np.savez(folder / LABELS_FILE, **LABELS)  # type: ignore[arg-type]  # numpy's stub takes the names for its own flag
    curves = {"loss": [[step, 1 / (1 + step)] for step in range(0, 300, 10)]}
    write(folder / "training" / "students.curves.json", json.dumps(curves))
    pictures = folder / "pictures"
    seen = {"teacher": {"a": 80.0, "b": 20.0}, "student": {"a": 30.0, "b": 70.0}}
    write(pictures / "hardest-pairs.json", json.dumps([{"photo": seen, "sketch": seen}] * 2))
    noise(2 * SIZE * 4, 2 * SIZE).save(pictures / "hardest-pairs.png")
    noise(120, 90).save(pictures / "own-drawing.png")
    write(pictures / "counts.json", json.dumps({"photo": {"a": 3}, "sketch": {"a": 1, "b": 2}}))
    return folder


def noise(width: int, height: int, seed: int = 0) -> Image.Image:
    """A picture of which nothing can be saved."""
    rng = np.random.default_rng(seed)
    return Image.fromarray(rng.integers(0, 256, (height, width, 3), dtype=np.uint8))


def write(file: Path, text: str) -> None:
    """A file of text, with its folder."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")


def pages(report: Path) -> dict[str, str]:
    """All pages by their address."""
    return {
        str(page.relative_to(report)): page.read_text(encoding="utf-8")
        for page in report.rglob("*.html")
    }


def page_of(report: Path, record: Record) -> str:
    """The page of a run."""
    (page,) = report.glob(f"runs/*-{record.eval_id[:12]}.html")
    return page.read_text(encoding="utf-8")


def words(page: str) -> str:
    """What a page says."""
    return " ".join(re.sub(r"<[^>]+>", " ", page).split())


def _images(modality: Modality) -> ImageSet:
    labels = LABELS[modality]
    rng = np.random.default_rng(len(labels))
    images = rng.integers(0, 256, (len(labels), 3, SIZE, SIZE), dtype=np.uint8)
    names = tuple(f"{number}.png" for number in range(len(labels)))
    return ImageSet(images=images, labels=labels, classes=("a", "b"), names=names)
