"""Teachers made elsewhere: a checkpoint and what its owner says of it, checked and stored."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from dfbench.console import note
from dfbench.errors import InvalidInput
from dfbench.identity import identify
from dfbench.networks import Classifier, Normaliser
from dfbench.teachers.description import TeacherDescription
from dfbench.teachers.facts import IMPORTED, NetworkFacts, read_header
from dfbench.teachers.fitting import fit_weights, published_names, sort_classes
from dfbench.teachers.stored import checksum
from dfbench.teachers.teacher import Teacher
from dfbench.teachers.weights_file import read_checkpoint

IMPORT_VERSION = 1
"""Raised when the same checkpoint may become another teacher."""
_ASKED_BY = "dfbench teachers import"
_ENDINGS = (".safetensors", ".pth", ".pt", ".ckpt", ".bin", ".tar")
_PROBES = 16
_SAME = 1e-6
"""Relative spread of logits below which a network answers alike whatever it sees."""


def imported_teacher(
    file: Path, said: TeacherDescription, entry: str | None = None
) -> tuple[Teacher, NetworkFacts]:
    """The classifier of a checkpoint, frozen, on the CPU, and what its header is to say.

    Its outputs are put in the order of their classes' names, so that teachers whose owners had
    other orders agree. What the file holds and what of it is taken is noted before it is judged;
    `entry` names the part to take where several fit. Raises `InvalidInput` for weights that do not
    fit the description, and for a network whose answers are not finite or always the same;
    `UnknownName` for a network that nobody has.
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
    """A hash of what the teacher is: weights, normaliser, classes; not of where it came from."""
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
        held = f" (a folder; it holds {', '.join(inside[:5]) or 'no weights'})"
        raise InvalidInput(
            f"{_ASKED_BY}: no file {str(file)!r}{held if file.is_dir() else ''}; allowed: a "
            "safetensors file or a state dict written by torch.save"
        )
    header = read_header(file)
    if header is not None:
        raise InvalidInput(
            f"{_ASKED_BY}: {str(file)!r} holds a {header.facts.kind} that dfbench stored; use it "
            "as it is: dfbench run --photo-teacher FILE --sketch-teacher FILE"
        )


@torch.no_grad()
def _check_answers(teacher: Teacher, file: Path) -> None:
    probes = _probes(teacher.network.image_size)  # large images fit into memory one at a time
    logits = torch.cat([teacher(probe.unsqueeze(0)).logits for probe in probes])
    if not bool(logits.isfinite().all()):
        raise InvalidInput(
            f"{file.name}: its answers are not finite (NaN or infinite); check --network, --mean "
            "and --std"
        )
    if float(logits.std(dim=0).amax()) <= _SAME * float(logits.abs().amax()):
        raise InvalidInput(
            f"{file.name}: it answers alike whatever image it sees; check --network, --mean and "
            "--std"
        )


def _probes(size: int) -> Tensor:
    """Images `[B, 3, size, size]` of noise, coarse and fine, dark and light."""
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(_PROBES, 3, 4, 4, generator=generator)
    shades = torch.nn.functional.interpolate(coarse, (size, size), mode="nearest")
    fine = torch.rand(_PROBES, 3, size, size, generator=generator)
    share = torch.linspace(0, 1, _PROBES).view(-1, 1, 1, 1)
    return share * shades + (1 - share) * fine
