"""What a method declares, receives and returns: the contract of every row of the table."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from typing import Any, ClassVar, Literal

import torch
from pydantic import BaseModel, ConfigDict
from torch import Tensor, nn

from dfbench.artefacts import Artefacts
from dfbench.budget import Budget
from dfbench.errors import UndeclaredNeed
from dfbench.identity import derive_seed
from dfbench.learning.loop import Loops, Stateful, TrainingLoop
from dfbench.learning.objective import Objective, Space
from dfbench.learning.objectives.queue import QueueAndProxies
from dfbench.learning.pool import LabelledPairs, PairPool, Pairs
from dfbench.learning.students import Students
from dfbench.modality import Modality
from dfbench.need import Need
from dfbench.networks import Encoder, Encoders, Normaliser, Similarity, placed
from dfbench.networks.compilation import compiled
from dfbench.networks.placement import Network
from dfbench.scenarios.division import Situation
from dfbench.teachers.activations import ActivationRecords
from dfbench.teachers.teacher import Teacher

__all__ = ["Encoders", "Method", "MethodConfig", "Need", "Setting", "Similarity", "Situation"]

_LOG_EVERY = 10


class MethodConfig(BaseModel):
    """Base of a method's `Config`: frozen, typed, no unknown keys; a docstring under each field."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True
    )


class Setting:
    """Everything a method may touch: two frozen teachers, the budget, and the needs it declared.

    `classes` are those that either teacher knows, `common_classes` those that both know, sorted;
    classes that are queried and that no teacher knows are not told.
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
        loops: Loops,
        supplies: Mapping[Need, Any],
    ) -> None:
        self.method = method
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
        self._supplies = supplies
        self._columns: dict[tuple[str, ...], Tensor] = {}

    def teacher(self, modality: Modality) -> Teacher:
        """The frozen teacher of a modality."""
        return self.photo_teacher if modality == "photo" else self.sketch_teacher

    def normaliser(self, modality: Modality) -> Normaliser:
        """What images `[B, 3, H, W]` in [0, 1] go through before a modality's networks.

        That of its teacher: images of another size than the teacher was made for are resized to it.
        """
        normaliser = self.teacher(modality).network.normaliser
        if not isinstance(normaliser, Normaliser):
            raise TypeError("a teacher comes with the normaliser of its modality")
        return normaliser

    def posterior(self, modality: Modality, logits: Tensor) -> Tensor:
        """`[B, len(classes)]`: softmax of a teacher's logits, 0 for classes it does not know."""
        known = self.teacher(modality).classes
        if known not in self._columns:  # once: a table made on the host keeps a device waiting
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
        """`build()` with weights that depend on the run's seed and `name`, on the device.

        Compiled, if the run asks for that.
        """
        with self.seeded(name):
            module = build()
        return placed(compiled(module), self.device)

    def new_encoder(
        self, modality: Modality, init: Literal["teacher", "random"] | None = None
    ) -> Encoder:
        """A student as the budget prescribes it, on the device; `init` overrides its start.

        Its network, normaliser and input size are those of its teacher.

        Initialised from its own teacher (statistics of batch normalisation frozen, in training mode
        too) or randomly; the linear head is random in either case.
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
        """Both encoders as the budget prescribes, under an objective.

        The default is the metric loss that rows share. `choices` are keyword arguments of the
        objective (`pair_targets`, `queue_weight`, `proxy_weight` of the default); `encoder_init`
        overrides the budget's.
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
        """The budget's encoder steps, each on a batch that `draw` returns.

        Pairs without labels are labelled by the teachers, view by view. `state` is what `draw`
        changes (generators, pools); the students' own is added.
        """
        loop = self.loop("students", self.budget.steps, {**students.state(), **state})
        for _ in loop:
            losses = {"students": students.step(draw())}
            loop.watch(losses)
            loop.log(_LOG_EVERY, losses)

    def loop(self, description: str, steps: int, state: Mapping[str, Stateful]) -> TrainingLoop:
        """A training loop with progress and curves that resumes where a killed run stopped."""
        return self._loops.new(description, steps, state)

    @property
    def modality_classifier(self) -> nn.Module:
        """Maps images in [0, 1] to logits `[B]`, positive for sketches; frozen.

        Needs `Need.MODALITY_CLASSIFIER`.
        """
        classifier: nn.Module = self._supply(Need.MODALITY_CLASSIFIER)
        return classifier

    @property
    def leaky_modality_classifier(self) -> nn.Module:
        """As `modality_classifier`, but trained on the teachers' own training images.

        Needs `Need.LEAKY_MODALITY_CLASSIFIER`.
        """
        classifier: nn.Module = self._supply(Need.LEAKY_MODALITY_CLASSIFIER)
        return classifier

    def unified_teacher(self, modality: Modality) -> Teacher:
        """One teacher of photos and sketches behind a modality's normaliser, frozen.

        The weights are the same for both. Needs `UNIFIED_TEACHER`.
        """
        teacher: Teacher = self._supply(Need.UNIFIED_TEACHER)[modality]
        return teacher

    def initial_classifier(self, modality: Modality) -> Teacher:
        """The network that both teachers started from, behind a modality's normaliser, frozen.

        Its head is the one it learned other classes by: `classes` are the alternative ones or
        ImageNet's, none of `self.classes`. Needs `INITIAL_CLASSIFIER`.
        """
        classifier: Teacher = self._supply(Need.INITIAL_CLASSIFIER)[modality]
        return classifier

    def activation_records(self, modality: Modality) -> ActivationRecords:
        """Statistics of a teacher's features on its training images; needs `ACTIVATION_RECORDS`."""
        records: ActivationRecords = self._supply(Need.ACTIVATION_RECORDS)[modality]
        return records

    def generated_pairs(self) -> PairPool:
        """The pairs that the run of `Method.pairs_of` generated, on the device.

        Needs `GENERATED_PAIRS`.
        """
        pool: PairPool = self._supply(Need.GENERATED_PAIRS)
        return pool

    def alternative_images(self, modality: Modality) -> Tensor:
        """Unlabelled images of other classes, uint8 `[N, 3, H, W]`; needs `ALTERNATIVE_DATA`."""
        images: Tensor = self._supply(Need.ALTERNATIVE_DATA)[modality]
        return images

    def by_knowledge(self, known: nn.Module, unknown: nn.Module) -> nn.Module:
        """An encoder that embeds an image by `known` if its class is known, else by `unknown`.

        Known means to the teacher of the image's modality. The encoder gives both embeddings of one
        width and the harness, which has the labels, keeps one. Needs `KNOWN_CLASS_ORACLE`.
        """
        either: Callable[[nn.Module, nn.Module], nn.Module]
        either = self._supply(Need.KNOWN_CLASS_ORACLE)
        return either(known, unknown)

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
    """A row of the table: turns two teachers into a photo encoder and a sketch encoder.

    It is built as `Method(config)`, when a run is planned and in the process that fits. An
    `__init__` of its own passes `config` on to this one and derives all else from it.
    """

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

    @classmethod
    def pairs_of(cls, config: MethodConfig) -> str | None:
        """Label of the row whose pairs `Need.GENERATED_PAIRS` means, e.g. `crossx`.

        That row is run first, with the same data, teachers, budget and seed, and has to call
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
    def cannot(cls, config: MethodConfig, situation: Situation) -> str | None:
        """Why this row, thus configured, cannot run in a situation, in one line; None if it can.

        `overlap`: each teacher may know classes that the other does not. `unseen`: queries are of
        classes that no teacher knows. A suite skips such a run and tells the reason.
        """
        del config, situation
        return None

    @abstractmethod
    def fit(self, setting: Setting) -> Encoders:
        """Train (or merely combine) and return the two encoders."""
