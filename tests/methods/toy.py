"""Three classes of bars that a small network learns in seconds, as photos and as sketches."""

from __future__ import annotations

import json
from collections.abc import Mapping
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from dfbench.artefacts import Artefacts
from dfbench.budget import Budget
from dfbench.learning.loop import CHECKPOINT_SECONDS, Loops
from dfbench.method import Encoders, Need, Setting
from dfbench.modality import Modality
from dfbench.networks import Classifier, Normaliser
from dfbench.teachers.teacher import Teacher

CLASSES = ("across", "cross", "upright")
SIZE = 16
CPU = torch.device("cpu")
CHANCE = 1 / len(CLASSES)
"""map@all of a random order, nearly: every class has its third of the gallery."""


def toy_images(modality: Modality, count: int, seed: int) -> tuple[Tensor, Tensor]:
    """uint8 images `[count, 3, 16, 16]` with labels: a bar across, an upright one, or both."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % len(CLASSES)
    places = torch.randint(4, 11, (count, 2), generator=generator).tolist()
    ink = torch.zeros(count, 1, SIZE, SIZE)
    for image, label, (row, column) in zip(ink, labels.tolist(), places, strict=True):
        if CLASSES[label] != "upright":
            image[:, row : row + 2, 2:-2] = 1
        if CLASSES[label] != "across":
            image[:, 2:-2, column : column + 2] = 1
    noise = torch.rand(count, 3, SIZE, SIZE, generator=generator)
    if modality == "sketch":
        images = 1 - ink.expand(-1, 3, -1, -1) * (0.8 + 0.2 * noise)
    else:
        colours = torch.rand(count, 3, 1, 1, generator=generator)
        images = 0.4 * colours + 0.2 * noise + 0.4 * ink
    return (255 * images).to(torch.uint8), labels


@cache
def toy_teacher(modality: Modality, classes: tuple[str, ...] = CLASSES) -> Teacher:
    """A frozen classifier of `classes` after a few dozen steps, trained once for all tests."""
    images, labels = toy_images(modality, 240, seed=1)
    known = torch.tensor([name in classes for name in CLASSES])[labels]
    images = images[known].float() / 255
    targets = torch.tensor([classes.index(CLASSES[label]) for label in labels[known].tolist()])
    torch.manual_seed(0)
    network = Classifier("resnet-tiny", Normaliser.of(modality), len(classes), SIZE)
    optimiser = torch.optim.AdamW(network.parameters(), 3e-3)
    generator = torch.Generator().manual_seed(2)
    for _ in range(40):
        rows = torch.randint(len(images), (32,), generator=generator)
        optimiser.zero_grad()
        functional.cross_entropy(network(images[rows]), targets[rows]).backward()
        optimiser.step()
    return Teacher(modality, classes, network)


def toy_setting(
    place: Path,
    supplies: dict[Need, Any] | None = None,
    *,
    photo: tuple[str, ...] = CLASSES,
    sketch: tuple[str, ...] = CLASSES,
    device: torch.device = CPU,
    checkpoint_seconds: float = CHECKPOINT_SECONDS,
    **budget: object,
) -> Setting:
    """A setting of teachers of these classes with a budget of seconds."""
    return setting_of(
        place,
        deepcopy(toy_teacher("photo", photo)).to(device),
        deepcopy(toy_teacher("sketch", sketch)).to(device),
        supplies,
        device=device,
        checkpoint_seconds=checkpoint_seconds,
        **{"steps": 40, "batch_size": 24, "queue_size": 48, **budget},
    )


def setting_of(
    place: Path,
    photo: Teacher,
    sketch: Teacher,
    supplies: Mapping[Need, Any] | None = None,
    *,
    seed: int = 0,
    device: torch.device = CPU,
    checkpoint_seconds: float = CHECKPOINT_SECONDS,
    **budget: object,
) -> Setting:
    """A setting of two teachers with a budget of a moment."""
    choices = {"steps": 4, "batch_size": 8, "embedding_dim": 16, "queue_size": 20, **budget}
    return Setting(
        method="toy",
        budget=Budget.model_validate(choices),
        photo_teacher=photo,
        sketch_teacher=sketch,
        image_size=SIZE,
        device=device,
        seed=seed,
        artefacts=Artefacts(place),
        loops=Loops(place / "training", checkpoint_seconds=checkpoint_seconds),
        supplies=supplies or {},
    )


def untrained_teacher(
    modality: Modality, classes: tuple[str, ...], network: str = "resnet-tiny"
) -> Teacher:
    """A teacher with the weights that torch's global generator gives it."""
    normaliser = Normaliser.of(modality)
    return Teacher(modality, classes, Classifier(network, normaliser, len(classes), SIZE))


@torch.no_grad()
def toy_map(encoders: Encoders) -> float:
    """map@all of 60 sketches against 120 photos that nobody has seen."""
    photos, photo_labels = toy_images("photo", 120, seed=3)
    sketches, sketch_labels = toy_images("sketch", 60, seed=4)
    gallery = encoders.photo.eval()(photos.float() / 255)
    queries = encoders.sketch.eval()(sketches.float() / 255)
    order = (queries @ gallery.T).argsort(dim=1, descending=True)
    relevant = (photo_labels[order] == sketch_labels.unsqueeze(1)).float()
    precision = relevant.cumsum(dim=1) / torch.arange(1, len(photos) + 1)
    return float(((precision * relevant).sum(dim=1) / relevant.sum(dim=1)).mean())


def curve(place: Path, loop: str, name: str) -> list[float]:
    """A curve that a loop of the setting in `place` left."""
    curves = json.loads((place / "training" / f"{loop}.curves.json").read_text())
    return [value for _, value in curves[name]]
