"""Import of external teachers: checking, measuring and storing a checkpoint."""

from __future__ import annotations

from dataclasses import replace
from math import sqrt
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from dfbench.class_names import normalised
from dfbench.datasets.folder.layout import image_files
from dfbench.datasets.images.decoding import decoded
from dfbench.datasets.images.picture import UnreadableImageError
from dfbench.errors import InvalidInput
from dfbench.identity import identify
from dfbench.learning.batches import to_unit
from dfbench.networks import Classifier, Normaliser
from dfbench.system.console import note, progress
from dfbench.teachers.class_list import TeacherDescription
from dfbench.teachers.facts import IMPORTED, NetworkFacts, read_header
from dfbench.teachers.stored import checksum
from dfbench.teachers.teacher import Teacher
from dfbench.teachers.weights.file import read_checkpoint
from dfbench.teachers.weights.fitting import fit_weights, published_names, sort_classes

_BATCH = 100


class Measurement(NamedTuple):
    """A teacher's accuracy on labelled images."""

    accuracy: float
    """In [0, 1]."""
    images: int
    classes: int
    """Number of the teacher's classes with images."""
    told_apart: int
    """Number of the teacher's classes, with or without images."""
    unknown: tuple[str, ...]
    """Folders that are not classes of the teacher, left out."""

    @property
    def no_better_than_chance(self) -> bool:
        """Whether the accuracy is at most two standard deviations above chance."""
        chance = 1 / self.told_apart
        return self.accuracy <= chance + 2 * sqrt(chance * (1 - chance) / self.images)


def measured(teacher: Teacher, folder: Path) -> Measurement:
    """Accuracy of a teacher on all images in a folder, resized to its input size.

    Classes are `FOLDER/<modality>/<class>` if `FOLDER/<modality>` exists, else `FOLDER/<class>`;
    names are compared after `dfbench.class_names.normalised`. Raises `InvalidInput` if there are no
    images of its classes or an image cannot be decoded.
    """
    files, unknown = _files(teacher, folder)
    hits = 0
    with progress("measuring", len(files)) as advance:
        for start in range(0, len(files), _BATCH):
            part = files[start : start + _BATCH]
            hits += _hits(teacher, part)
            advance(len(part))
    classes = len({label for _, label in files})
    return Measurement(hits / len(files), len(files), classes, len(teacher.classes), unknown)


def _files(teacher: Teacher, folder: Path) -> tuple[list[tuple[Path, int]], tuple[str, ...]]:
    own = folder / teacher.modality
    root = own if own.is_dir() else folder
    if not root.is_dir():
        raise InvalidInput(f"no folder {str(folder)!r}; allowed: a folder with <class>/*")
    label = {name: place for place, name in enumerate(teacher.classes)}
    files: list[tuple[Path, int]] = []
    unknown = []
    for entry in sorted(entry for entry in root.iterdir() if entry.is_dir()):
        place = label.get(normalised(entry.name))
        if place is None:
            unknown.append(entry.name)
        else:
            files += [(file, place) for file in image_files(entry)]
    if not files:
        raise InvalidInput(
            f"folder {str(root)!r} has no folder of the teacher's classes (it has: "
            f"{', '.join(unknown[:5]) or 'none'}; the teacher's classes: "
            f"{', '.join(teacher.classes[:5])}, ...); allowed: <class>/* with these names"
        )
    return files, tuple(unknown)


@torch.no_grad()
def _hits(teacher: Teacher, files: list[tuple[Path, int]]) -> int:
    labels = torch.tensor([label for _, label in files])
    logits = teacher(_batch([file for file, _ in files], teacher.network.image_size)).logits
    return int((logits.argmax(dim=1) == labels).sum())


def _batch(files: list[Path], size: int) -> Tensor:
    images = []
    for file in files:
        try:
            images.append(decoded(file, size))
        except UnreadableImageError as fault:
            raise InvalidInput(
                f"cannot read image {str(file)!r} ({fault}): repair or remove it"
            ) from fault
    return to_unit(torch.from_numpy(np.stack(images)))


IMPORT_VERSION = 1
"""Increased when the same checkpoint may result in a different teacher."""
_ASKED_BY = "dfbench teachers import"
_ENDINGS = (".safetensors", ".pth", ".pt", ".ckpt", ".bin", ".tar")
_PROBES = 16
_SAME = 1e-6
"""Relative spread of logits below which outputs count as constant."""


def imported_teacher(
    file: Path, said: TeacherDescription, entry: str | None = None
) -> tuple[Teacher, NetworkFacts]:
    """The classifier of a checkpoint, frozen, on the CPU, and the facts for its header.

    Its outputs are sorted by class name, so that the order in the checkpoint does not matter. The
    contents of the file and the part used are noted before the checks; `entry` selects the part if
    several fit. Raises `InvalidInput` for weights that do not fit the description, and for a
    network whose outputs are constant or not finite; `UnknownName` for an unknown network.
    """
    _check_foreign(file)
    normaliser = Normaliser(said.mean, said.std, said.image_size)
    network = Classifier(said.network, normaliser, len(said.classes), said.image_size)
    state = network.state_dict()
    wanted = {name: state[place] for name, place in published_names(network).items()}
    checkpoint = read_checkpoint(file, _ASKED_BY, wanted, entry)
    for line in checkpoint.notes:
        note(f"{file.name}: {line}")
    fit_weights(network, checkpoint.tensors, file.name)
    classes = sort_classes(network, said.classes)
    teacher = Teacher(said.modality, classes, network)
    _check_answers(teacher, file)
    facts = NetworkFacts(
        kind=IMPORTED,
        network=said.network,
        identity="",
        seconds=0.0,
        modality=said.modality,
        classes=classes,
        image_size=said.image_size,
        origin=file.name,
    )
    return teacher, replace(facts, identity=_identity(facts, network))


def _identity(facts: NetworkFacts, network: Classifier) -> str:
    """A hash of the teacher's weights, normaliser and classes, independent of its origin."""
    content = {
        "network": facts.network,
        "modality": facts.modality,
        "classes": list(facts.classes),
        "image size": facts.image_size,
        "tensors": checksum("", network.state_dict()),
    }
    return identify(IMPORTED, IMPORT_VERSION, content)


def _check_foreign(file: Path) -> None:
    if not file.is_file():
        inside = sorted(f.name for f in file.glob("*") if f.suffix in _ENDINGS)
        held = f" (a folder; it contains {', '.join(inside[:5]) or 'no weights'})"
        raise InvalidInput(
            f"{_ASKED_BY}: no file {str(file)!r}{held if file.is_dir() else ''}; allowed: a "
            "safetensors file or a state dict written by torch.save"
        )
    header = read_header(file)
    if header is not None:
        raise InvalidInput(
            f"{_ASKED_BY}: {str(file)!r} contains a {header.facts.kind} stored by dfbench; use it "
            "directly: dfbench run --photo-teacher FILE --sketch-teacher FILE"
        )


@torch.no_grad()
def _check_answers(teacher: Teacher, file: Path) -> None:
    probes = _probes(teacher.network.image_size)  # one at a time, to save memory
    logits = torch.cat([teacher(probe.unsqueeze(0)).logits for probe in probes])
    if not bool(logits.isfinite().all()):
        raise InvalidInput(
            f"{file.name}: its outputs are not finite (NaN or infinite); check --network, --mean "
            "and --std"
        )
    if float(logits.std(dim=0).amax()) <= _SAME * float(logits.abs().amax()):
        raise InvalidInput(
            f"{file.name}: its outputs are the same for all images; check --network, --mean and "
            "--std"
        )


def _probes(size: int) -> Tensor:
    """Images `[B, 3, size, size]` of coarse to fine noise."""
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(_PROBES, 3, 4, 4, generator=generator)
    shades = torch.nn.functional.interpolate(coarse, (size, size), mode="nearest")
    fine = torch.rand(_PROBES, 3, size, size, generator=generator)
    share = torch.linspace(0, 1, _PROBES).view(-1, 1, 1, 1)
    return share * shades + (1 - share) * fine
