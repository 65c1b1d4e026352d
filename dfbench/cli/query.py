"""`dfbench query`: the user's own photos, ranked for a sketch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from dfbench.cli.options import (
    approximate_option,
    device_option,
    format_option,
    gallery_option,
    named_run_option,
    note_left_out,
    plugin_options,
    plugin_sources,
    representation_option,
)
from dfbench.cli.parameters import AbsolutePath
from dfbench.cli.request_options import cache_option, results_option, runs_option
from dfbench.cli.rerank import TRANSDUCTIVE, rerank_limits, rerank_stage
from dfbench.errors import InvalidInput
from dfbench.reporting.lines import MARK
from dfbench.system.console import note, print_json

if TYPE_CHECKING:
    from dfbench.plugins.info import RerankerInfo
    from dfbench.reporting.tables.layout import Layout
    from dfbench.retrieval import Hit, RerankedHit


@click.command()
@named_run_option
@representation_option
@gallery_option
@click.option(
    "--sketch",
    "sketches",
    type=AbsolutePath(),
    required=True,
    multiple=True,
    metavar="FILE",
    help="Image of a sketch: dark strokes on white; may be repeated.",
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
    help="Save a picture of each sketch and its photos: FILE.png, .jpg or .webp.",
)
@approximate_option
@click.option(
    "--rerank",
    metavar="NAME",
    help="Re-rank the photos, using all photos of the gallery at once: NAME or "
    "NAME:KEY=VALUE,... (see: dfbench list rerankers). Ranks and scores without it are shown too.",
)
@rerank_limits
@plugin_options
@device_option
@results_option
@runs_option
@cache_option
@format_option("text", "json")
def query(
    *,
    named: str,
    representation: str,
    gallery: Path,
    sketches: tuple[Path, ...],
    count: int,
    sheet: Path | None,
    approximate: bool,
    rerank: str | None,
    plugin_files: tuple[Path, ...],
    plugins_dir: Path | None,
    device: str,
    results: Path,
    runs: Path,
    cache: Path,
    form: str,
    **limits: Any,
) -> None:
    """Rank your own photos for a sketch, with the encoders of a finished run.

    Photo embeddings are cached: only new and changed files are embedded. With several sketches,
    JSON is a list of objects with the sketch and its photos.
    """
    from dfbench.reporting.tables.printing import print_layouts
    from dfbench.retrieval import find_run, load, open_gallery, ranked, reranked
    from dfbench.retrieval.approximate import open_index
    from dfbench.retrieval.search import read_sketch
    from dfbench.retrieval.sheet import check_sheet, save_sheets

    _check_search(approximate=approximate, rerank=rerank)
    if sheet is not None:
        check_sheet(sheet)
    stage = None
    if rerank is not None:
        stage = rerank_stage(rerank, plugin_sources(plugin_files, plugins_dir), **limits)
    model = load(
        find_run(named, results, runs).folder, device=device, representation=representation
    )
    drawings = [read_sketch(sketch, model.about.image_size) for sketch in sketches]
    photos = open_gallery(gallery, model, cache)
    note_left_out(photos.left_out)
    similarity = model.about.similarity
    index = open_index(photos, similarity) if approximate else None
    found: list[tuple[Path, Sequence[Hit]]] = []
    tables: list[Layout] = []
    for sketch, drawing in zip(sketches, drawings, strict=True):
        for line in drawing.notes:
            note(f"{sketch.name}: {line}" if len(sketches) > 1 else line)
        if stage is None:
            hits = ranked(model, photos, drawing.pixels, count, index)
            table = _plain(hits, similarity)
        else:
            again = reranked(model, photos, drawing.pixels, count, stage)
            table = _reranked(again, similarity, stage.reranker)
            hits = [replace(one.hit, score=one.score) for one in again]
        title = f"{sketch.name}: {len(hits)} of {len(photos)} photos{table.title}"
        tables.append(replace(table, title=title))
        found.append((sketch, hits))
    if form == "json":
        print_json(_content(sketches, tables))
    else:
        print_layouts(tables, form)
    if sheet is not None:
        save_sheets(sheet, photos, found, "" if stage is None else stage.reranker.label)
        note(f"picture: {sheet}")


def _check_search(*, approximate: bool, rerank: str | None) -> None:
    """Raise `InvalidInput` for both ways at once, `DfbenchError` without the library of one."""
    from dfbench.retrieval.approximate import check_installed

    if approximate and rerank is not None:
        raise InvalidInput(
            "--approximate with --rerank, which uses all photos; allowed: one of the two"
        )
    if approximate:
        check_installed()


def _content(sketches: Sequence[Path], tables: Sequence[Layout]) -> list[dict[str, Any]]:
    """The photos of one sketch, or each of several sketches with its photos."""
    if len(tables) == 1:
        photos: list[dict[str, Any]] = tables[0].content["photos"]
        return photos
    return [
        {"sketch": str(sketch), **table.content}
        for sketch, table in zip(sketches, tables, strict=True)
    ]


def _plain(hits: Sequence[Hit], similarity: str) -> Layout:
    return _layout(
        "",
        ("rank", _measure(similarity), "photo"),
        [(str(rank), f"{hit.score:.3f}", hit.name) for rank, hit in enumerate(hits, 1)],
        [{"rank": rank, "path": h.name, "score": h.score} for rank, h in enumerate(hits, 1)],
    )


def _reranked(hits: Sequence[RerankedHit], similarity: str, reranker: RerankerInfo) -> Layout:
    """The photos in the re-ranker's order, with their plain ranks and scores."""
    rows, content = [], []
    for rank, one in enumerate(hits, 1):
        plain = (str(one.plain_rank), f"{one.hit.score:.3f}")
        rows.append((str(rank), f"{one.score:.3g}", *plain, one.hit.name))
        again = {"reranker": reranker.label, "rank": rank, "score": one.score, "transductive": True}
        content.append(
            {
                "rank": one.plain_rank,
                "path": one.hit.name,
                "score": one.hit.score,
                "reranked": again,
            }
        )
    return _layout(
        f", re-ranked by {reranker.label} {MARK}",
        (f"rank {MARK}", f"score {MARK}", "rank", _measure(similarity), "photo"),
        rows,
        content,
        f"{MARK} re-ranked ({TRANSDUCTIVE}): {reranker.definition}",
    )


def _layout(
    title: str,
    header: tuple[str, ...],
    rows: Sequence[tuple[str, ...]],
    content: Sequence[Mapping[str, Any]],
    *notes: str,
) -> Layout:
    from dfbench.reporting.tables.layout import Layout

    return Layout(title, header, tuple(rows), notes, {"photos": content}, len(header))


def _measure(similarity: str) -> str:
    return {"inner": "inner product", "euclidean": "distance"}.get(similarity, similarity)
