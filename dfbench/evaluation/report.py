"""An evaluation as a text table and as a JSON document."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from dfbench.evaluation.definitions import EXPECTED, Definition
from dfbench.evaluation.harness import Evaluation, Score

SCHEMA_VERSION = 1
"""Version of the document; incremented when a key is renamed or removed, or changes meaning."""

_MENTIONED = 1e-3
"""Share of tied pairs from which the table mentions them; fewer do not change a printed digit."""
_HEADERS = ("metric", "value", "95% interval", "ceiling", "macro", "ties")


def as_document(result: Evaluation) -> dict[str, Any]:
    """Scores, definitions and per-class means, ready for JSON; without per-query values."""
    return {
        "schema_version": SCHEMA_VERSION,
        "similarity": result.similarity,
        "photos": result.photos,
        "tied_share": result.tied_share,
        "skipped_queries": result.skipped.tolist(),
        "metrics": {
            name: {
                **asdict(score),
                "definition": asdict(result.definitions[name]),
                "per_class": {str(label): v for label, v in result.per_class[name].items()},
            }
            for name, score in result.scores.items()
        },
    }


def as_text(result: Evaluation) -> str:
    """A table of all conventions, followed by their definitions."""
    from tabulate import tabulate

    rows = [_row(name, score, result.definitions[name]) for name, score in result.scores.items()]
    queries = max(score.queries for score in result.scores.values())
    lines = [
        tabulate(rows, _HEADERS, disable_numparse=True),
        "",
        f"{queries} queries, {result.photos} photos, similarity {result.similarity}",
    ]
    if len(result.skipped):
        shown = ", ".join(map(str, result.skipped[:5])) + (
            ", ..." if len(result.skipped) > 5 else ""
        )
        lines.append(
            f"{len(result.skipped)} queries without a photo of their class left out: {shown}"
        )
    if result.tied_share >= _MENTIONED:
        lines.append(
            f"{result.tied_share:.2%} of (positive, negative) pairs tie though their embeddings"
            " differ (equal similarity, or a difference below float32 resolution); tied pairs are"
            " ranked in random order"
        )
    lines += [
        f"{name}: {definition.formula} [{definition.used_by}; ties: {definition.ties}]"
        for name, definition in result.definitions.items()
    ]
    return "\n".join(lines)


def _row(name: str, score: Score, definition: Definition) -> tuple[str, ...]:
    ceiling = "" if score.ceiling is None else f"{score.ceiling:.4f}"
    ties = "expected" if definition.ties == EXPECTED else "gallery order"
    return name, f"{score.value:.4f}", _interval(score), ceiling, f"{score.macro:.4f}", ties


def _interval(score: Score) -> str:
    return "" if score.low is None else f"{score.low:.4f} to {score.high:.4f}"
