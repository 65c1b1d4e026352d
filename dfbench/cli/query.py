"""`dfbench query`: the user's own photos, ranked for a sketch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click

from dfbench.cli.options import (
    approximate_option,
    cache_option,
    device_option,
    format_option,
    gallery_option,
    named_run_option,
    note_left_out,
    results_option,
    runs_option,
)
from dfbench.cli.parameters import AbsolutePath
from dfbench.system.console import note, print_json

if TYPE_CHECKING:
    from dfbench.retrieval import Hit


@click.command()
@named_run_option
@gallery_option
@click.option(
    "--sketch",
    type=AbsolutePath(),
    required=True,
    metavar="FILE",
    help="Image of the sketch: dark strokes on white.",
)
@click.option(
    "-k",
    "count",
    type=click.IntRange(1),
    default=10,
    show_default=True,
    metavar="N",
    help="How many photos to show.",
)
@click.option(
    "-o",
    "--output",
    "sheet",
    type=AbsolutePath(dir_okay=False),
    metavar="FILE",
    help="Save a picture of the sketch and its photos: FILE.png, .jpg or .webp.",
)
@approximate_option
@device_option
@results_option
@runs_option
@cache_option
@format_option("text", "json")
def query(
    *,
    named: str,
    gallery: Path,
    sketch: Path,
    count: int,
    sheet: Path | None,
    approximate: bool,
    device: str,
    results: Path,
    runs: Path,
    cache: Path,
    form: str,
) -> None:
    """Rank your own photos for a sketch, with the encoders of a finished run.

    Photo embeddings are cached: only new and changed files are embedded.
    """
    from dfbench.retrieval import find_run, load, open_gallery, ranked
    from dfbench.retrieval.approximate import check_installed, open_index
    from dfbench.retrieval.search import read_sketch
    from dfbench.retrieval.sheet import check_sheet, save_sheet

    if approximate:
        check_installed()
    if sheet is not None:
        check_sheet(sheet)
    model = load(find_run(named, results, runs).folder, device=device)
    drawing = read_sketch(sketch, model.about.image_size)
    photos = open_gallery(gallery, model, cache)
    note_left_out(photos.left_out)
    index = open_index(photos, model.about.similarity) if approximate else None
    hits = ranked(model, photos, drawing.pixels, count, index)
    for line in drawing.notes:
        note(line)
    if form == "json":
        print_json([{"rank": i, "path": h.name, "score": h.score} for i, h in enumerate(hits, 1)])
    else:
        _print(hits, sketch, model.about.similarity, len(photos))
    if sheet is not None:
        save_sheet(sheet, sketch, photos, hits)
        note(f"picture: {sheet}")


def _print(hits: Sequence[Hit], sketch: Path, similarity: str, size: int) -> None:
    from dfbench.reporting.tables.layout import Layout
    from dfbench.reporting.tables.printing import print_layouts

    measure = {"inner": "inner product", "euclidean": "distance"}.get(similarity, similarity)
    rows = tuple((str(rank), f"{hit.score:.3f}", hit.name) for rank, hit in enumerate(hits, 1))
    title = f"{sketch.name}: {len(hits)} of {size} photos"
    header = ("rank", measure, "photo")
    print_layouts([Layout(title, header, rows, (), {}, len(header))], "text")
