"""The contract of a method: what it declares, receives and returns."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from typing import Any, ClassVar, Literal

import torch
from pydantic import BaseModel, ConfigDict
from torch import Tensor

from dfbench.artefacts import Artefacts
from dfbench.budget import Budget
from dfbench.identity import derive_seed
from dfbench.learning.loop import Loops, Stateful, TrainingLoop
from dfbench.learning.objective import Objective, Space
from dfbench.learning.objectives.queue import QueueAndProxies
from dfbench.learning.pool import LabelledPairs, Pairs
from dfbench.learning.students import Students
from dfbench.modality import Modality
from dfbench.need import Need, ProvidedNeeds
from dfbench.networks import Encoder, Encoders, Normaliser, Similarity, placed
from dfbench.networks.placement import Network, compiled
from dfbench.scenarios.classes import ScenarioKind
from dfbench.teachers.teacher import Teacher

__all__ = ["Encoders", "Method", "MethodConfig", "Need", "ScenarioKind", "Setting", "Similarity"]

_LOG_EVERY = 10


class MethodConfig(BaseModel):
    """Base class of a method's `Config`: frozen, typed, no unknown keys, a docstring per field."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True
    )


class Setting(ProvidedNeeds):
    """Everything a method may use: two frozen teachers, the budget, and the needs it declared.

    `classes` are those known to at least one teacher, `common_classes` those known to both, sorted.
    Queried classes that no teacher knows are not disclosed.
    Random numbers come from `generator(name)`; modules are initialised inside `seeded(name)`. Both
    depend only on the run's seed and the name, and `generator` also on the method.
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
        loops: Loops,
        supplies: Mapping[Need, Any],
    ) -> None:
        super().__init__(method, supplies)
        self.budget = budget
        self.photo_teacher = photo_teacher
        self.sketch_teacher = sketch_teacher
        self.classes = tuple(sorted({*photo_teacher.classes, *sketch_teacher.classes}))
        self.common_classes = tuple(sorted({*photo_teacher.classes} & {*sketch_teacher.classes}))
        self.image_size = image_size
        self.device = device
        self.seed = seed
        self.artefacts = artefacts
        self._loops = loops
        self._columns: dict[tuple[str, ...], Tensor] = {}

    def teacher(self, modality: Modality) -> Teacher:
        """The frozen teacher of a modality."""
        return self.photo_teacher if modality == "photo" else self.sketch_teacher

    def normaliser(self, modality: Modality) -> Normaliser:
        """The normaliser applied to images `[B, 3, H, W]` in [0, 1] before a modality's networks.

        It is that of the teacher, and resizes images to the teacher's input size.
        """
        normaliser = self.teacher(modality).network.normaliser
        if not isinstance(normaliser, Normaliser):
            raise TypeError("a teacher has the normaliser of its modality")
        return normaliser

    def posterior(self, modality: Modality, logits: Tensor) -> Tensor:
        """`[B, len(classes)]`: softmax of a teacher's logits, 0 for classes it does not know."""
        known = self.teacher(modality).classes
        if known not in self._columns:  # once: copying a table from the host stalls the device
            columns = [self.classes.index(name) for name in known]
            self._columns[known] = torch.tensor(columns, device=logits.device)
        index = self._columns[known].expand(len(logits), -1)
        union = logits.new_zeros(len(logits), len(self.classes))
        return union.scatter(1, index, logits.softmax(dim=1))

    @torch.no_grad()
    def label(self, modality: Modality, images: Tensor) -> Tensor:
        """`[B, len(classes)]`: the teacher's posterior of images in [0, 1], without gradient."""
        return self.posterior(modality, self.teacher(modality)(images).logits)

    def generator(self, name: str) -> torch.Generator:
        """A random generator on the device, determined by the method, `name` and the run's seed."""
        seed = derive_seed(self.method, name, self.seed)
        return torch.Generator(self.device).manual_seed(seed)

    @contextmanager
    def seeded(self, name: str) -> Iterator[None]:
        """Seed torch's global generator from the run's seed and `name` inside the block."""
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(derive_seed(name, self.seed))
            yield

    def new_module(self, name: str, build: Callable[[], Network]) -> Network:
        """`build()` with weights that depend on the run's seed and `name`, on the device.

        The module is compiled if the run asks for it.
        """
        with self.seeded(name):
            module = build()
        return placed(compiled(module), self.device)

    def new_encoder(
        self, modality: Modality, init: Literal["teacher", "random"] | None = None
    ) -> Encoder:
        """A student encoder built according to the budget, on the device.

        Its network, normaliser and input size are those of its teacher. It is initialised from that
        teacher (batch normalisation statistics frozen, in training mode too) or randomly; the
        linear head is always random. `init` overrides the budget's initialisation.
        """
        teacher = self.teacher(modality).network
        with self.seeded(f"{modality} encoder"):
            encoder = Encoder(
                teacher.network_name,
                deepcopy(self.normaliser(modality)),
                self.budget.embedding_dim,
                teacher.image_size,
            )
        if (init or self.budget.encoder_init) == "teacher":
            encoder.backbone.load_state_dict(teacher.backbone.state_dict())
            encoder.frozen_statistics = True
        compiled(encoder.backbone)
        return placed(encoder, self.device)

    def new_students(
        self,
        objective: Callable[..., Objective] = QueueAndProxies,
        *,
        encoder_init: Literal["teacher", "random"] | None = None,
        **choices: Any,
    ) -> Students:
        """Both student encoders, built according to the budget, with an objective.

        The default objective is the metric loss that methods share. `choices` are keyword arguments
        of the objective (for the default `pair_targets`, `queue_weight`, `proxy_weight`);
        `encoder_init` overrides the budget's.
        """
        photo = self.new_encoder("photo", encoder_init)
        sketch = self.new_encoder("sketch", encoder_init)
        feature_dims = (photo.backbone.feature_dim, sketch.backbone.feature_dim)
        exclusive = [i for i, c in enumerate(self.classes) if c not in self.common_classes]
        space = Space(len(self.classes), feature_dims, self.budget, tuple(exclusive))
        with self.seeded("proxies"):
            loss = objective(space, **choices).to(self.device)
        augmentation = self.generator("augmentation")
        return Students(photo, sketch, loss, self.label, self.budget, augmentation)

    def teach(
        self,
        students: Students,
        draw: Callable[[], Pairs | LabelledPairs],
        state: Mapping[str, Stateful],
    ) -> None:
        """Train the students for the budget's steps, each on a batch that `draw` returns.

        Unlabelled pairs are labelled by the teachers, each view by its own. `state` is the state
        that `draw` changes (generators, pools), for checkpoints; that of the students is added.
        """
        loop = self.loop("students", self.budget.steps, {**students.state(), **state})
        for _ in loop:
            losses = {"students": students.step(draw())}
            loop.watch(losses)
            loop.log(_LOG_EVERY, losses)

    def loop(self, description: str, steps: int, state: Mapping[str, Stateful]) -> TrainingLoop:
        """A training loop with progress and curves, which resumes from its last checkpoint."""
        return self._loops.new(description, steps, state)


class Method(ABC):
    """A method: builds a photo and a sketch encoder from two teachers.

    It is constructed as `Method(config)`, when a run is planned and again in the process that fits.
    A subclass's `__init__` must pass `config` to this one and derive everything else from it.
    """

    name: ClassVar[str]
    """Name for `--method`."""
    title: ClassVar[str]
    """Name in tables."""
    version: ClassVar[int]
    """Increased whenever the method's results may change; part of a run's identity."""
    Config: ClassVar[type[MethodConfig]] = MethodConfig
    """The method's settings, changed with `--set key=value`."""
    variants: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    """Variants, `name[variant]`, by the settings in which they differ from the default."""

    def __init__(self, config: MethodConfig) -> None:
        self.config = config

    @classmethod
    def needs(cls, config: MethodConfig) -> frozenset[Need]:
        """The inputs beyond the two teachers that the method uses with this configuration."""
        del config
        return frozenset()

    @classmethod
    def pairs_of(cls, config: MethodConfig) -> str | None:
        """Label of the method whose pairs `Need.GENERATED_PAIRS` provides, e.g. `crossx`.

        That method is run first, with the same data, teachers, budget and seed, and must call
        `setting.artefacts.save_pairs`.
        """
        del config
        return None

    @classmethod
    def trains(cls, config: MethodConfig) -> bool:
        """Whether this method, with this configuration, trains; tables list those apart that do.

        Not asked of a method whose `MethodSpec` has `trains=False`.
        """
        del config
        return True

    @classmethod
    def cannot(cls, config: MethodConfig, scenario: ScenarioKind) -> str | None:
        """Why the method cannot run in a kind of scenario, in one line; None if it can.

        `overlap`: each teacher may know classes that the other does not. `unseen`: queries are of
        classes that no teacher knows. A suite skips such runs and reports the reason.
        """
        del config, scenario
        return None

    @abstractmethod
    def fit(self, setting: Setting) -> Encoders:
        """Build the two encoders, with or without training, and return them."""
