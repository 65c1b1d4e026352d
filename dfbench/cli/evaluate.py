"""`dfbench evaluate`: every metric convention, from any embeddings and labels."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import rich_click as click

from dfbench.cli.options import plugin_sources
from dfbench.cli.parameters import AbsolutePath, Choice, NamedFile, named_files
from dfbench.cli.rerank import RerankChoice, RerankedResults, rerank_options
from dfbench.errors import LARGEST_SEED, InvalidInput, PluginFault
from dfbench.system.console import note, print_json, write

if TYPE_CHECKING:
    from dfbench.evaluation.models import ModelEvaluations
    from dfbench.reporting.tables.layout import Layout

_Named: TypeAlias = tuple[tuple[str, Path], ...]
"""Files with the names of models, empty where none was given."""
_K_OF_ALL = 200
_FORMATS = ("text", "markdown", "latex", "html", "csv", "json")


@click.command()
@click.option(
    "--queries",
    type=NamedFile(),
    multiple=True,
    required=True,
    metavar="[NAME=]FILE",
    help="Sketches: .npz, .safetensors or .pt with `embeddings` and `labels`, or .npy. Repeat with"
    " names to compare models.",
)
@click.option(
    "--gallery",
    type=NamedFile(),
    multiple=True,
    required=True,
    metavar="[NAME=]FILE",
    help="Photos, in the same formats, and with the same names; without a name, for all models.",
)
@click.option(
    "--query-labels",
    type=AbsolutePath(),
    metavar="FILE[:COLUMN]",
    help="Labels of all queries, [Q]: .npy, .txt, .csv:COLUMN, .tsv:COLUMN or .parquet:COLUMN.",
)
@click.option(
    "--gallery-labels",
    type=AbsolutePath(),
    metavar="FILE[:COLUMN]",
    help="Labels of the gallery, [G], in the same formats.",
)
@click.option(
    "--metric",
    "metrics",
    multiple=True,
    help="A metric such as map@all, prec@200, acc@5, recall@10, ndcg@10, df-sbir; may be repeated;"
    " `all` means every convention at k = 200. Default: the five most common.",
)
@click.option("--similarity", default="cosine", show_default=True, help="cosine, inner, euclidean.")
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda.")
@click.option(
    "--baseline",
    metavar="NAME",
    help="Compare every other model with this one; default: all pairs.",
)
@click.option("--per-class", is_flag=True, help="Also print the mean of each class.")
@click.option(
    "--plot",
    "figure",
    type=AbsolutePath(dir_okay=False),
    metavar="FILE",
    help="Plot precision against recall: FILE.png, .pdf or .svg.",
)
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
@rerank_options
@click.option(
    "--format",
    "style",
    type=Choice(_FORMATS),
    default=_FORMATS[0],
    show_default=True,
    help="How to print the scores; json also has definitions and per-class means.",
)
def evaluate(
    *,
    queries: _Named,
    gallery: _Named,
    query_labels: Path | None,
    gallery_labels: Path | None,
    metrics: tuple[str, ...],
    similarity: str,
    device: str,
    baseline: str | None,
    per_class: bool,
    figure: Path | None,
    bootstrap: int,
    seed: int,
    plugin_files: tuple[Path, ...],
    plugins_dir: Path | None,
    style: str,
    **rerank: Any,
) -> None:
    """Score the ranking of photos for sketch queries, under any convention in use.

    Exact and tie-aware. Queries without a photo of their class are reported and left out. To
    compare several models on the same images, name each in --queries and --gallery; differences
    have 95 % intervals from a paired bootstrap over queries.
    """
    # Imported here so that `dfbench --help` does not import torch.
    from dfbench import evaluation
    from dfbench.evaluation.models import evaluate_models, read_models
    from dfbench.plugins.metrics import choose_metrics
    from dfbench.process.metrics import metrics_apart

    sketches, photos = _sides(queries, gallery)
    if baseline is not None and len(sketches) < 2:
        raise InvalidInput(
            "--baseline with one model; allowed: with several, as --queries NAME=FILE"
        )
    if figure is not None:
        _check_figure(figure, len(sketches))
    models = read_models(sketches, photos, query_labels, gallery_labels)
    names = [
        name
        for given in metrics or evaluation.DEFAULT_METRICS
        for name in (evaluation.conventions(_K_OF_ALL) if given == "all" else (given,))
    ]
    plugins = plugin_sources(plugin_files, plugins_dir)
    second = RerankChoice.of(plugins, **rerank)
    if second.rerankers and len(sketches) > 1:
        raise InvalidInput(
            f"--rerank with {len(sketches)} models; allowed: with one, as --queries FILE"
        )
    chosen = choose_metrics(names, plugins)
    outside = partial(metrics_apart, chosen.offers) if chosen.offers else None
    result = evaluate_models(
        models.queries,
        models.gallery,
        models.query_labels,
        models.gallery_labels,
        baseline=baseline,
        similarity=similarity,
        metrics=chosen.metrics,
        device=device,
        bootstrap=bootstrap,
        seed=seed,
        outside=outside,
    )
    (model, *_) = models.queries
    reranked = second.evaluated(
        models.queries[model],
        models.gallery[model],
        models.query_labels,
        models.gallery_labels,
        similarity=similarity,
        metrics=chosen.metrics,
        bootstrap=bootstrap,
        seed=seed,
        outside=outside,
    )
    _print(result, reranked, style, named=bool(queries[0][0]), per_class=per_class)
    if figure is not None:
        from dfbench.reporting.plots.runs import model_chart, model_curves
        from dfbench.reporting.plots.style import draw

        curves = model_curves(
            models, similarity=similarity, device=device, bootstrap=bootstrap, seed=seed
        )
        draw(figure, lambda: model_chart(models, curves))
        note(f"figure: {figure}")
    faults = dict.fromkeys((*result.faults, *reranked.metric_faults))
    if faults:
        raise PluginFault(f"{'; '.join(faults)}; all other scores are printed above")
    reranked.raise_fault()


def _sides(queries: _Named, gallery: _Named) -> tuple[dict[str, Path], dict[str, Path]]:
    """The files of both sides by model; a model without a name gets that of its queries' file."""
    sketches, photos = named_files("--queries", queries), named_files("--gallery", gallery)
    if list(sketches) == [""]:
        sketches = {sketches[""].stem: sketches[""]}
    if list(photos) == [""]:
        photos = dict.fromkeys(sketches, photos[""])
    return sketches, photos


def _check_figure(figure: Path, models: int) -> None:
    from dfbench.reporting.plots.runs import check_count
    from dfbench.reporting.plots.style import check_target

    check_count(models)
    check_target(figure, "--plot")


def _print(
    result: ModelEvaluations,
    reranked: RerankedResults,
    style: str,
    *,
    named: bool,
    per_class: bool,
) -> None:
    from dfbench.evaluation.report import as_document, models_document

    if style == "json":
        (first, *_) = result.models.values()
        plain = models_document(result) if named else as_document(first)
        print_json(plain | reranked.document)
        return
    layouts = [*_layouts(result, named=named, per_class=per_class), *reranked.layouts]
    if style == "csv":
        from dfbench.reporting.tables.columns import csv_text

        write(csv_text(layouts))
    else:
        from dfbench.reporting.tables.printing import print_layouts

        print_layouts(layouts, style)


def _layouts(result: ModelEvaluations, *, named: bool, per_class: bool) -> list[Layout]:
    from dfbench.reporting.tables.score_tables import class_tables, model_tables, score_table

    (first, *_) = result.models.values()
    layouts = model_tables(result) if named else [score_table(first)]
    return [*layouts, *(class_tables(result.models, named=named) if per_class else [])]
