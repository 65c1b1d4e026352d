"""Trained networks on disk: safetensors files with facts in the header and no executable code."""

from __future__ import annotations

import json
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import asdict
from hashlib import blake2b
from math import prod
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from dfbench.errors import InvalidInput
from dfbench.modality import MODALITIES, Modality
from dfbench.networks import Backbone, Classifier, ModalityNet, Normaliser, new_backbone, placed
from dfbench.system.files import atomic_path
from dfbench.teachers.activations import ActivationRecords
from dfbench.teachers.facts import IMPORTED, TEACHER, Header, NetworkFacts, entry_of, read_header
from dfbench.teachers.teacher import Teacher

_ANY_SIZE = 32
"""Placeholder image size for networks that do not depend on it."""


def save_tensors(path: Path, tensors: Mapping[str, Tensor], facts: NetworkFacts) -> str:
    """Write named tensors and facts as one safetensors file, atomically; return its checksum."""
    content = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    header = json.dumps(asdict(facts))
    with atomic_path(path) as temporary:
        found = checksum(header, content)
        temporary.write_bytes(save(content, {"dfbench": header, "checksum": found}))
    return found


def read_facts(path: Path) -> NetworkFacts | None:
    """The facts of a stored network; None if the file is missing, damaged or not dfbench's."""
    header = read_whole(path)
    return None if header is None else header.facts


def read_whole(path: Path) -> Header | None:
    """The verified header of a stored network; None like `read_facts`."""
    header = read_header(path) if path.is_file() else None
    if header is None:
        return None
    try:
        whole = header.checksum == checksum(header.text, _tensors(path))
    except SafetensorError:
        return None
    return header if whole else None


def checksum(header: str, tensors: Mapping[str, Tensor]) -> str:
    """BLAKE2 of the facts and of all tensors with their names, types and shapes."""
    digest = blake2b(header.encode(), digest_size=16)
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f"{name} {tensor.dtype} {list(tensor.shape)}".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def load_teacher(path: Path) -> Teacher:
    """A stored teacher, frozen, on the CPU; it resizes images to its input size."""
    facts = _facts(path)
    if facts.modality is None or facts.kind not in (TEACHER, IMPORTED):
        raise InvalidInput(f"{path.name} contains a {facts.kind}; a teacher is required")
    network = _classifier(facts, Normaliser.of(facts.modality, facts.image_size))
    _load_weights(network, path)
    return Teacher(facts.modality, facts.classes, network)


def load_joint_classifier(path: Path) -> dict[Modality, Teacher]:
    """A stored classifier of both modalities, once per modality with its normaliser, on the CPU."""
    facts = _facts(path)
    network = _classifier(facts, nn.Identity())
    _load_weights(network, path)
    teachers: dict[Modality, Teacher] = {}
    for modality in MODALITIES:
        own = deepcopy(network)
        if not facts.pretrained:
            own.normaliser = Normaliser.of(modality)
        else:
            own.normaliser = Normaliser(*network.backbone.published_normalisation)
        teachers[modality] = Teacher(modality, facts.classes, own)
    return teachers


def load_backbone(path: Path) -> Backbone:
    """A stored initialisation, on the CPU."""
    facts = _facts(path)
    network = new_backbone(facts.network, facts.image_size or _ANY_SIZE)
    _load_weights(network, path)
    return network


def load_modality_classifier(path: Path) -> ModalityNet:
    """A stored modality classifier, frozen, on the CPU."""
    network = ModalityNet()
    _load_weights(network, path)
    network.requires_grad_(False)
    return network.eval()


def load_records(path: Path) -> ActivationRecords:
    """Stored activation records, on the CPU."""
    return ActivationRecords.from_tensors(_facts(path).classes, _tensors(path))


def _facts(path: Path) -> NetworkFacts:
    facts = read_facts(path)
    if facts is None:
        raise InvalidInput(f"not a network stored by dfbench: {path.name}")
    return facts


def _classifier(facts: NetworkFacts, normaliser: nn.Module) -> Classifier:
    return Classifier(facts.network, normaliser, len(facts.classes), facts.image_size or _ANY_SIZE)


def _load_weights(network: nn.Module, path: Path) -> None:
    network.load_state_dict(_tensors(path))
    placed(network, torch.device("cpu"))


def _tensors(path: Path) -> dict[str, Tensor]:
    with safe_open(path, "pt") as file:
        return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # safe_open is no mapping


_COUNTED = ("weight", "bias")


def shown(path: Path) -> dict[str, Any]:
    """All information on a stored network, as JSON: its facts, normaliser and size.

    Raises `InvalidInput` for a damaged file.
    """
    entry = entry_of(path)
    if entry is None or read_facts(path) is None:
        raise InvalidInput(
            f"{str(path)!r} is damaged; remove it (dfbench retrains networks that it trained)"
        )
    with safe_open(path, "np") as file:
        shapes = {name: file.get_slice(name).get_shape() for name in file.keys()}  # noqa: SIM118  # safe_open is no mapping
        normaliser = {
            name: file.get_tensor(f"normaliser.{name}").ravel().tolist()
            for name in ("mean", "std")
            if f"normaliser.{name}" in shapes
        }
    parameters = sum(
        prod(shape) for name, shape in shapes.items() if name.rpartition(".")[2] in _COUNTED
    )
    return {**entry.content, **normaliser, "parameters": parameters}
