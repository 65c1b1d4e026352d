"""The open-set posterior: its arithmetic, its limits, and its bound."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from dfbench_baselines.classifiers import ClassifierPosterior, PosteriorConfig
from dfbench_baselines.open_posterior import OpenPosterior, OpenPosteriorConfig
from rows import supplies
from torch import Tensor, nn
from toy import CLASSES, toy_images, toy_setting

from dfbench.errors import InvalidConfig, UndeclaredNeed
from dfbench.method import Encoders, Need
from dfbench.networks import OpenUnion
from dfbench.networks.chain import rebuilt, written

PHOTO, SKETCH = ("across", "cross"), ("cross", "upright")
OTHERS = {"photo": CLASSES.index("upright"), "sketch": CLASSES.index("across")}
ESTIMATES = ("max-posterior", "entropy")


def _images(modality: Any, count: int = 12) -> Tensor:
    return toy_images(modality, count, seed=5)[0].float() / 255


def _fit(place: Path, *, shared: bool = False, **config: Any) -> Encoders:
    classes = {} if shared else {"photo": PHOTO, "sketch": SKETCH}
    method = OpenPosterior(OpenPosteriorConfig(**config))
    declared = {need: supplies()[need] for need in method.needs(method.config)}
    return method.fit(toy_setting(place, declared, **classes))


def _rows(encoders: Encoders) -> dict[str, Tensor]:
    return {m: getattr(encoders, m)(_images(m)) for m in OTHERS}


@pytest.mark.parametrize("temperature", [1.0, 2.5])
@pytest.mark.parametrize("unknown", ESTIMATES)
def test_with_equal_classes_it_is_the_posterior_to_the_last_digit(
    tmp_path: Path, unknown: str, temperature: float
) -> None:
    own = _rows(_fit(tmp_path / "a", shared=True, unknown=unknown, temperature=temperature))
    config = PosteriorConfig(temperature=temperature)
    posterior = _rows(ClassifierPosterior(config).fit(toy_setting(tmp_path / "b")))
    assert all(torch.equal(own[m], posterior[m]) for m in OTHERS)


@pytest.mark.parametrize("unknown", ESTIMATES)
def test_rows_are_distributions_whose_share_of_the_others_is_u(
    tmp_path: Path, unknown: str
) -> None:
    encoders = _fit(tmp_path, unknown=unknown)
    for modality, rows in _rows(encoders).items():
        encoder: Any = getattr(encoders, modality)
        logits = encoder.teacher(_images(modality)).logits
        share = rows[:, OTHERS[modality]]
        assert torch.allclose(rows.sum(dim=1), torch.ones(len(rows)))
        assert torch.allclose(share, encoder.union.share(logits))
        own = rows[:, [i for i in range(3) if i != OTHERS[modality]]]
        assert torch.allclose(own, (1 - share[:, None]) * logits.softmax(dim=1), atol=1e-6)


@pytest.mark.parametrize(
    ("unknown", "logits", "share"),
    [
        ("max-posterior", [0.0, 0.0], 0.5),
        ("max-posterior", [50.0, 0.0], 0.0),
        ("entropy", [0.0, 0.0], 1.0),
        ("entropy", [50.0, 0.0], 0.0),
        ("entropy", [3.0], 0.0),
        ("max-posterior", [3.0], 0.0),
    ],
)
def test_estimates_of_the_unknown_share(unknown: Any, logits: list[float], share: float) -> None:
    part = OpenUnion(range(len(logits)), [len(logits)], len(logits) + 1, unknown=unknown)
    assert part.share(torch.tensor([logits])).item() == pytest.approx(share, abs=1e-6)


def test_several_unknown_classes_share_alike() -> None:
    part = OpenUnion((2, 0), (1, 3, 4), 5)
    (row,) = part(torch.zeros(1, 2))
    assert row.tolist() == pytest.approx([0.25, 0.5 / 3, 0.25, 0.5 / 3, 0.5 / 3])


def test_features_add_their_weighted_cosine_to_the_score(tmp_path: Path) -> None:
    plain, more = _rows(_fit(tmp_path / "a")), _rows(_fit(tmp_path / "b", features=0.3))
    setting = toy_setting(tmp_path / "c", photo=PHOTO, sketch=SKETCH)
    features = {m: setting.teacher(m)(_images(m)).features for m in OTHERS}  # type: ignore[arg-type]  # the two modalities
    cosine = nn.functional.cosine_similarity(features["sketch"], features["photo"])
    added = [(x["sketch"] * x["photo"]).sum(dim=1) for x in (more, plain)]
    assert torch.allclose(added[0] - added[1], 0.3 * cosine, atol=1e-5)


def test_features_of_different_widths_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    setting = toy_setting(tmp_path)
    backbone: Any = type(setting.photo_teacher.network.backbone)
    widths = iter((64, 32))
    monkeypatch.setattr(backbone, "feature_dim", property(lambda _: next(widths)), raising=False)
    monkeypatch.setattr(backbone, "__setattr__", nn.Module.__setattr__, raising=False)
    with pytest.raises(InvalidConfig, match="--set features=0"):
        OpenPosterior(OpenPosteriorConfig(features=0.3)).fit(setting)


@pytest.mark.parametrize("unknown", ESTIMATES)
def test_encoders_are_rebuilt_without_the_plugin(tmp_path: Path, unknown: str) -> None:
    encoder = _fit(tmp_path, unknown=unknown).sketch.eval()
    again = rebuilt(written(encoder), encoder.state_dict())
    assert torch.allclose(again(_images("sketch")), encoder(_images("sketch")), atol=1e-6)


def test_oracle_offers_both_embeddings_and_declares_its_need(tmp_path: Path) -> None:
    config = OpenPosteriorConfig(oracle=True)
    assert OpenPosterior.needs(config) == {Need.KNOWN_CLASS_ORACLE}
    assert not OpenPosterior.needs(OpenPosteriorConfig())
    for modality, rows in _rows(_fit(tmp_path, oracle=True)).items():
        known, unknown = rows.split(3, dim=1)
        assert not known[:, OTHERS[modality]].any()
        assert torch.allclose(known.sum(dim=1), torch.ones(len(rows)))
        assert torch.equal(unknown[:, OTHERS[modality]], torch.ones(len(rows)))
        assert torch.allclose(unknown.sum(dim=1), torch.ones(len(rows)))


def test_oracle_that_is_not_declared_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UndeclaredNeed, match="KNOWN_CLASS_ORACLE"):
        toy_setting(tmp_path).by_knowledge(nn.Identity(), nn.Identity())
