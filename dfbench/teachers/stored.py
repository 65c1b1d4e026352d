"""Trained networks on disk: safetensors whose header says what they are; nothing executable."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import nn

from dfbench.datasets.dataset import Modality
from dfbench.errors import InvalidInput
from dfbench.files import atomic_path
from dfbench.networks import Classifier, ModalityNet, Normaliser, new_backbone, placed
from dfbench.teachers.teacher import Teacher


@dataclass(frozen=True)
class NetworkFacts:
    """What the header of a stored network says."""

    kind: str
    """`teacher`, `initialisation` or `modality classifier`."""
    network: str
    """Backbone, by name."""
    identity: str
    """Hash of everything that decided the weights."""
    seconds: float
    """Wall time of the training."""
    accuracy: float | None = None
    """Share of right decisions on held-out images, in [0, 1]; None where there are none."""
    modality: Modality | None = None
    classes: tuple[str, ...] = ()


def save_network(path: Path, network: nn.Module, facts: NetworkFacts) -> None:
    """Write weights and facts as one safetensors file, atomically."""
    weights = {
        name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()
    }
    with atomic_path(path) as temporary:
        temporary.write_bytes(save(weights, {"dfbench": json.dumps(asdict(facts))}))


def read_facts(path: Path) -> NetworkFacts | None:
    """The header of a stored network; None if there is no whole file of that name."""
    if not path.is_file():
        return None
    try:
        with safe_open(path, "pt") as file:
            content = json.loads(file.metadata()["dfbench"])
        return NetworkFacts(**{**content, "classes": tuple(content["classes"])})
    except (SafetensorError, KeyError, TypeError, ValueError):
        return None


def load_teacher(path: Path) -> Teacher:
    """A stored teacher, frozen, on the CPU."""
    facts = _facts(path)
    if facts.modality is None:
        raise InvalidInput(f"{path.name} holds a {facts.kind}; a teacher is needed")
    normaliser = Normaliser.of(facts.modality)
    network = Classifier(facts.network, normaliser, len(facts.classes))
    _load_weights(network, path)
    return Teacher(facts.modality, facts.classes, network)


def load_backbone(path: Path) -> nn.Module:
    """A stored initialisation, on the CPU."""
    network = new_backbone(_facts(path).network)
    _load_weights(network, path)
    return network


def load_modality_classifier(path: Path) -> ModalityNet:
    """A stored modality classifier, frozen, on the CPU."""
    network = ModalityNet()
    _load_weights(network, path)
    network.requires_grad_(False)
    return network.eval()


def _facts(path: Path) -> NetworkFacts:
    facts = read_facts(path)
    if facts is None:
        raise InvalidInput(f"not a network that dfbench stored: {path.name}")
    return facts


def _load_weights(network: nn.Module, path: Path) -> None:
    with safe_open(path, "pt") as file:
        network.load_state_dict({name: file.get_tensor(name) for name in file.keys()})  # noqa: SIM118  # safe_open is no mapping
    placed(network, torch.device("cpu"))
