"""Training of classifiers on labelled images: one-cycle SGD with random crops and flips."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from dfbench.datasets.dataset import ImageSet
from dfbench.errors import InvalidInput
from dfbench.learning.batches import crop_and_flip, image_batches, to_unit
from dfbench.learning.loop import descend, fused
from dfbench.modality import MODALITIES, Modality
from dfbench.networks import Backbone, Classifier, ModalityNet, Normaliser, placed
from dfbench.system.console import progress
from dfbench.teachers.recipe import TeacherRecipe

LossOfStep = Callable[[], Tensor]
_WARM_UP = 0.2
"""Fraction of steps in which the learning rate rises."""


def train_teacher(
    modality: Modality,
    data: ImageSet,
    recipe: TeacherRecipe,
    start: Backbone | None,
    seed: int,
    device: torch.device,
) -> Classifier:
    """A classifier trained on `data`; its backbone is initialised from `start`, if given."""
    torch.default_generator.manual_seed(seed)
    size = data.images.shape[-1]
    normaliser = normaliser_of(recipe, modality, start)
    network = Classifier(recipe.network, normaliser, len(data.classes), size)
    if start is not None:
        network.backbone.load_state_dict(start.state_dict())
    placed(network, device)
    batches = _training_batches(data, recipe.batch_size, seed, device)

    def loss() -> Tensor:
        images, labels = next(batches)
        return functional.cross_entropy(network(images), labels)

    _descend(f"{modality} teacher", network, loss, recipe.steps, recipe)
    return network


def normaliser_of(recipe: TeacherRecipe, modality: Modality, start: Backbone | None) -> Normaliser:
    """The normaliser of a modality, or that of the published weights for both modalities."""
    if recipe.pretrained and start is not None:
        return Normaliser(*start.published_normalisation)
    return Normaliser.of(modality)


def train_initialisation(
    data: dict[Modality, ImageSet], recipe: TeacherRecipe, seed: int, device: torch.device
) -> Classifier:
    """A classifier of alternative classes, trained on batches of half photos, half sketches.

    Its input is normalised by the normaliser of each modality.
    """
    steps = recipe.alternative_steps
    return _train_jointly("initialisation", data, recipe, None, steps, seed, device)


def train_unified_teacher(
    data: dict[Modality, ImageSet],
    recipe: TeacherRecipe,
    start: Backbone | None,
    seed: int,
    device: torch.device,
) -> Classifier:
    """One classifier of photos and sketches; batches are half photos, half sketches.

    Its input is normalised by the normaliser of each modality. Raises `InvalidInput` if the
    modalities have different classes.
    """
    if data["photo"].classes != data["sketch"].classes:
        raise InvalidInput(
            "a unified teacher needs photos and sketches of the same classes; the modalities of "
            "this dataset have different classes"
        )
    return _train_jointly("unified teacher", data, recipe, start, recipe.steps, seed, device)


def _train_jointly(
    name: str,
    data: dict[Modality, ImageSet],
    recipe: TeacherRecipe,
    start: Backbone | None,
    steps: int,
    seed: int,
    device: torch.device,
) -> Classifier:
    """A classifier without normaliser, for images normalised by modality."""
    torch.default_generator.manual_seed(seed)
    normalise = {m: normaliser_of(recipe, m, start).to(device) for m in MODALITIES}
    photos = data["photo"]
    size = photos.images.shape[-1]
    network = Classifier(recipe.network, nn.Identity(), len(photos.classes), size)
    if start is not None:
        network.backbone.load_state_dict(start.state_dict())
    placed(network, device)
    half = recipe.batch_size // 2
    batches = {m: _training_batches(data[m], half, seed, device) for m in MODALITIES}

    def loss() -> Tensor:
        drawn = [(normalise[m], *next(batches[m])) for m in MODALITIES]
        logits = network(torch.cat([norm(images) for norm, images, _ in drawn]))
        return functional.cross_entropy(logits, torch.cat([labels for *_, labels in drawn]))

    _descend(name, network, loss, steps, recipe)
    return network


def train_modality_classifier(
    data: dict[Modality, ImageSet], recipe: TeacherRecipe, seed: int, device: torch.device
) -> ModalityNet:
    """A classifier that separates photos from sketches, regardless of class."""
    torch.default_generator.manual_seed(seed)
    network = placed(ModalityNet(), device)
    half = recipe.batch_size // 2
    batches = {m: _training_batches(data[m], half, seed, device) for m in MODALITIES}

    def loss() -> Tensor:
        photos, sketches = (next(batches[m])[0] for m in MODALITIES)
        truth = torch.cat([photos.new_zeros(len(photos)), sketches.new_ones(len(sketches))])
        logits = network(torch.cat([photos, sketches]))
        return functional.binary_cross_entropy_with_logits(logits, truth)

    _descend("modality classifier", network, loss, recipe.modality_steps, recipe)
    return network


@torch.no_grad()
def accuracy(network: Callable[[Tensor], Tensor], data: ImageSet, device: torch.device) -> float:
    """Fraction of images whose largest logit is that of their class, in [0, 1]."""
    hits = 0
    for images, labels in image_batches(data, device):
        hits += int((network(images).argmax(dim=1) == labels).sum())
    return hits / len(data)


def _training_batches(
    data: ImageSet, size: int, seed: int, device: torch.device
) -> Iterator[tuple[Tensor, Tensor]]:
    """Endless augmented batches; an epoch is a random order without its last partial batch."""
    generator = torch.Generator(device).manual_seed(seed)
    labels = torch.from_numpy(np.array(data.labels)).to(device)
    size = min(size, len(data))
    while True:
        order = torch.randperm(len(data), generator=generator, device=device)
        # The host indexes images; copying the order once per epoch avoids a sync in every step.
        places = order.cpu().numpy()
        for start in range(0, len(data) - size + 1, size):
            rows = slice(start, start + size)
            images = _sent(torch.from_numpy(data.images[places[rows]]), device)
            yield crop_and_flip(to_unit(images), generator), labels[order[rows]]


def _sent(images: Tensor, device: torch.device) -> Tensor:
    """The images on the device; pinned memory makes the copy to a GPU asynchronous."""
    if device.type == "cuda":
        images = images.pin_memory()
    return images.to(device, non_blocking=True)


def _descend(
    name: str, network: nn.Module, loss_of_step: LossOfStep, steps: int, recipe: TeacherRecipe
) -> None:
    optimiser = torch.optim.SGD(
        network.parameters(),
        recipe.learning_rate,
        momentum=0.9,
        weight_decay=recipe.weight_decay,
        nesterov=True,
        fused=fused(network.parameters()),
    )
    total = max(steps, 2)
    if total * _WARM_UP == 1:
        total += 1  # OneCycleLR divides by zero if the warm-up is exactly one step
    cycle = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, recipe.learning_rate, total_steps=total, pct_start=_WARM_UP
    )
    network.train()
    with progress(name, steps) as advance:
        for _ in range(steps):
            descend(optimiser, loss_of_step())
            cycle.step()
            advance(1)
    network.eval()
