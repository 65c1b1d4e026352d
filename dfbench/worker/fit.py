"""Fitting the method of a job and embedding its images, in one or several processes."""

from __future__ import annotations

import time
from dataclasses import replace
from hashlib import blake2b
from pathlib import Path

import torch
from safetensors.torch import save
from torch import Tensor, nn

from dfbench.artefacts import Artefacts
from dfbench.datasets.dataset import ImageArray, joined
from dfbench.errors import PluginFault
from dfbench.learning.batches import batch_of
from dfbench.learning.group import ProcessGroup, loops_of
from dfbench.learning.loop import Loops, TrainingLoop
from dfbench.method import Method, Setting
from dfbench.modality import MODALITIES, Modality
from dfbench.need import Files, provide
from dfbench.networks import Encoders
from dfbench.networks.placement import (
    bfloat16_convolutions,
    compiled,
    compiled_networks,
    require_compiler,
)
from dfbench.networks.portions import Portions, in_portions
from dfbench.numerics import pin_numerics
from dfbench.planning.methods import rebuilt
from dfbench.plugins.host import PluginHost
from dfbench.process.folder import ENCODERS_FILE, JOB_FILE, TRAINING_FOLDER, embeddings_file
from dfbench.process.handover import awaited_images, shared_images
from dfbench.process.messages import Fault, FitEnded, FitFacts, Job, Outcome
from dfbench.records.encoders_file import write_down
from dfbench.system.files import atomic_path
from dfbench.system.machine import peak_memory_mib
from dfbench.teachers.stored import load_teacher
from dfbench.version import __version__
from dfbench.worker.contract import check_teachers, embedded, fitted, teacher_digests
from dfbench.worker.team import team


def fit(folder: Path) -> Outcome:
    """Fit the method of a job and embed its images. Raises `FitEnded` and `DfbenchError`."""
    job = Job.model_validate_json((folder / JOB_FILE).read_text())
    # Only the method's plugin and those that the user named; those merely found are left out.
    sources = replace(job.plugins, only=(job.method.plugin,))
    host = PluginHost.of(sources, here={job.method.plugin, *sources.named})
    method = rebuilt(host, job.method)
    for offer in job.networks:
        offer.register()
    shared_cores = job.devices if job.device == "cpu" else 1
    pin_numerics(max(1, job.threads // shared_cores), job.seed)
    with team(job, folder) as group, compiled_networks(enabled=job.compile):
        return _fit(method, job, folder, group)


def _fit(method: Method, job: Job, folder: Path, group: ProcessGroup | None) -> Outcome:
    if job.compile:
        require_compiler(torch.device(job.device))
    setting = _setting(job, folder, group)
    before = teacher_digests(setting)
    started = time.monotonic()
    encoders = _fitted(method, setting, job, group)
    fit_seconds = round(time.monotonic() - started, 1)
    check_teachers(before, setting, job.method)
    representations = {"": encoders, **encoders.representations}
    if group is not None:
        group.require_alike(getattr(one, m) for one in representations.values() for m in MODALITIES)
    leads = group is None or group.leads
    parameters = _save_encoders(encoders, folder) if leads else 0
    embedding = time.monotonic()
    if job.scored:
        _embed(representations, job, folder, group)
    embed_seconds = round(time.monotonic() - embedding, 1)
    peak_mib = float(peak_memory_mib())
    if group is not None:
        peak_mib = group.total(peak_mib)
    if not leads:
        return Outcome()
    write_down(folder, encoders, setting, job)
    facts = FitFacts(
        similarities={name: one.similarity for name, one in representations.items()}
        if job.scored
        else {},
        fit_seconds=fit_seconds,
        embed_seconds=embed_seconds,
        peak_memory_mib=peak_mib,
        parameters=parameters,
        micro_batch=job.micro_batch,
        devices=job.devices,
    )
    return Outcome(facts=facts)


def _fitted(method: Method, setting: Setting, job: Job, group: ProcessGroup | None) -> Encoders:
    """The encoders of the method. Raises `FitEnded` if the GPU ran out of memory."""
    portions = Portions(job.micro_batch, group)
    try:
        with in_portions(portions), bfloat16_convolutions(enabled=job.precision == "bf16"):
            return fitted(method, setting, job.method)
    except PluginFault as fault:
        if not isinstance(fault.__cause__, torch.OutOfMemoryError):
            raise
        message = f"{fault}; smaller settings may fit, e.g. --set budget.batch_size=64"
        raise FitEnded(Fault(message=message, images=portions.largest)) from fault


def _setting(job: Job, folder: Path, group: ProcessGroup | None) -> Setting:
    device = torch.device(job.device)
    teachers = {modality: load_teacher(path).to(device) for modality, path in job.teachers.items()}
    for teacher in teachers.values():
        compiled(teacher.network.backbone)
    return Setting(
        method=job.method.label,
        budget=job.budget,
        photo_teacher=teachers["photo"],
        sketch_teacher=teachers["sketch"],
        image_size=job.image_size,
        device=device,
        seed=job.seed,
        artefacts=Artefacts(folder),
        loops=Loops(
            (job.leader or folder) / TRAINING_FOLDER,
            _origin(job),
            job.checkpoint_seconds,
            TrainingLoop if group is None else loops_of(group),
        ),
        supplies=provide(job.method.needs, Files(job.supplies, job.arrays, job.pairs), device),
    )


def _origin(job: Job) -> dict[str, str | int]:
    """Everything that must be unchanged for a resumed fit to give the same results."""
    return {
        "fit": job.fit_id,
        "plugin": f"{job.method.plugin} {job.method.plugin_version}",
        **{str(offer): offer.version for offer in job.networks},
        "dfbench": __version__,
        "torch": str(torch.__version__),
        "threads": job.threads,
        "devices": job.devices,
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


def _embed(
    representations: dict[str, Encoders], job: Job, folder: Path, group: ProcessGroup | None
) -> None:
    """Store the embeddings of all test images; each process computes its share."""
    images = _test_images(job, folder, group)
    device = torch.device(job.device)
    orders = {modality: _order(some, device) for modality, some in images.items()}
    arranged = {m: joined([(images[m], order.numpy())]) for m, order in orders.items()}
    for name, representation in representations.items():
        embeddings: dict[str, Tensor] = {}
        for modality in MODALITIES:
            encoder, some = getattr(representation, modality), arranged[modality]
            rows = group.rows(len(some)) if group and len(some) >= group.size else None
            part = embedded(encoder, some, job.method, device, modality, rows)
            found = _together(part, len(some), job, group) if rows else part
            embeddings[modality] = torch.empty_like(found)
            embeddings[modality][orders[modality]] = found
        if job.leader is None:
            with atomic_path(embeddings_file(folder, name)) as temporary:
                temporary.write_bytes(save(embeddings))


def _order(images: ImageArray, device: torch.device) -> Tensor:
    """`[N]`, the order in which images are embedded: on a CPU sorted by content.

    On a CPU the last bits of an embedding depend on its position in a batch, and a repeated run,
    whose images arrive in another order, must give the same bits.
    """
    if device.type != "cpu":
        return torch.arange(len(images))
    size = batch_of(images.shape[-1])
    keys = [
        blake2b(image.tobytes(), digest_size=16).digest()
        for start in range(0, len(images), size)
        for image in images[start : start + size]
    ]
    return torch.tensor(sorted(range(len(keys)), key=keys.__getitem__), dtype=torch.int64)


def _together(part: Tensor, count: int, job: Job, group: ProcessGroup | None) -> Tensor:
    """The embeddings `[count, D]` of all processes. Raises `PluginFault` if D differs."""
    if group is None:
        return part
    if group.total(part.shape[1]) != group.size * part.shape[1]:
        raise PluginFault(
            f"method {job.method.label!r}: its embeddings differ in width from batch to batch; "
            "allowed: one width D"
        )
    return group.gather(part, count)


def _test_images(job: Job, folder: Path, group: ProcessGroup | None) -> dict[Modality, ImageArray]:
    """The test images; the leader requests them once all processes have fitted."""
    if group is None:
        return awaited_images(folder)
    if job.leader is None:
        images = awaited_images(folder)
        group.wait()
        return images
    group.wait()
    return {modality: shared_images(job.leader, modality) for modality in MODALITIES}
