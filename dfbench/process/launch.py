"""Launching a worker process and reading its outcome; smaller micro-batches if a GPU is full."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ValidationError

from dfbench.errors import DfbenchError, PluginFault, ProcessEnded
from dfbench.plugins.host import PluginHost
from dfbench.plugins.info import RerankerInfo
from dfbench.plugins.probe import exit_text
from dfbench.plugins.sources import PluginSources
from dfbench.process.folder import JOB_FILE, OUTCOME_FILE, TRACEBACK_FILE
from dfbench.process.messages import (
    UNTOLD,
    Description,
    Fault,
    Job,
    Outcome,
    PluginQuestion,
    RerankerAnswer,
)
from dfbench.process.supervision import Ending, Supervision, supervise
from dfbench.system.console import note
from dfbench.system.file_errors import no_space
from dfbench.system.files import atomic_path, check_writable

Verb = Literal["describe", "fit", "teach", "rerank", "score"]
_WORK = {
    "describe": "that loads plugins",
    "fit": "of the method",
    "teach": "that trains teachers",
    "score": "that computes a metric",
    "rerank": "of the re-ranker",
}


def describe(question: PluginQuestion) -> Description:
    """The answers of plugins to a question. Raises `DfbenchError` for an error in the question."""
    with tempfile.TemporaryDirectory(prefix="dfbench-") as folder:
        try:
            description = call("describe", question, Path(folder)).description
        except ChildDied:
            # If one of the plugin files is the cause, report that instead.
            PluginHost(files := question.plugins.files, only=()).require(files)
            raise
    if description is None:
        raise RuntimeError("a question without an error has an answer")
    return description


class ChildDied(ProcessEnded):
    """The child ended without an answer: it crashed, exited, or was killed."""


class OutOfDeviceMemory(DfbenchError):
    """The memory of a GPU was too small for a fit."""

    def __init__(self, message: str, images: int) -> None:
        super().__init__(message)
        self.images = images
        """Largest number of images with activations in memory at once; 0 if not the cause."""


def _nothing() -> None:
    """The default `attend` of `call`."""


def call(
    verb: Verb,
    content: BaseModel,
    folder: Path,
    supervision: Supervision | None = None,
    *,
    attend: Callable[[], None] = _nothing,
    inherit: tuple[int, ...] = (),
) -> Outcome:
    """Run one verb of the worker in `folder` and return its outcome.

    `attend` is called repeatedly until it ends; `inherit` are descriptors that it keeps open.
    Raises `PluginFault`, `OutOfDeviceMemory` or `DfbenchError` with its error, `RunTimeout` or
    `MemoryExceeded` if it exceeded a limit, `ChildDied` if it died without an answer, and
    `KeyboardInterrupt` if it was interrupted.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / OUTCOME_FILE).unlink(missing_ok=True)
    (folder / TRACEBACK_FILE).unlink(missing_ok=True)
    with atomic_path(folder / JOB_FILE) as temporary:
        temporary.write_text(content.model_dump_json(indent=1), encoding="utf-8")
    command = [sys.executable, "-P", "-m", "dfbench.worker", verb, str(folder), str(os.getpid())]
    ending = supervise(command, supervision or Supervision(), attend, inherit)
    if ending.status == UNTOLD:
        check_writable(folder / OUTCOME_FILE)
        raise no_space(folder / OUTCOME_FILE)
    outcome = _outcome(folder / OUTCOME_FILE, verb, ending)
    if outcome.fault is not None:
        if outcome.fault.interrupted:
            raise KeyboardInterrupt
        raise _error(outcome.fault, folder if verb == "fit" else None)
    return outcome


def _error(fault: Fault, kept: Path | None) -> DfbenchError:
    """The exception for a fault; `kept` is the folder whose traceback outlives this call."""
    if fault.images is not None:
        return OutOfDeviceMemory(fault.message, fault.images)
    message = fault.message
    if kept is not None and (kept / TRACEBACK_FILE).is_file():
        message += f" (traceback: {kept / TRACEBACK_FILE})"
    return (PluginFault if fault.of_plugin else DfbenchError)(message)


def _outcome(file: Path, verb: Verb, ending: Ending) -> Outcome:
    if not file.is_file():
        fault = f"died ({_death(ending)})"
    else:
        try:
            return Outcome.model_validate_json(file.read_bytes())
        except ValidationError:
            fault = f"left an invalid answer ({OUTCOME_FILE})"
    raise ChildDied(
        f"the process {_WORK[verb]} {fault}"
        + ("" if verb in ("rerank", "score") else "; nothing was scored"),
        "repeat the same command to resume from its last checkpoint",
        ending.peak_memory_mib,
    )


def _death(ending: Ending) -> str:
    name = exit_text(ending.status)
    if name != "SIGKILL":
        return name
    return f"SIGKILL, perhaps out of memory: it used {ending.peak_memory_mib:.0f} MiB"


def call_fit(job: Job, folder: Path, supervision: Supervision, **more: Any) -> Outcome:
    """The outcome of a fit, restarted with half the micro-batch each time a GPU is full.

    A restarted fit resumes from its last checkpoint. Steps, batches and the inputs of losses do not
    change. `more` is passed to `call`. Raises its errors, and `OutOfDeviceMemory` once the
    micro-batch cannot be halved.
    """
    while True:
        try:
            return call("fit", job, folder, supervision, **more)
        except OutOfDeviceMemory as fault:
            if fault.images < 2:
                raise
            job = job.model_copy(update={"micro_batch": fault.images // 2})
            note(
                f"the GPU's memory is too small for {fault.images} images at a time: resuming from "
                f"the last checkpoint with micro-batches of {job.micro_batch}; steps, batches and "
                "the inputs of losses do not change"
            )


def described_rerankers(texts: Sequence[str], plugins: PluginSources) -> list[RerankerInfo]:
    """The re-rankers of these texts, which a separate process looks up among the plugins.

    Raises `DfbenchError` for the first that does not exist or refuses its settings.
    """
    question = PluginQuestion(
        methods=(), datasets=(), rerankers=tuple(texts), device="cpu", plugins=plugins
    )
    answers = describe(question).rerankers
    return chosen_rerankers([answers[text] for text in texts])


def chosen_rerankers(answers: Sequence[RerankerAnswer]) -> list[RerankerInfo]:
    """The re-rankers that were found, each once. Raises `DfbenchError` for the first fault."""
    chosen: dict[str, RerankerInfo] = {}
    for answer in answers:
        if answer.fault is not None:
            kind = PluginFault if answer.fault.of_plugin else DfbenchError
            raise kind(answer.fault.message)
        if answer.info is not None:
            chosen.setdefault(answer.info.label, answer.info)
    return list(chosen.values())
