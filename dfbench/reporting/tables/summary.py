"""Output of `dfbench run` at its end."""

from __future__ import annotations

from dfbench.records.record import Record, RecordedScore
from dfbench.reporting.cells import short
from dfbench.reporting.tables.layout import Layout
from dfbench.reporting.tables.printing import print_layouts
from dfbench.runs.execute import Run
from dfbench.system.console import note


def print_run(runs: list[Run]) -> None:
    """Print the scores of a command's runs, the requested one last, and the paths of the files."""
    for run in runs:
        if run.reused:
            note(f"{run.record.method.label}: already done ({run.path}); --force repeats it")
        elif run.earlier is not None:
            note(_repetition(run))
    requested = runs[-1]
    print_layouts([_layout([run.record for run in runs])], "text")
    note(f"record: {requested.path}")
    note(f"pictures: {requested.folder / 'pictures'}")


def _layout(records: list[Record]) -> Layout:
    last = records[-1]
    names = list(last.metrics)
    rows = []
    for record in records:
        rows.append((record.method.display_title, *_cells(record.metrics, names)))
        rows.extend(
            (f"  {representation}", *_cells(scores, names))
            for representation, scores in record.representations.items()
        )
    accuracies = ", ".join(f"{m} {short(t.accuracy)}" for m, t in sorted(last.teachers.items()))
    title = f"{last.data.name}, {last.scenario_title}, seed {last.seed}"
    notes = [
        f"{last.data.queries} queries, {last.data.gallery} photos, {len(last.data.classes)} "
        f"classes; chance mAP@all {short(last.chance)}; teacher accuracy: {accuracies}",
        "[95 % bootstrap interval over queries] of map@all",
    ]
    if last.skipped_queries:
        notes.append(f"{last.skipped_queries} queries have no relevant photo and are left out")
    return Layout(title, ("method", *names), tuple(rows), tuple(notes), last.model_dump())


def _cells(scores: dict[str, RecordedScore], names: list[str]) -> list[str]:
    first, *others = (scores[name] for name in names)
    interval = f"{short(first.value)} [{short(first.low)}, {short(first.high)}]"
    return [interval, *(short(score.value) for score in others)]


def _repetition(run: Run) -> str:
    same = run.earlier is not None and run.earlier.digests == run.record.digests
    verdict = "identical digests" if same else "different digests"
    return f"{run.record.method.label}: repeated, with {verdict} ({run.record.digests.embeddings})"
