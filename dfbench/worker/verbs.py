"""The verbs of the worker process: `python -m dfbench.worker describe|fit|teach FOLDER`.

Each reads its job from the folder and writes an outcome there. Plugin methods run in the first two,
which see no label, class or name of a test image.
"""

from __future__ import annotations

import traceback
from contextlib import suppress
from pathlib import Path

import torch

from dfbench.errors import DfbenchError, PluginFault
from dfbench.plugins.code import describe_fault, plugin_faults
from dfbench.process.messages import (
    JOB_FILE,
    TRACEBACK_FILE,
    UNTOLD,
    Fault,
    FitEnded,
    Lesson,
    Outcome,
    PluginQuestion,
    leave_outcome,
)
from dfbench.system.file_errors import OUT_OF_SPACE, FileFault


def describe(folder: Path) -> Outcome:
    """Answer a question about plugins."""
    from dfbench.worker import describing  # imported here: a fit does not wait for it

    question = PluginQuestion.model_validate_json((folder / JOB_FILE).read_text())
    return Outcome(description=describing.describe(question))


def fit(folder: Path) -> Outcome:
    """Fit the method of a job and embed its images."""
    from dfbench.worker import fit as fit_job  # imported here: a question does not wait for it

    return fit_job.fit(folder)


def teach(folder: Path) -> Outcome:
    """Train the networks of a lesson that the cache lacks; no method's code runs here."""
    from dfbench.numerics import pin_numerics  # imported here: a question does not wait for them
    from dfbench.planning.session import Sessions
    from dfbench.provision import supplied

    lesson = Lesson.model_validate_json((folder / JOB_FILE).read_text())
    session = Sessions(lesson.datasets, lesson.device).open(lesson.request)
    pin_numerics(session.threads, lesson.request.seed)
    for modality in lesson.modalities:
        session.teachers.teacher(modality)
    for name in lesson.supplies:
        supplied(session.teachers, name)
    return Outcome()


def _ran_short(cause: BaseException | None) -> bool:
    """Whether memory or disk ran out, which is no plugin error: checkpoints stay valid."""
    if isinstance(cause, OSError):
        return cause.errno in OUT_OF_SPACE
    return isinstance(cause, MemoryError | torch.OutOfMemoryError)


def _keep_traceback(folder: Path) -> None:
    with suppress(OSError):  # the folder itself may be the problem
        (folder / TRACEBACK_FILE).write_text(traceback.format_exc(), encoding="utf-8")


def main(verb: str, folder: Path) -> int:
    """Run one verb; the outcome file has the details, the exit status says whether it succeeded."""
    try:
        with plugin_faults():
            outcome = {"describe": describe, "fit": fit, "teach": teach}[verb](folder)
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
