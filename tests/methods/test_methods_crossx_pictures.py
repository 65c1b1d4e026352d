"""What a game leaves to be looked at: curves and pictures."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from crossx_bench import CLASSES, images, quick, tiny_setting
from dfbench_baselines import pictures
from dfbench_baselines.crossx import CrossX
from dfbench_baselines.health import curves, diversity
from dfbench_baselines.pair_estimators import Estimate
from dfbench_baselines.pictures import save_hardest_pairs, save_pairs_by_class
from PIL import Image

from dfbench.artefacts import Artefacts
from dfbench.learning import loop
from dfbench.learning.pool import Pairs
from dfbench.method import Setting
from dfbench.modality import MODALITIES

GREEN, RED = (20, 140, 60), (200, 50, 40)


def test_diversity_is_the_mean_cosine_distance_within_classes() -> None:
    h = torch.tensor([[1.0, 0.0], [0.0, 2.0], [3.0, 0.0], [1.0, 0.0]])
    assert diversity(h, torch.tensor([0, 0, 1, 1])).item() == pytest.approx(0.5)
    assert diversity(h[[0, 2, 3]], torch.tensor([1, 1, 1])).item() == pytest.approx(0, abs=1e-6)
    assert diversity(h, torch.arange(4)).isnan()


def test_curves_hold_the_losses_and_four_signs_of_health() -> None:
    p, q = torch.tensor([[0.9, 0.1], [0.7, 0.3]]), torch.tensor([[0.6, 0.4], [0.2, 0.8]])
    h, losses = torch.tensor([[1.0, 0.0], [0.0, 1.0]]), {"entropy": torch.tensor(-3.0)}
    watched = curves(Estimate(Pairs(images(2), images(2)), p, q, h, losses))
    expected = {"agreement": 0.5, "rarest class": 0.4, "certainty": 0.8, "diversity": 1.0}
    assert watched == pytest.approx({"entropy": -3.0, **expected})


def _decided(place: Path, photo: list[int], sketch: list[int]) -> Any:
    """A setting whose teachers decide for given classes."""
    decisions = {"photo": photo, "sketch": sketch}

    def label(modality: str, shown: torch.Tensor) -> torch.Tensor:
        assert len(shown) == len(decisions[modality])
        return 0.9 * torch.eye(3)[decisions[modality]] + 0.1 / 3

    return SimpleNamespace(classes=CLASSES, label=label, artefacts=Artefacts(place))


def test_sketch_is_framed_by_whether_its_teacher_decides_like_the_photos(tmp_path: Path) -> None:
    setting = _decided(tmp_path, [2, 0, 0], [2, 0, 1])
    save_pairs_by_class(setting, Pairs(images(3), images(3)))
    with Image.open(tmp_path / "pictures" / "generated-pairs.png") as sheet:
        corner = {
            (line, column): sheet.getpixel((96 + 56 * column, 56 * line))
            for line in range(6)
            for column in range(3)
        }
    assert (corner[1, 0], corner[1, 1], corner[5, 0]) == (GREEN, RED, GREEN)
    framed = [place for place, colour in corner.items() if colour in (GREEN, RED)]
    assert sorted(framed) == [(1, 0), (1, 1), (5, 0)]


def test_hardest_pair_of_each_class_is_told_with_the_percentages_of_both(tmp_path: Path) -> None:
    setting = _decided(tmp_path, [2, 0, 0], [2, 0, 0])
    logits = torch.tensor([[0.0, 0, 5], [5, 0, 0], [0, 5, 0]])
    students: Any = SimpleNamespace(eval=lambda: None, classify=lambda *_: logits)
    save_hardest_pairs(setting, students, Pairs(images(3), images(3)))
    told = json.loads((tmp_path / "pictures" / "hardest-pairs.json").read_text(encoding="utf-8"))
    assert [max(pair["photo"]["teacher"], key=pair["photo"]["teacher"].get) for pair in told] == [
        "a",
        "c",
    ]
    wrong = told[0]["sketch"]
    assert wrong["teacher"] == {"a": 93.3, "b": 3.3, "c": 3.3}
    assert wrong["student"]["b"] == pytest.approx(98.7, abs=0.1)


def test_game_leaves_pairs_and_two_pictures_with_the_percentages_of_both(tmp_path: Path) -> None:
    CrossX(quick()).fit(tiny_setting(tmp_path))
    assert (tmp_path / "pairs.safetensors").exists()
    folder = tmp_path / "pictures"
    for name in ("generated-pairs", "hardest-pairs"):
        with Image.open(folder / f"{name}.png") as picture:
            assert picture.getextrema() != ((255, 255),) * 3
    told = json.loads((folder / "hardest-pairs.json").read_text(encoding="utf-8"))
    assert told[0].keys() == {"photo", "sketch"}
    for who in ("teacher", "student"):
        shares = told[0]["photo"][who]
        assert shares.keys() == set(CLASSES)
        assert sum(shares.values()) == pytest.approx(100, abs=0.5)


def test_pictures_during_a_game_change_no_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[int] = []

    def counted(setting: Setting, pairs: Pairs) -> None:
        drawn.append(len(pairs))
        save_pairs_by_class(setting, pairs)

    monkeypatch.setattr(loop, "_SHOW_SECONDS", 0.0)
    monkeypatch.setattr(pictures, "save_pairs_by_class", counted)
    with_pictures = CrossX(quick()).fit(tiny_setting(tmp_path / "with"))
    assert len(drawn) > 1  # before the last one, which every game leaves
    monkeypatch.setattr(pictures, "save_pairs_by_class", lambda *_: None)
    without = CrossX(quick()).fit(tiny_setting(tmp_path / "without"))
    for modality in MODALITIES:
        weights = getattr(with_pictures, modality).state_dict()
        others = getattr(without, modality).state_dict()
        assert all(torch.equal(weights[name], others[name]) for name in weights)
