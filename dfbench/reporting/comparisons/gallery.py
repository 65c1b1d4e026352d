"""The question of the results page about re-ranking: what the gallery knows beyond embeddings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from dfbench.reporting.cells import NONE, short
from dfbench.reporting.comparisons.comparison import Representation, Wanted
from dfbench.reporting.comparisons.questions import (
    REPRESENTATIONS,
    TITLES,
    Cell,
    ComparableLines,
    Question,
)
from dfbench.reporting.lines import DEFAULT_METRIC, Line, reranker_labels, reranking_notes


def gallery_questions(condition: ComparableLines) -> list[Question]:
    """Re-ranked less plain scores of the same embeddings; none without a re-ranking."""
    rows = [row for line in condition.lines for row in _rows(line)]
    if not rows:
        return []
    records = [record for line in condition.lines for record in line.records]
    return [
        Question(
            title="What does the gallery know?",
            header=("method", "re-ranker", *TITLES),
            rows=tuple(rows),
            notes=(
                "plain: the ranking without a re-ranker; others: re-ranked minus plain, on the "
                "same embeddings and seeds",
                *reranking_notes(records),
            ),
        )
    ]


def _rows(line: Line) -> Iterator[tuple[Cell, ...]]:
    """The plain scores of a line, then what each of its re-rankers adds.

    Re-rankers of other seeds follow the plain scores of these seeds.
    """
    by_seeds: dict[tuple[int, ...], dict[str, Mapping[str, Wanted]]] = {}
    for label in reranker_labels(line.records):
        found = _by_representation(line, label)
        seeds = tuple(sorted({seed for one in found.values() for seed in one.seeds}))
        by_seeds.setdefault(seeds, {})[label] = found
    for seeds, wanted in by_seeds.items():
        first = next(iter(wanted.values()))
        plain = (short(first[one].means[1]) if one in first else NONE for one in REPRESENTATIONS)
        some = f", {len(seeds)} of {len(line.records)} seeds"
        yield line.name, f"plain{some if len(seeds) < len(line.records) else ''}", *plain
        for label, found in wanted.items():
            yield line.name, label, *(found.get(one, NONE) for one in REPRESENTATIONS)


def _by_representation(line: Line, label: str) -> Mapping[str, Wanted]:
    return {
        one: Wanted("difference", (Representation(line, one, label), Representation(line, one)))
        for one in REPRESENTATIONS
        if line.values(DEFAULT_METRIC, one, label) and line.values(DEFAULT_METRIC, one)
    }
