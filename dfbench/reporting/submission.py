"""Records of others: what can be verified about them, and their way into a results folder."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dfbench.errors import InvalidInput
from dfbench.evaluation import evaluate
from dfbench.evaluation.definitions import metric
from dfbench.records.identities import (
    evaluation_identity,
    recorded_fit_identity,
    reranking_identity,
)
from dfbench.records.record import Record, RecordedScore, SupplyRecord, TeacherRecord
from dfbench.records.store import NotARecord, ResultStore, read_record
from dfbench.reporting.run_folders import MissingRun, embedded_test
from dfbench.runs.ranking import embeddings_digest
from dfbench.system.files import entries, read_file

_SUFFIX = ".json"
_TOLERANCE = 1e-5
"""Between a recorded score and the same score computed on another machine."""
_ROUNDING = 1e-12


@dataclass
class Submission:
    """A file that was submitted, and what was found about it."""

    file: Path
    record: Record | None = None
    """None for a file that is not a record."""
    verified: list[str] = field(default_factory=list)
    """What was computed again and agrees."""
    unverified: list[str] = field(default_factory=list)
    """What the given files do not allow to be computed again."""
    problems: list[str] = field(default_factory=list)
    """What is wrong; a record with any is refused."""
    merged: str = ""
    """What became of it: `added`, `replaced`, `already there`, or empty."""


@dataclass(frozen=True)
class Submitter:
    """Verifies records, and merges those without a problem into a results folder."""

    store: ResultStore
    official: Mapping[str, str]
    """Checksums of the networks that datasets of this installation provide, by identity."""
    runs: Path | None = None
    """Folder with the runs of the records, from whose embeddings the scores are computed again."""

    def verify(self, file: Path) -> Submission:
        """What can be verified about a file; nothing is written."""
        found = Submission(file)
        try:
            found.record = read_record(read_file(file))
        except NotARecord as fault:
            found.problems.append(f"not a record: {fault}")
            return found
        except OSError as fault:
            found.problems.append(f"cannot be read: {fault.strerror}")
            return found
        record = found.record
        found.verified.append("checksums")
        _check_definitions(record, found)
        _check_ranges(record, found)
        _check_identities(record, found)
        self._check_networks(record, found)
        self._check_scores(record, found)
        return found

    def merge(self, found: Submission, *, replace: bool = False) -> None:
        """Write a verified record, unless its identity is there with the same scores.

        One that is there with other scores is a problem, unless `replace` is set.
        """
        if found.record is None or found.problems:
            return
        known = self.store.find(found.record.eval_id)
        if known is not None and known[1].digests.metrics == found.record.digests.metrics:
            found.merged = "already there"
        elif known is None or replace:
            self.store.write(found.record)
            found.merged = "added" if known is None else "replaced"
        else:
            ours, theirs = (one.metrics["map@all"].value for one in (known[1], found.record))
            found.problems.append(
                f"its identity is there with map@all {ours:.4f}, here {theirs:.4f}; keep one "
                "of them, or use --replace"
            )

    def _check_networks(self, record: Record, found: Submission) -> None:
        """Networks said to be official are those of this installation."""
        networks: list[tuple[str, TeacherRecord | SupplyRecord]] = [
            *((f"{name} teacher", one) for name, one in record.teachers.items()),
            *record.supplies.items(),
        ]
        for name, one in networks:
            if one.official is None:
                continue
            known = self.official.get(one.identity)
            if known is None:
                found.unverified.append(f"official {name}: not in this installation")
            elif known != one.official.checksum:
                found.problems.append(f"its official {name} differs from that of this installation")
            else:
                found.verified.append(f"official {name}")

    def _check_scores(self, record: Record, found: Submission) -> None:
        if self.runs is None:
            found.unverified.append("scores: no --runs")
            return
        try:
            for name in ("", *record.representations):
                _recompute(record, self.runs, name, found)
        except MissingRun:
            found.unverified.append("scores: no embeddings in --runs")
        except InvalidInput as fault:
            found.problems.append(f"its embeddings cannot be ranked: {fault}")
        else:
            if not found.problems:
                found.verified.append("scores")


def submitted_files(paths: Sequence[Path]) -> list[Path]:
    """The records among files and folders: those in the folders of a results folder, or its own."""
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            folders = [entry for entry in entries(path) if entry.is_dir()] or [path]
            found += sorted(f for one in folders for f in entries(one) if f.suffix == _SUFFIX)
        else:
            found.append(path)
    return list(dict.fromkeys(found))


def _scores(record: Record) -> Iterator[tuple[str, dict[str, RecordedScore]]]:
    """All scores of a record, with the place that messages name."""
    yield "", record.metrics
    yield from ((f"{name}: ", scores) for name, scores in record.representations.items())
    for group, queries in record.groups.items():
        yield f"{group} queries: ", queries.metrics
    for label, reranking in record.reranked.items():
        yield f"{label}: ", reranking.metrics


def _check_definitions(record: Record, found: Submission) -> None:
    for name, recorded in record.definitions.items():
        if recorded.plugin is not None:
            found.unverified.append(f"{name}: metric of the plugin {recorded.plugin}")
            continue
        try:
            own = metric(name).definition
        except InvalidInput:
            found.problems.append(f"{name} is no metric of this version")
            continue
        if (recorded.formula, recorded.version) != (own.formula, own.version):
            found.problems.append(
                f"{name} is defined as {recorded.formula!r} (version {recorded.version}), here as "
                f"{own.formula!r} (version {own.version})"
            )


def _check_ranges(record: Record, found: Submission) -> None:
    """Scores of built-in metrics lie between 0 and the best that a ranking can reach."""
    for place, scores in _scores(record):
        for name, score in scores.items():
            outside = record.definitions[name].plugin if name in record.definitions else None
            largest = 1.0 if score.ceiling is None else score.ceiling
            if outside is None and not -_ROUNDING <= score.value <= largest + _ROUNDING:
                found.problems.append(
                    f"{place}{name} is {score.value:g}; allowed: 0 to {largest:g}"
                )


def _check_identities(record: Record, found: Submission) -> None:
    wrong = []
    if record.eval_id != evaluation_identity(record.fit_id):
        wrong.append("record")
    wrong += [
        f"re-ranking {label}"
        for label, one in record.reranked.items()
        if one.identity != reranking_identity(record.fit_id, one.reranker)
    ]
    fit_id = recorded_fit_identity(record)
    if fit_id is None:
        found.unverified.append("identity of the fit: it has inputs that a record does not name")
    elif fit_id != record.fit_id:
        wrong.append("fit")
    if wrong:
        found.problems.append(
            f"its content gives another identity of the {' and the '.join(wrong)}"
        )
    elif fit_id is not None:
        found.verified.append("identity")


def _recompute(record: Record, runs: Path, representation: str, found: Submission) -> None:
    """Compare the scores of a representation with those of its stored embeddings."""
    test = embedded_test(runs, record, representation)
    if not representation and embeddings_digest(test.embeddings) != record.digests.embeddings:
        found.problems.append("its embeddings are not those that were recorded")
        return
    recorded = record.representations[representation] if representation else record.metrics
    own = {
        name: score.value
        for name, score in recorded.items()
        if record.definitions[name].plugin is None
    }
    evaluation = evaluate(
        test.embeddings["sketch"],
        test.embeddings["photo"],
        test.labels["sketch"],
        test.labels["photo"],
        similarity=test.similarity,
        metrics=list(own),
        bootstrap=0,
    )
    place = f"{representation}: " if representation else ""
    found.problems += [
        f"{place}{name} is {value:.6f}, its embeddings give {evaluation.scores[name].value:.6f}"
        for name, value in own.items()
        if not abs(evaluation.scores[name].value - value) <= _TOLERANCE
    ]
