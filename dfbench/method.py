"""What a method declares, receives and returns: the contract of every row of the table."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Any, ClassVar

import torch
from pydantic import BaseModel, ConfigDict
from torch import Tensor, nn

from dfbench.artefacts import Artefacts
from dfbench.budget import Budget
from dfbench.datasets.dataset import Modality
from dfbench.errors import UndeclaredNeed
from dfbench.learning.loop import Stateful, TrainingLoop
from dfbench.learning.metric import SharedProxies
from dfbench.learning.students import Students
from dfbench.networks import Encoder, Encoders, Normaliser, Similarity, placed
from dfbench.networks.placement import Network
from dfbench.seeds import derive_seed
from dfbench.teachers.teacher import Teacher

__all__ = ["Encoders", "Method", "MethodConfig", "Need", "Setting", "Similarity"]


class Need(StrEnum):
    """What a method may use beyond two frozen teachers; the table prints it beside the row."""

    MODALITY_CLASSIFIER = "modality classifier"
    """A photo-or-sketch classifier trained on alternative classes only."""
    ACTIVATION_RECORDS = "activation records"
    """Statistics of the teachers' activations, recorded on their training data."""
    ALTERNATIVE_DATA = "alternative data"
    """Unlabelled photos and sketches of other classes."""
    UNIFIED_TEACHER = "unified teacher"
    """One teacher trained on photos and sketches together."""
    GENERATED_PAIRS = "generated pairs"
    """The pairs that a finished run generated."""
    TRAINING_DATA = "training data"
    """The teachers' own training images and labels: a data-dependent reference."""


class MethodConfig(BaseModel):
    """Base of a method's `Config`: frozen, typed, no unknown keys; a docstring under each field."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True
    )


class Setting:
    """Everything a method may touch: two frozen teachers, the budget, and the needs it declared.

    Random numbers come from `generator(name)` and, for initialising modules, from within
    `seeded(name)`; both depend on the run's seed and the name only.
    """

    def __init__(
        self,
        *,
        method: str,
        budget: Budget,
        photo_teacher: Teacher,
        sketch_teacher: Teacher,
        image_size: int,
        device: torch.device,
        seed: int,
        artefacts: Artefacts,
        training_folder: Path,
        supplies: Mapping[Need, Any],
    ) -> None:
        self.method = method
        self.budget = budget
        self.photo_teacher = photo_teacher
        self.sketch_teacher = sketch_teacher
        self.classes = tuple(sorted({*photo_teacher.classes, *sketch_teacher.classes}))
        self.image_size = image_size
        self.device = device
        self.seed = seed
        self.artefacts = artefacts
        self._training_folder = training_folder
        self._supplies = supplies

    def teacher(self, modality: Modality) -> Teacher:
        """The frozen teacher of a modality."""
        return self.photo_teacher if modality == "photo" else self.sketch_teacher

    def posterior(self, modality: Modality, logits: Tensor) -> Tensor:
        """`[B, len(classes)]`: softmax of a teacher's logits, 0 for classes it does not know."""
        known = self.teacher(modality).classes
        columns = [self.classes.index(name) for name in known]
        union = logits.new_zeros(len(logits), len(self.classes))
        index = torch.tensor(columns, device=logits.device).expand(len(logits), -1)
        return union.scatter(1, index, logits.softmax(dim=1))

    @torch.no_grad()
    def label(self, modality: Modality, images: Tensor) -> Tensor:
        """`[B, len(classes)]`: the teacher's posterior of images in [0, 1], without gradient."""
        return self.posterior(modality, self.teacher(modality)(images).logits)

    def generator(self, name: str) -> torch.Generator:
        """A random generator on the device; fixed by the method, `name` and the run's seed."""
        seed = derive_seed(self.method, name, self.seed)
        return torch.Generator(self.device).manual_seed(seed)

    @contextmanager
    def seeded(self, name: str) -> Iterator[None]:
        """Make torch's global generator depend on the run's seed and `name` inside the block."""
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(derive_seed(name, self.seed))
            yield

    def new_module(self, name: str, build: Callable[[], Network]) -> Network:
        """`build()` with weights that depend on the run's seed and `name`, on the device."""
        with self.seeded(name):
            module = build()
        return placed(module, self.device)

    def new_encoder(self, modality: Modality) -> Encoder:
        """A student as the budget prescribes it, on the device.

        Initialised from its own teacher (statistics of batch normalisation frozen) or randomly;
        the linear head is random in either case.
        """
        teacher = self.teacher(modality).network
        with self.seeded(f"{modality} encoder"):
            encoder = Encoder(
                teacher.network_name, Normaliser.of(modality), self.budget.embedding_dim
            )
        if self.budget.encoder_init == "teacher":
            encoder.backbone.load_state_dict(teacher.backbone.state_dict())
            encoder.frozen_statistics = True
        return placed(encoder, self.device)

    def new_students(self, **choices: Any) -> Students:
        """Both encoders under the metric loss that all rows that train share.

        `choices` are the keyword arguments of `Students`: `pair_targets`, `queue_weight`,
        `proxy_weight`.
        """
        budget = self.budget
        with self.seeded("proxies"):
            proxies = SharedProxies(len(self.classes), budget.embedding_dim, budget.proxy_scale)
        return Students(
            self.new_encoder("photo"),
            self.new_encoder("sketch"),
            proxies.to(self.device),
            self.label,
            budget,
            self.generator("augmentation"),
            **choices,
        )

    def loop(self, description: str, steps: int, state: Mapping[str, Stateful]) -> TrainingLoop:
        """A training loop with progress and curves that resumes where a killed run stopped."""
        return TrainingLoop(description, steps, state, self._training_folder)

    @property
    def modality_classifier(self) -> nn.Module:
        """Maps images in [0, 1] to logits `[B]`, positive for sketches; frozen.

        Needs `Need.MODALITY_CLASSIFIER`.
        """
        classifier: nn.Module = self._supply(Need.MODALITY_CLASSIFIER)
        return classifier

    def alternative_images(self, modality: Modality) -> Tensor:
        """Unlabelled images of other classes, uint8 `[N, 3, H, W]`; needs `ALTERNATIVE_DATA`."""
        images: Tensor = self._supply(Need.ALTERNATIVE_DATA)[modality]
        return images

    def training_images(self, modality: Modality) -> tuple[Tensor, Tensor]:
        """A teacher's training images, uint8 `[N, 3, H, W]`, and labels; needs `TRAINING_DATA`.

        Labels `[N]` are indices into `classes`.
        """
        images, labels = self._supply(Need.TRAINING_DATA)[modality]
        return images, labels

    def _supply(self, need: Need) -> Any:
        if need not in self._supplies:
            raise UndeclaredNeed(
                f"method {self.method!r} asked for {need.value!r} without declaring it; "
                f"let its needs() return Need.{need.name}"
            )
        return self._supplies[need]


class Method(ABC):
    """A row of the table: turns two teachers into a photo encoder and a sketch encoder."""

    name: ClassVar[str]
    """What `--method` takes."""
    title: ClassVar[str]
    """The row's name in tables."""
    version: ClassVar[int]
    """Raised whenever the method's numbers may change; part of a run's identity."""
    Config: ClassVar[type[MethodConfig]] = MethodConfig
    """Settings of the method; `--set key=value` changes them."""
    variants: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    """Rows of their own, `name[variant]`, by the settings in which they differ from the default."""

    def __init__(self, config: MethodConfig) -> None:
        self.config = config

    @classmethod
    def needs(cls, config: MethodConfig) -> frozenset[Need]:
        """What this method uses beyond the two teachers, with this configuration."""
        del config
        return frozenset()

    @abstractmethod
    def fit(self, setting: Setting) -> Encoders:
        """Train (or merely combine) and return the two encoders."""
