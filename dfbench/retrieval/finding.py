"""A finished run by what a person names it: its identity, its folder, or an export."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import takewhile
from pathlib import Path

from dfbench.errors import InvalidInput, UnknownName
from dfbench.files import entries
from dfbench.retrieval.card import CARD_FILE
from dfbench.runs.job import ENCODERS_FILE
from dfbench.runs.record import Record
from dfbench.runs.store import ResultStore, record_name, run_folder
from dfbench.runs.written import WRITTEN_FILE

_SHORTEST = 4
"""Letters of an identity that are enough if only one run has them."""
_NEAREST = 5


@dataclass(frozen=True)
class FoundRun:
    """Where the encoders of a run lie, and what is recorded of it."""

    folder: Path
    record: Record | None
    """None for an export, and for a run without test images."""


def find_run(named: str, results: Path, runs: Path) -> FoundRun:
    """The run that a person means: the beginning of an identity, a folder of a run or an export.

    An identity is the `fit_id` or `eval_id` of a record, as in names of files in `results` and of
    folders in `runs`; the name of such a file or folder will do too. Raises `UnknownName`, which
    names the nearest ones, and `InvalidInput` if several runs begin so or the encoders of a record
    are gone.
    """
    folder = Path(named)
    if (folder / CARD_FILE).is_file():
        return FoundRun(folder, None)
    known = _known(results, runs)
    if (folder / WRITTEN_FILE).is_file() or (folder / ENCODERS_FILE).is_file():
        return FoundRun(folder, known[folder.name].record if folder.name in known else None)
    found = [run for name, run in known.items() if _means(named, name, run)]
    if not found:
        raise _unknown(named, known, results, runs)
    if len(found) > 1:
        names = ", ".join(run.folder.name for run in found)
        raise InvalidInput(f"{len(found)} runs begin with {named!r}: {names}; give more of one")
    (run,) = found
    if not (run.folder / ENCODERS_FILE).is_file():
        raise InvalidInput(
            f"run {run.folder.name!r} has no encoders in {str(run.folder)!r}; name the folder of "
            "runs with --runs, or repeat the run with --force"
        )
    return run


def _known(results: Path, runs: Path) -> dict[str, FoundRun]:
    """Runs by the name of their folder: those with a record, and those with a folder alone."""
    known = {}
    for dataset in entries(runs):
        for folder in entries(dataset) if dataset.is_dir() else ():
            if (folder / ENCODERS_FILE).is_file():
                known[folder.name] = FoundRun(folder, None)
    for record in ResultStore(results):
        name, label = record.data.name, record.row.label
        folder = run_folder(runs, name, label, record.seed, record.fit_id)
        known[folder.name] = FoundRun(folder, record)
    return known


def _means(named: str, name: str, run: FoundRun) -> bool:
    if len(named) < _SHORTEST:
        return False
    # Without a record only the first digits of the identity are known.
    shortened = run.record is None and named.startswith(name.rpartition("-")[2])
    return shortened or any(one.startswith(named) for one in _names(name, run))


def _names(name: str, run: FoundRun) -> tuple[str, ...]:
    """What a run can be called by the beginning of: its identities, its folder, its record."""
    if run.record is None:
        return name.rpartition("-")[2], name
    return run.record.fit_id, run.record.eval_id, name, record_name(run.record)


def _unknown(named: str, known: dict[str, FoundRun], results: Path, runs: Path) -> UnknownName:
    likeness = {
        name: max(_likeness(named, one) for one in _names(name, run)) for name, run in known.items()
    }
    nearest = sorted(known, key=lambda name: (likeness[name], name), reverse=True)[:_NEAREST]
    return UnknownName(
        f"unknown run {named!r}; nearest: {', '.join(nearest) or 'none'}; allowed: the beginning "
        f"({_SHORTEST} letters or more) of an identity, as in names below {str(results)!r} and "
        f"{str(runs)!r}, or the folder of a run or an export (other places: --results, --runs)"
    )


def _likeness(named: str, name: str) -> tuple[int, float]:
    """How far two names begin alike, then how much else they share."""
    alike = takewhile(lambda pair: pair[0] == pair[1], zip(named, name, strict=False))
    common = sum(1 for _ in alike)
    return common, SequenceMatcher(None, named, name[: len(named)]).ratio()
