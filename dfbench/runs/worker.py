"""The verbs of dfbench's other processes: `python -m dfbench.runs describe|fit|teach FOLDER`.

Each reads what is asked from the folder and leaves an outcome there. Plugins' methods run in the
first two: there, no label, class or name of a test image is seen.
"""

from __future__ import annotations

import time
import traceback
from contextlib import suppress
from pathlib import Path

import torch
from safetensors.torch import save
from torch import Tensor, nn

import dfbench
from dfbench.artefacts import Artefacts
from dfbench.datasets.dataset import MODALITIES
from dfbench.errors import PluginFault
from dfbench.files import OUT_OF_SPACE, DiskFull, atomic_path
from dfbench.learning.loop import Loops
from dfbench.method import Setting
from dfbench.networks import Encoders
from dfbench.networks.precision import bfloat16_convolutions
from dfbench.plugins import PluginHost, describe_fault
from dfbench.runs.fitting import check_teachers, embedded, fitted, teacher_digests
from dfbench.runs.handover import awaited_images
from dfbench.runs.job import (
    ENCODERS_FILE,
    JOB_FILE,
    NO_SPACE,
    OUTCOME_FILE,
    TRACEBACK_FILE,
    TRAINING_FOLDER,
    Fault,
    FitFacts,
    Job,
    Lesson,
    Outcome,
    Question,
    embeddings_file,
)
from dfbench.runs.numerics import pin_numerics
from dfbench.runs.peak_memory import peak_memory_mib
from dfbench.runs.resolve import resolve
from dfbench.runs.supplied import read_supplies
from dfbench.teachers.stored import load_teacher


def describe(folder: Path) -> Outcome:
    """Answer a question from what plugins say."""
    from dfbench.runs import describing  # only here: a fit does not wait for it

    question = Question.model_validate_json((folder / JOB_FILE).read_text())
    return Outcome(description=describing.describe(question))


def fit(folder: Path) -> Outcome:
    """Fit the method of a job and embed its images."""
    job = Job.model_validate_json((folder / JOB_FILE).read_text())
    host = PluginHost.of(job.plugins)
    _, method = resolve(host, job.row.label, {})
    method.config = method.Config.model_validate(job.row.config)
    pin_numerics(job.threads, job.seed)
    setting = _setting(job, folder)
    before = teacher_digests(setting)
    started = time.monotonic()
    with bfloat16_convolutions(enabled=job.precision == "bf16"):
        encoders = fitted(method, setting, job.row)
    fit_seconds = round(time.monotonic() - started, 1)
    check_teachers(before, setting, job.row)
    parameters = _save_encoders(encoders, folder)
    embedding = time.monotonic()
    readings = {"": encoders, **encoders.readings} if job.scored else {}
    images = awaited_images(folder) if job.scored else {}
    for name, reading in readings.items():
        embeddings: dict[str, Tensor] = {
            modality: embedded(
                getattr(reading, modality), images[modality], job.row, setting.device, modality
            )
            for modality in MODALITIES
        }
        with atomic_path(embeddings_file(folder, name)) as temporary:
            temporary.write_bytes(save(embeddings))
    facts = FitFacts(
        similarities={name: reading.similarity for name, reading in readings.items()},
        fit_seconds=fit_seconds,
        embed_seconds=round(time.monotonic() - embedding, 1),
        peak_memory_mib=peak_memory_mib(),
        parameters=parameters,
    )
    return Outcome(facts=facts)


def _setting(job: Job, folder: Path) -> Setting:
    device = torch.device(job.device)
    teachers = {modality: load_teacher(path).to(device) for modality, path in job.teachers.items()}
    return Setting(
        method=job.row.label,
        budget=job.budget,
        photo_teacher=teachers["photo"],
        sketch_teacher=teachers["sketch"],
        image_size=job.image_size,
        device=device,
        seed=job.seed,
        artefacts=Artefacts(folder),
        loops=Loops(folder / TRAINING_FOLDER, _origin(job), job.checkpoint_seconds),
        supplies=read_supplies(job, device),
    )


def _origin(job: Job) -> dict[str, str | int]:
    """All that has to be the same for a fit to end with the numbers it was begun with."""
    return {
        "fit": job.fit_id,
        "plugin": f"{job.row.plugin} {job.row.plugin_version}",
        "dfbench": dfbench.__version__,
        "torch": str(torch.__version__),
        "threads": job.threads,
    }


def _save_encoders(encoders: Encoders, folder: Path) -> int:
    modules = nn.ModuleDict({"photo": encoders.photo, "sketch": encoders.sketch})
    weights = {
        name: tensor.detach().cpu().clone(memory_format=torch.contiguous_format)
        for name, tensor in modules.state_dict().items()
    }
    with atomic_path(folder / ENCODERS_FILE) as temporary:
        temporary.write_bytes(save(weights))
    return sum(parameter.numel() for parameter in modules.parameters())


def teach(folder: Path) -> Outcome:
    """Train what a lesson names; only dfbench's own code runs here, and that of datasets."""
    from dfbench.runs import teaching  # only here: a fit does not wait for it

    teaching.teach(Lesson.model_validate_json((folder / JOB_FILE).read_text()))
    return Outcome()


def _ran_short(cause: BaseException | None) -> bool:
    """Whether memory or disk ran out: no plugin is to blame, and its checkpoints are good."""
    if isinstance(cause, OSError):
        return cause.errno in OUT_OF_SPACE
    return isinstance(cause, MemoryError | torch.OutOfMemoryError)


def main(verb: str, folder: Path) -> int:
    """Do one verb; the outcome file tells how it went, the exit status only whether it did."""
    try:
        outcome = {"describe": describe, "fit": fit, "teach": teach}[verb](folder)
    except KeyboardInterrupt:
        outcome = Outcome(fault=Fault(message="interrupted", interrupted=True))
    except Exception as fault:  # noqa: BLE001  # the border: whatever happened is told as data
        with suppress(OSError):
            (folder / TRACEBACK_FILE).write_text(traceback.format_exc(), encoding="utf-8")
        by_plugin = isinstance(fault, PluginFault) and not _ran_short(fault.__cause__)
        outcome = Outcome(fault=Fault(message=describe_fault(fault), of_plugin=by_plugin))
    try:
        with atomic_path(folder / OUTCOME_FILE) as temporary:
            temporary.write_text(outcome.model_dump_json(indent=1), encoding="utf-8")
    except DiskFull:
        return NO_SPACE
    return 0 if outcome.fault is None else 1
