"""Re-rankings of a finished run, from its stored embeddings: nothing is fitted or embedded."""

from __future__ import annotations

from pathlib import Path
from zipfile import BadZipFile

from safetensors import SafetensorError

from dfbench.errors import DfbenchError, InvalidInput
from dfbench.evaluation.given_scores import GivenScores
from dfbench.planning.plan import Plan
from dfbench.plugins.info import RerankerInfo
from dfbench.process.folder import OUTCOME_FILE, embeddings_file
from dfbench.process.handover import TestImages
from dfbench.process.messages import Outcome
from dfbench.process.reranking import Reranked, rerank
from dfbench.process.supervision import Supervision
from dfbench.records.per_query import per_query_file, write_per_query
from dfbench.records.record import Record, Reranking
from dfbench.records.state import RunLock
from dfbench.records.store import ResultStore
from dfbench.runs.exhibit import stored_images
from dfbench.runs.ranking import Embeddings, embeddings_digest, query_groups, read_embeddings
from dfbench.runs.recording import recorded_scores
from dfbench.system.console import note


def add_rerankings(
    plan: Plan, record: Record, folder: Path, supervision: Supervision
) -> tuple[Record, DfbenchError | None]:
    """The record with the re-rankings that the plan asks for and it lacks, and the first error.

    `folder` is that of the run's large files. Each re-ranking is recorded as soon as it is done;
    one that fails leaves the record, its plain scores included, as it was.
    """
    if not _lacking(plan, record, folder):
        return record, None
    first: DfbenchError | None = None
    with RunLock(folder, supervision.stop):
        store = ResultStore(plan.session.request.places.results)
        found = store.find(plan.eval_id)  # another process may have added some meanwhile
        record = found[1] if found else record
        for reranker in _lacking(plan, record, folder):
            note(f"{plan.method.label}: re-ranking by {reranker.label}")
            try:
                added = _reranking(plan, record, folder, reranker, supervision)
            except DfbenchError as fault:
                first = first or type(fault)(f"{fault}; plain scores are kept")
                continue
            record = record.model_copy(
                update={"reranked": {**record.reranked, reranker.label: added}}
            )
            store.write(record)
    return record, first


def _lacking(plan: Plan, record: Record, folder: Path) -> list[RerankerInfo]:
    """The re-rankers without scores, or whose values of each query went with an earlier folder."""
    missing = plan.missing_rerankers(record)
    embedded = embeddings_file(folder, "").is_file()
    return [
        one
        for one in plan.rerankers
        if one in missing
        or (embedded and not per_query_file(folder, "", plan.rerank_id(one)).is_file())
    ]


def _reranking(
    plan: Plan, record: Record, folder: Path, reranker: RerankerInfo, supervision: Supervision
) -> Reranking:
    found = {
        name: _reranked(plan, record, folder, name, similarity, reranker, supervision)
        for name, similarity in _similarities(plan, folder).items()
    }
    identity = plan.rerank_id(reranker)
    for name, one in found.items():
        write_per_query(per_query_file(folder, name, identity), one.evaluation.per_query)
    headline = found[""].evaluation
    return Reranking(
        identity=identity,
        reranker=reranker,
        metrics=recorded_scores(headline.scores),
        representations={
            name: recorded_scores(one.evaluation.scores) for name, one in found.items() if name
        },
        groups={name: recorded_scores(scores) for name, scores in headline.groups.items()},
        seconds=round(sum(one.facts.seconds for one in found.values()), 2),
        peak_memory_mib=max(one.facts.peak_memory_mib for one in found.values()),
    )


def _reranked(
    plan: Plan,
    record: Record,
    folder: Path,
    representation: str,
    similarity: str,
    reranker: RerankerInfo,
    supervision: Supervision,
) -> Reranked:
    session = plan.session
    try:
        images = stored_images(plan, folder)
        embeddings = read_embeddings(folder, representation, images, plan.method.label)
    except (OSError, KeyError, ValueError, BadZipFile, SafetensorError) as fault:
        raise _gone(plan, folder, str(fault)) from fault
    if not representation and embeddings_digest(embeddings) != record.digests.embeddings:
        raise _gone(plan, folder, "they are not those that were recorded")
    return rerank(
        reranker,
        embeddings["sketch"],
        embeddings["photo"],
        _given(plan, images, embeddings, similarity),
        similarity=similarity,
        plugins=session.request.plugins,
        threads=session.threads,
        supervision=supervision,
        parent=folder,
    )


def _given(plan: Plan, images: TestImages, embeddings: Embeddings, similarity: str) -> GivenScores:
    session = plan.session
    sketches, photos = images.sets["sketch"], images.sets["photo"]
    return GivenScores(
        embeddings["sketch"],
        embeddings["photo"],
        sketches.labels,
        photos.labels,
        similarity=similarity,
        seed=session.request.seed,
        groups=query_groups(session.division, sketches),
    )


def _similarities(plan: Plan, folder: Path) -> dict[str, str]:
    """The similarity of each representation of a finished run."""
    try:
        facts = Outcome.model_validate_json((folder / OUTCOME_FILE).read_bytes()).facts
    except (OSError, ValueError) as fault:
        raise _gone(plan, folder, str(fault)) from fault
    if facts is None:
        raise _gone(plan, folder, "the last attempt at the run failed")
    return facts.similarities


def _gone(plan: Plan, folder: Path, reason: str) -> InvalidInput:
    return InvalidInput(
        f"{plan.method.label}: the stored embeddings of the run cannot be read ({reason}; folder "
        f"{folder}); repeat it: dfbench run --force"
    )
