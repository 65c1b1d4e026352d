"""The process in which plugin code runs: `python -m dfbench.runs describe|fit FOLDER`.

It reads a question or a job from the folder and leaves an outcome there. It never sees a label,
a class or a name of a test image.
"""

from __future__ import annotations

import resource
import time
import traceback
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save
from torch import Tensor, nn

from dfbench.artefacts import Artefacts
from dfbench.datasets.dataset import MODALITIES, Modality
from dfbench.errors import DfbenchError, PluginFault
from dfbench.files import DiskFull, atomic_path
from dfbench.learning.batches import to_unit
from dfbench.method import Method, Need, Setting
from dfbench.networks import Encoders
from dfbench.plugins import PluginHost, describe_fault
from dfbench.runs.job import (
    JOB_FILE,
    NO_SPACE,
    OUTCOME_FILE,
    TRACEBACK_FILE,
    TRAINING_FOLDER,
    DatasetOffer,
    Fault,
    FitFacts,
    Job,
    Outcome,
    Question,
    embeddings_file,
)
from dfbench.runs.numerics import pin_numerics
from dfbench.runs.resolve import resolve
from dfbench.runs.row import Row
from dfbench.teachers.stored import load_modality_classifier, load_teacher

_EMBED_BATCH = 500


def describe(folder: Path) -> Outcome:
    """Answer a question from what plugins say."""
    question = Question.model_validate_json((folder / JOB_FILE).read_text())
    host = PluginHost(question.plugins.files, question.plugins.folder)
    host.require(question.plugins.files)
    row = resolve(host, question.label, question.settings)[0]
    beside = row.beside if question.beside else ()
    rows = (*(resolve(host, label, {})[0] for label in beside), row)
    return Outcome(
        rows=rows, datasets=tuple(_dataset_offer(host, name) for name in question.datasets)
    )


def _dataset_offer(host: PluginHost, name: str) -> DatasetOffer:
    offer = host.dataset(name)
    return DatasetOffer(
        name=name,
        target=offer.spec.target,
        argument=offer.spec.argument,
        file=offer.plugin.file,
    )


def fit(folder: Path) -> Outcome:
    """Fit the method of a job and embed its images."""
    job = Job.model_validate_json((folder / JOB_FILE).read_text())
    host = PluginHost(job.plugins.files, job.plugins.folder)
    _, method = resolve(host, job.row.label, {})
    method.config = method.Config.model_validate(job.row.config)
    pin_numerics(job.threads, job.seed)
    setting = _setting(job, folder)
    started = time.monotonic()
    encoders = _fitted(method, setting, job.row)
    fitted = time.monotonic()
    parameters = _save_encoders(encoders, folder)
    readings = {"": encoders, **encoders.readings}
    for name, reading in readings.items():
        embeddings: dict[str, Tensor] = {
            modality: _embedded(getattr(reading, modality), job, modality)
            for modality in MODALITIES
        }
        with atomic_path(embeddings_file(folder, name)) as temporary:
            temporary.write_bytes(save(embeddings))
    facts = FitFacts(
        similarities={name: reading.similarity for name, reading in readings.items()},
        fit_seconds=round(fitted - started, 1),
        embed_seconds=round(time.monotonic() - fitted, 1),
        peak_memory_mib=round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
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
        artefacts=Artefacts(folder / "pictures"),
        training_folder=folder / TRAINING_FOLDER,
        supplies=_supplies(job, device),
    )


def _supplies(job: Job, device: torch.device) -> dict[Need, Any]:
    supplies: dict[Need, Any] = {}
    if job.modality_classifier:
        classifier = load_modality_classifier(job.modality_classifier)
        supplies[Need.MODALITY_CLASSIFIER] = classifier.to(device)
    if Need.ALTERNATIVE_DATA in job.row.needs:
        supplies[Need.ALTERNATIVE_DATA] = {m: _images(job, f"alternative-{m}") for m in MODALITIES}
    if Need.TRAINING_DATA in job.row.needs:
        supplies[Need.TRAINING_DATA] = {
            m: (_images(job, f"training-{m}"), _array(job, f"training-labels-{m}"))
            for m in MODALITIES
        }
    return supplies


def _images(job: Job, name: str) -> Tensor:
    return _array(job, name).expand(-1, 3, -1, -1)


def _array(job: Job, name: str) -> Tensor:
    return torch.from_numpy(np.load(job.arrays[name]))


def _fitted(method: Method, setting: Setting, row: Row) -> Encoders:
    try:
        encoders = method.fit(setting)
    except DfbenchError:
        raise
    except (Exception, SystemExit) as fault:
        raise PluginFault(
            f"method {row.label!r} of plugin {row.plugin!r} {row.plugin_version}: fit() raised "
            f"{describe_fault(fault)}"
        ) from fault
    if not isinstance(encoders, Encoders):
        raise PluginFault(
            f"method {row.label!r}: fit() returned {type(encoders).__name__}; allowed: "
            "dfbench.Encoders"
        )
    for reading in (encoders, *encoders.readings.values()):
        for modality in MODALITIES:
            encoder = getattr(reading, modality)
            if not isinstance(encoder, nn.Module):
                raise PluginFault(
                    f"method {row.label!r}: its {modality} encoder is {encoder!r}; allowed: a "
                    "torch.nn.Module"
                )
    return encoders


@torch.no_grad()
def _embedded(encoder: nn.Module, job: Job, modality: Modality) -> Tensor:
    images = torch.from_numpy(np.load(job.arrays[modality]))
    encoder.eval()
    parts = []
    for batch in torch.split(images, _EMBED_BATCH):
        part = _encoded(encoder, to_unit(batch.to(job.device)), job, modality)
        if not isinstance(part, Tensor) or part.ndim != 2 or len(part) != len(batch):
            shape = list(part.shape) if isinstance(part, Tensor) else type(part).__name__
            raise PluginFault(
                f"method {job.row.label!r}: its {modality} encoder maps {len(batch)} images to "
                f"{shape}; allowed: [{len(batch)}, D]"
            )
        # NumPy, which ranks, has no bfloat16.
        parts.append(part.float().cpu() if part.dtype == torch.bfloat16 else part.cpu())
    if len({part.shape[1] for part in parts}) > 1:
        widths = sorted({part.shape[1] for part in parts})
        raise PluginFault(
            f"method {job.row.label!r}: its {modality} embeddings differ in width from batch to "
            f"batch: {widths}; allowed: one width D"
        )
    return torch.cat(parts).contiguous()


def _encoded(encoder: nn.Module, images: Tensor, job: Job, modality: Modality) -> Any:
    try:
        return encoder(images)
    except (Exception, SystemExit) as fault:
        raise PluginFault(
            f"method {job.row.label!r} of plugin {job.row.plugin!r} {job.row.plugin_version}: its "
            f"{modality} encoder raised {describe_fault(fault)}"
        ) from fault


def _save_encoders(encoders: Encoders, folder: Path) -> int:
    modules = nn.ModuleDict({"photo": encoders.photo, "sketch": encoders.sketch})
    weights = {
        name: tensor.detach().cpu().clone(memory_format=torch.contiguous_format)
        for name, tensor in modules.state_dict().items()
    }
    with atomic_path(folder / "encoders.safetensors") as temporary:
        temporary.write_bytes(save(weights))
    return sum(parameter.numel() for parameter in modules.parameters())


def main(verb: str, folder: Path) -> int:
    """Do one verb; the outcome file tells how it went, the exit status only whether it did."""
    try:
        outcome = {"describe": describe, "fit": fit}[verb](folder)
    except KeyboardInterrupt:
        outcome = Outcome(fault=Fault(message="interrupted", interrupted=True))
    except Exception as fault:  # noqa: BLE001  # the border: whatever happened is told as data
        with suppress(OSError):
            (folder / TRACEBACK_FILE).write_text(traceback.format_exc(), encoding="utf-8")
        by_plugin = isinstance(fault, PluginFault)
        outcome = Outcome(fault=Fault(message=describe_fault(fault), of_plugin=by_plugin))
    try:
        with atomic_path(folder / OUTCOME_FILE) as temporary:
            temporary.write_text(outcome.model_dump_json(indent=1), encoding="utf-8")
    except DiskFull:
        return NO_SPACE
    return 0 if outcome.fault is None else 1
