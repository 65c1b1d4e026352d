"""The verbs of the worker: `python -m dfbench.worker describe|fit|teach|score|rerank FOLDER`.

Each reads its job from the folder and writes an outcome there. Plugin methods run in the first two,
which see no label, class or name of a test image; a plugin's metric runs in `score`, a re-ranker,
which sees embeddings alone, in `rerank`.
"""

from __future__ import annotations

import traceback
from contextlib import suppress
from pathlib import Path

import torch

from dfbench.errors import DfbenchError, InvalidInput, PluginFault
from dfbench.networks.backbones.registry import available_names, builder, is_known
from dfbench.planning.methods import resolve
from dfbench.plugins.code import describe_fault, plugin_faults
from dfbench.plugins.host import PluginHost
from dfbench.plugins.info import MethodInfo
from dfbench.plugins.networks import plugin_networks
from dfbench.process.folder import JOB_FILE, TRACEBACK_FILE
from dfbench.process.messages import (
    UNTOLD,
    DatasetAnswer,
    DatasetOffer,
    Description,
    Fault,
    FitEnded,
    Lesson,
    MethodAnswer,
    MethodQuestion,
    NetworkAnswer,
    Outcome,
    PluginQuestion,
    RerankerAnswer,
    leave_outcome,
)
from dfbench.system.file_errors import OUT_OF_SPACE, FileFault
from dfbench.worker.rerankers import resolve_reranker


def describe(folder: Path) -> Outcome:
    """Answer a question about plugins."""
    question = PluginQuestion.model_validate_json((folder / JOB_FILE).read_text())
    return Outcome(description=describe_plugins(question))


def fit(folder: Path) -> Outcome:
    """Fit the method of a job and embed its images."""
    from dfbench.worker import fit as fit_job  # imported here: a question does not wait for it

    return fit_job.fit(folder)


def rerank(folder: Path) -> Outcome:
    """Score a gallery by the re-ranker of a job."""
    from dfbench.worker import scoring  # imported here: a question does not wait for it

    return scoring.rerank(folder)


def teach(folder: Path) -> Outcome:
    """Train the networks of a lesson that the cache lacks, and measure external teachers.

    No method's code runs here, but that of a plugin's network does.
    """
    from dfbench.need import supplied
    from dfbench.numerics import pin_numerics  # imported here: a question does not wait for them
    from dfbench.planning.session import Sessions

    lesson = Lesson.model_validate_json((folder / JOB_FILE).read_text())
    for offer in lesson.networks:
        offer.register()
    session = Sessions(lesson.datasets, lesson.device, lesson.networks).open(lesson.request)
    pin_numerics(session.threads, lesson.request.seed)
    teachers = session.teacher_store(again=lesson.again)
    for modality in lesson.modalities:
        teachers.teacher(modality)
    for name in lesson.supplies:
        supplied(teachers, name)
    return Outcome(accuracies=session.external_accuracies if lesson.measured else None)


def score(folder: Path) -> Outcome:
    """Compute a plugin's metric."""
    from dfbench.worker import scoring  # imported here: a fit does not wait for it

    return scoring.score(folder)


def _ran_short(cause: BaseException | None) -> bool:
    """Whether memory or disk ran out, which is no plugin error: checkpoints stay valid."""
    if isinstance(cause, OSError):
        return cause.errno in OUT_OF_SPACE
    return isinstance(cause, MemoryError | torch.OutOfMemoryError)


def _keep_traceback(folder: Path) -> None:
    with suppress(OSError):  # the folder itself may be the problem
        (folder / TRACEBACK_FILE).write_text(traceback.format_exc(), encoding="utf-8")


VERBS = {"describe": describe, "fit": fit, "teach": teach, "score": score, "rerank": rerank}


def main(verb: str, folder: Path) -> int:
    """Run one verb; the outcome file has the details, the exit status says whether it succeeded."""
    try:
        with plugin_faults():
            outcome = VERBS[verb](folder)
    except KeyboardInterrupt:
        outcome = Outcome(fault=Fault(message="interrupted", interrupted=True))
    except FitEnded as end:
        outcome = Outcome(fault=end.fault)
    except Exception as fault:  # noqa: BLE001  # the process boundary: any error becomes data
        if isinstance(fault, PluginFault) or not isinstance(fault, DfbenchError):
            _keep_traceback(folder)
        by_plugin = isinstance(fault, PluginFault) and not _ran_short(fault.__cause__)
        outcome = Outcome(fault=Fault(message=describe_fault(fault), of_plugin=by_plugin))
    try:
        leave_outcome(folder, outcome)
    except FileFault:
        return UNTOLD
    return 0 if outcome.fault is None else 1


def describe_plugins(question: PluginQuestion) -> Description:
    """Answer a question; an unavailable method or dataset has an error as its own answer.

    Raises `PluginFault` for a plugin file that cannot be loaded and `InvalidInput` for a device
    that does not exist.
    """
    # Only the plugins that the user named are loaded here; those that were merely found are not.
    host = PluginHost.of(question.plugins, here=question.plugins.named)
    host.require(question.plugins.files, question.plugins.classes)
    return Description(
        methods=tuple(_method_answer(host, asked) for asked in question.methods),
        datasets={name: _dataset_answer(host, name) for name in question.datasets},
        networks={name: _network_answer(host, name) for name in question.networks},
        rerankers={text: _reranker_answer(host, text) for text in question.rerankers},
        device=_device(question.device, elsewhere=question.elsewhere),
        gpus=torch.cuda.device_count(),
    )


def _network_answer(host: PluginHost, name: str) -> NetworkAnswer:
    offer = next(iter(plugin_networks(host, [name])), None)
    try:
        if offer is not None:
            offer.register()
        if not is_known(name):
            raise host.unknown("networks", name, available_names())
        builder(name)
    except DfbenchError as fault:
        return NetworkAnswer(fault=_fault(fault))
    return NetworkAnswer(offer=offer)


def _reranker_answer(host: PluginHost, text: str) -> RerankerAnswer:
    try:
        return RerankerAnswer(info=resolve_reranker(host, text)[0])
    except DfbenchError as fault:
        return RerankerAnswer(fault=_fault(fault))


def _method_answer(host: PluginHost, asked: MethodQuestion) -> MethodAnswer:
    try:
        info = resolve(host, asked.label, asked.settings)[0]
        beside = info.beside if asked.beside else ()
        infos = (*(resolve(host, label, {})[0] for label in beside), info)
        return MethodAnswer(methods=infos, sources=_sources(host, infos))
    except DfbenchError as fault:
        return MethodAnswer(fault=_fault(fault))


def _sources(host: PluginHost, infos: tuple[MethodInfo, ...]) -> dict[str, MethodInfo]:
    sources = {
        info.pairs_of: resolve(host, info.pairs_of, {})[0]
        for info in infos
        if info.pairs_of is not None
    }
    for label, source in sources.items():
        if source.pairs_of is not None:
            raise PluginFault(
                f"method {label!r}, whose pairs are needed, itself needs those of "
                f"{source.pairs_of!r}; allowed: a method that generates its own"
            )
    return sources


def _dataset_answer(host: PluginHost, name: str) -> DatasetAnswer:
    try:
        found = host.dataset(name)
    except DfbenchError as fault:
        return DatasetAnswer(fault=_fault(fault))
    offer = DatasetOffer(
        name=name,
        target=found.spec.target,
        argument=found.spec.argument,
        file=found.plugin.file,
        teachers=found.spec.teachers,
    )
    return DatasetAnswer(offer=offer)


def _fault(error: DfbenchError) -> Fault:
    return Fault(message=str(error), of_plugin=isinstance(error, PluginFault))


def _device(name: str, *, elsewhere: bool) -> str:
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and not elsewhere and not torch.cuda.is_available():
        raise InvalidInput(
            "--device cuda, but torch sees no CUDA device; allowed here: --device cpu, auto"
        )
    return name
