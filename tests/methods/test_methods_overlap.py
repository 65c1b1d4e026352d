"""Rows under teachers that each know a class which the other does not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from rows import ROWS, quick, supplies
from toy import toy_images, toy_setting

from dfbench.budget import Budget
from dfbench.learning.metric_losses import soft_pair_targets
from dfbench.learning.objective import Space, View
from dfbench.learning.objectives.queue import QueueAndProxies
from dfbench.learning.students import Students

PHOTO, SKETCH = ("across", "cross"), ("cross", "upright")
SAME_CLASSES_ONLY = {"crossx[unified-teacher]", "crossx[released]"}


def _images(modality: Any) -> torch.Tensor:
    return toy_images(modality, 6, seed=5)[0].float() / 255


@pytest.mark.parametrize("label", sorted(ROWS.keys() - SAME_CLASSES_ONLY))
def test_every_row_runs_on_partly_known_classes(label: str, tmp_path: Path) -> None:
    method = quick(label)
    assert method.cannot(method.config, "overlap") is None
    declared = {need: supplies(PHOTO, SKETCH)[need] for need in method.needs(method.config)}
    setting = toy_setting(tmp_path, declared, photo=PHOTO, sketch=SKETCH, steps=3, batch_size=8)
    encoders = method.fit(setting)
    for representation in (encoders, *encoders.representations.values()):
        photos, sketches = (
            representation.photo(_images("photo")),
            representation.sketch(_images("sketch")),
        )
        assert photos.isfinite().all()
        assert sketches.isfinite().all()
        assert photos.shape == sketches.shape


@pytest.mark.parametrize("label", sorted(ROWS))
def test_rows_that_need_the_same_classes_say_so_and_no_others(label: str) -> None:
    method = quick(label)
    reasons = {s: method.cannot(method.config, s) for s in ("closed", "overlap", "unseen")}
    refused = {scenario for scenario, reason in reasons.items() if reason is not None}
    assert refused == ({"overlap"} if label in SAME_CLASSES_ONLY else set())
    assert all("\n" not in reason for reason in reasons.values() if reason)


def _view(posteriors: list[list[float]]) -> View:
    embeddings = torch.eye(4)[: len(posteriors)].requires_grad_()
    return View(embeddings, embeddings, embeddings, torch.tensor(posteriors))


def _contrast(exclusive: tuple[int, ...], p: list[list[float]], q: list[list[float]]) -> float:
    budget = Budget(embedding_dim=4, queue_size=0)
    torch.manual_seed(0)
    objective = QueueAndProxies(Space(3, (4, 4), budget, exclusive))
    both = objective.loss(_view(p), _view(q)).item()
    proxies = objective.proxies.loss(_view(p).embeddings, _view(p).posteriors)
    proxies = proxies + objective.proxies.loss(_view(q).embeddings, _view(q).posteriors)
    return both - proxies.item()


def test_an_image_of_a_class_that_one_teacher_knows_has_no_positive() -> None:
    p, q = [[0.9, 0.1, 0.0]], [[0.0, 0.1, 0.9]]
    assert soft_pair_targets(torch.tensor(p), torch.tensor(q)).item() == pytest.approx(1, abs=1e-5)
    shared = [0.0, 1.0, 0.0]
    pairs = ([*p, shared], [*q, shared])
    assert _contrast((), *pairs) > _contrast((0, 2), *pairs) + 1
    alone = _contrast((0, 2), p, q)
    assert alone == pytest.approx(0, abs=1e-5)


def test_a_setting_tells_its_objective_which_classes_one_teacher_knows(tmp_path: Path) -> None:
    def exclusive(students: Students) -> list[int]:
        assert isinstance(students.objective, QueueAndProxies)
        return students.objective.exclusive.tolist()

    assert exclusive(toy_setting(tmp_path, photo=PHOTO, sketch=SKETCH).new_students()) == [0, 2]
    assert exclusive(toy_setting(tmp_path).new_students()) == []


def test_common_classes_are_those_that_both_teachers_know(tmp_path: Path) -> None:
    setting = toy_setting(tmp_path, photo=PHOTO, sketch=SKETCH)
    assert setting.classes == ("across", "cross", "upright")
    assert setting.common_classes == ("cross",)
