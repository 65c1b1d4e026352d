"""Re-ranked scores in tables: marked, and explained in notes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from dfbench.records.record import Record

MARK = "*"
"""Follows the name of a re-ranker wherever its scores are printed."""


def reranker_labels(records: Iterable[Record]) -> list[str]:
    """The re-rankers of any of the records, in the order of their first."""
    return list(dict.fromkeys(label for record in records for label in record.reranked))


def reranking_notes(records: Iterable[Record]) -> Iterator[str]:
    """What the mark means, and what each re-ranker computes."""
    records = list(records)
    labels = reranker_labels(records)
    if labels:
        yield (
            f"{MARK} re-ranked with all photos of the gallery at once (transductive); not to be "
            "compared with the other scores"
        )
    for label in labels:
        one = next(r.reranked[label] for r in records if label in r.reranked).reranker
        settings = ", ".join(f"{key} {value}" for key, value in one.config.items())
        yield f"{label} {MARK}: {one.definition}" + (f"; {settings}" if settings else "")
