"""`dfbench evaluate`: every metric convention, from any embeddings and labels."""

from __future__ import annotations

from pathlib import Path

import rich_click as click

from dfbench.cli.parameters import AbsolutePath, Choice
from dfbench.errors import LARGEST_SEED
from dfbench.system.console import print_json, write
from dfbench.system.streams import printable

_K_OF_ALL = 200


@click.command()
@click.option(
    "--queries",
    type=AbsolutePath(),
    required=True,
    help="Sketches: .npz or .safetensors with `embeddings` and `labels`, or .npy.",
)
@click.option(
    "--gallery",
    type=AbsolutePath(),
    required=True,
    help="Photos, in the same formats.",
)
@click.option("--query-labels", type=AbsolutePath(), help="Labels of .npy queries: [Q], .npy.")
@click.option("--gallery-labels", type=AbsolutePath(), help="Labels of a .npy gallery: [G], .npy.")
@click.option(
    "--metric",
    "metrics",
    multiple=True,
    help="A metric such as map@all, prec@200, map@200:hits, df-sbir; may be repeated; `all` means"
    " every convention at k = 200. Default: the five most common.",
)
@click.option("--similarity", default="cosine", show_default=True, help="cosine, inner, euclidean.")
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda.")
@click.option(
    "--bootstrap", default=1000, show_default=True, help="Bootstrap resamples; 0 for none."
)
@click.option(
    "--seed",
    type=click.IntRange(0, LARGEST_SEED),
    default=0,
    show_default=True,
    help="Seed of the bootstrap.",
)
@click.option(
    "--format",
    "style",
    type=Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="A table, or a JSON document with definitions and per-class means.",
)
def evaluate(
    queries: Path,
    gallery: Path,
    query_labels: Path | None,
    gallery_labels: Path | None,
    metrics: tuple[str, ...],
    similarity: str,
    device: str,
    bootstrap: int,
    seed: int,
    style: str,
) -> None:
    """Score the ranking of photos for sketch queries, under any convention in use.

    Exact and tie-aware. Queries without a photo of their class are reported and left out.
    """
    # Imported here so that `dfbench --help` does not import torch.
    from dfbench import evaluation
    from dfbench.evaluation.embedding_files import read_embeddings
    from dfbench.evaluation.report import as_document, as_text

    sketches = read_embeddings(queries, query_labels)
    photos = read_embeddings(gallery, gallery_labels)
    names = [
        name
        for given in metrics or evaluation.DEFAULT_METRICS
        for name in (evaluation.conventions(_K_OF_ALL) if given == "all" else (given,))
    ]
    result = evaluation.evaluate(
        sketches.embeddings,
        photos.embeddings,
        sketches.labels,
        photos.labels,
        similarity=similarity,
        metrics=names,
        device=device,
        bootstrap=bootstrap,
        seed=seed,
    )
    if style == "json":
        print_json(as_document(result))
    else:
        write(printable(as_text(result)) + "\n")
