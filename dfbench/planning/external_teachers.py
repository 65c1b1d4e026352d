"""External teachers determine a run's image size and which classes each teacher knows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from dfbench.class_names import normalised
from dfbench.datasets.alternative import images_of
from dfbench.datasets.dataset import Dataset, ImageSet
from dfbench.errors import InvalidInput
from dfbench.modality import MODALITIES, Modality
from dfbench.request import DataChoice, RunRequest
from dfbench.scenarios import CLOSED
from dfbench.scenarios.classes import ScenarioClasses, ScenarioKind
from dfbench.teachers.external import ExternalTeachers, known_classes, working_size

_FEWEST = 2
"""Fewest classes for a ranking to be able to err."""


def checked_choice(request: RunRequest, external: ExternalTeachers) -> DataChoice:
    """The data asked for, with the holdout and, from external teachers, the size left open.

    A folder is all test images if no teacher learns from it. Raises `InvalidInput` for what goes
    with external teachers alone, or not with them.
    """
    choice = request.data
    if not external:
        if choice.holdout == "all":
            raise InvalidInput(
                "--holdout all leaves no image to train teachers on; allowed with --photo-teacher "
                "and --sketch-teacher only"
            )
        return choice.model_copy(update={"holdout": choice.holdout or "fifth"})
    if request.train_teachers:
        raise InvalidInput(
            "--train-teachers cannot be combined with --photo-teacher and --sketch-teacher, which "
            "are already trained; allowed: either"
        )
    if request.scenario != CLOSED:
        raise InvalidInput(
            f"--scenario {request.scenario} cannot be combined with --photo-teacher and "
            "--sketch-teacher, whose class lists decide which classes they know; allowed: "
            "without --scenario"
        )
    usual = "all" if choice.kind == "folder" else "fifth"
    return choice.model_copy(
        update={
            "image_size": choice.image_size or working_size(external),
            "holdout": choice.holdout or usual,
        }
    )


def divided_by_knowledge(dataset: Dataset, external: ExternalTeachers) -> ScenarioClasses | None:
    """Which classes of a dataset the external teachers know, in the dataset's spelling.

    None if both know all, which includes a dataset without classes. Classes that neither knows are
    left out of queries and gallery. Raises `InvalidInput` if fewer than two remain, or if a teacher
    knows none of them.
    """
    known = [{normalised(name) for name in external[m].classes} for m in MODALITIES]
    by = {name: tuple(normalised(name) in names for names in known) for name in dataset.classes}

    def those(*who: bool) -> tuple[str, ...]:
        return tuple(sorted(name for name, knows in by.items() if knows == who))

    division = ScenarioClasses(those(True, True), those(True, False), those(False, True))
    if division.shared == dataset.classes:
        return None
    ignorant = [m for m in MODALITIES if not division.known(m)]
    if len(division.queried) < _FEWEST or ignorant:
        who = f"the {ignorant[0]} teacher knows 0" if ignorant else "the teachers know 1"
        some = ", ".join(sorted(known_classes(external))[:5])
        raise InvalidInput(
            f"{who} of the {len(dataset.classes)} classes of {dataset.name!r}; allowed: images of "
            f"two or more classes of the teachers, with some of each teacher ({some}, ...)"
        )
    return division


def scenario_kind_of(external: ExternalTeachers, division: ScenarioClasses | None) -> ScenarioKind:
    """The kind of scenario for a method: whether both teachers have the same classes."""
    differing = len({frozenset(facts.classes) for facts in external.values()}) > 1
    return "overlap" if differing else "closed" if division is None else division.scenario_kind


def notes_of(
    external: ExternalTeachers, dataset: Dataset, division: ScenarioClasses | None
) -> tuple[str, ...]:
    """Notes to the user about a run with external teachers, one line each."""
    lines = tuple(
        f"{modality} teacher: {facts.origin or facts.identity[:12]}, {facts.network}, "
        f"{len(facts.classes)} classes, input size {facts.image_size} px"
        for modality, facts in external.items()
    )
    lines += (f"classes of the external teachers: {_compared(external, dataset, division)}",)
    strange = sorted({*dataset.classes} - {*(division.queried if division else dataset.classes)})
    if strange:
        lines += (f"classes that no teacher knows, left out: {', '.join(strange)}",)
    return lines


def _compared(
    external: ExternalTeachers, dataset: Dataset, division: ScenarioClasses | None
) -> str:
    """Which classes each teacher knows: among the dataset's, or all if it has none."""
    photo, sketch = ({normalised(name) for name in external[m].classes} for m in MODALITIES)
    if division is None and dataset.classes:
        further = len(photo ^ sketch)
        beyond = f"; of other classes, {further} known to one teacher only" if further else ""
        return f"both know all {len(dataset.classes)} classes of {dataset.name!r}{beyond}"
    if division is None:
        division = ScenarioClasses(
            tuple(sorted(photo & sketch)),
            tuple(sorted(photo - sketch)),
            tuple(sorted(sketch - photo)),
        )
    return str(division)


def accuracies(
    external: ExternalTeachers,
    test_images: Mapping[Modality, ImageSet],
    network_file: Callable[[str], Path],
    device_name: str,
) -> dict[Modality, float]:
    """Accuracy of external teachers on the run's test images of the classes that they know.

    `network_file` maps an identity to the file of its network.
    """
    import torch  # imported here, so that looking up a finished run does not wait for it

    from dfbench.teachers.stored import load_teacher
    from dfbench.teachers.training import accuracy

    device = torch.device(device_name)
    shares: dict[Modality, float] = {}
    for modality, facts in external.items():
        places = {name: place for place, name in enumerate(facts.classes)}
        test = test_images[modality]
        known = tuple(name for name in test.classes if normalised(name) in places)
        images = images_of((test,), known)
        own = np.array([places[normalised(name)] for name in known], dtype=np.int64)
        teacher = load_teacher(network_file(facts.identity)).to(device)
        shares[modality] = accuracy(
            teacher.network, replace(images, labels=own[images.labels]), device
        )
    return shares
