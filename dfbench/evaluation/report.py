"""An evaluation as a JSON document, and the sentences that explain its numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import Any

from dfbench.evaluation.harness import Evaluation
from dfbench.evaluation.models import ModelEvaluations

SCHEMA_VERSION = 2
"""Version of the documents; incremented when a key is renamed or removed, or changes meaning."""

_MENTIONED = 1e-3
"""Share of tied pairs from which a note mentions them; fewer do not change a printed digit."""


def as_document(result: Evaluation) -> dict[str, Any]:
    """An evaluation ready for JSON, by its field names; without per-query values and groups."""
    return {"schema_version": SCHEMA_VERSION, **_content(result)}


def models_document(result: ModelEvaluations) -> dict[str, Any]:
    """The evaluations of several models and their differences, ready for JSON."""
    return {
        "schema_version": SCHEMA_VERSION,
        "models": {name: _content(one) for name, one in result.models.items()},
        "differences": [{**asdict(one), "verdict": one.verdict} for one in result.differences],
    }


def _content(result: Evaluation) -> dict[str, Any]:
    return {
        "similarity": result.similarity,
        "photos": result.photos,
        "tied_share": result.tied_share,
        "skipped": result.skipped.tolist(),
        "scores": {name: asdict(score) for name, score in result.scores.items()},
        "definitions": {name: asdict(one) for name, one in result.definitions.items()},
        "per_class": {
            name: {str(label): value for label, value in means.items()}
            for name, means in result.per_class.items()
        },
    }


def size_line(result: Evaluation) -> str:
    """How many queries and photos were ranked, and by which similarity."""
    queries = max(score.queries for score in result.scores.values())
    return f"{queries} queries, {result.photos} photos, similarity {result.similarity}"


def skipped_lines(result: Evaluation) -> Iterator[str]:
    """A line on queries left out, if there are any."""
    if len(result.skipped):
        more = ", ..." if len(result.skipped) > 5 else ""
        shown = ", ".join(map(str, result.skipped[:5])) + more
        yield f"{len(result.skipped)} queries without a photo of their class left out: {shown}"


def tie_lines(result: Evaluation) -> Iterator[str]:
    """A line on ties of different embeddings, if they are many."""
    if result.tied_share >= _MENTIONED:
        yield (
            f"{result.tied_share:.2%} of (positive, negative) pairs tie though their embeddings"
            " differ (equal similarity, or a difference below float32 resolution); tied pairs are"
            " ranked in random order"
        )


def definition_lines(result: Evaluation, titled: Callable[[str], str] = str) -> Iterator[str]:
    """A line for each metric, by the title that `titled` gives it: formula, publications, ties."""
    for name, one in result.definitions.items():
        used_by = f"{one.used_by}; " if one.used_by else ""
        yield f"{titled(name)}: {one.formula} [{used_by}ties: {one.ties}]"
