"""Methods can be exported in every representation: they are chains of parts."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from dfbench_baselines.adapted_posterior import AdaptedConfig, AdaptedPosterior
from dfbench_baselines.averaging import AveragingConfig, AveragingWeights
from dfbench_baselines.classifiers import (
    ClassifierLogits,
    ClassifierOnly,
    ClassifierPosterior,
    PosteriorConfig,
)
from dfbench_baselines.joint_posterior import JointPosterior
from dfbench_baselines.open_posterior import OpenPosterior, OpenPosteriorConfig
from rows import quick, supplies
from torch import Tensor, nn
from toy import SIZE, toy_setting

from dfbench.learning.objective import Objective, Space, View
from dfbench.method import Method
from dfbench.modality import MODALITIES, Modality
from dfbench.networks.chain import UnwrittenEncoder, beside, rebuilt, written, written_beside

ROWS: list[Method] = [
    ClassifierOnly(ClassifierOnly.Config()),
    ClassifierLogits(ClassifierLogits.Config()),
    ClassifierPosterior(PosteriorConfig(temperature=3.0)),
    AveragingWeights(AveragingConfig(batch_norm="mixed")),
    OpenPosterior(OpenPosteriorConfig(features=0.3)),
    JointPosterior(PosteriorConfig(temperature=2.0)),
    AdaptedPosterior(AdaptedConfig(estimator_steps=2, estimator_batch=8)),
]
IMAGES = torch.rand(5, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(0))
TRAINED = (
    *("averaging-weights[rebasin]", "unimodal-distillation[separate]", "gaussian-prior"),
    *("meta-data", "alternative-data", "crossx", "crossx[queue-only]", "crossx[proxy-only]"),
    *("siamese", "triplet[generated]", "mib", "quadruplet"),
)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_reading_of_teachers_is_the_chain_it_is_written_as(row: Method, tmp_path: Path) -> None:
    setting = toy_setting(tmp_path, photo=("across", "upright"), sketch=("cross", "upright"))
    encoders = row.fit(setting)
    for modality in MODALITIES:
        encoder = getattr(encoders, modality).eval()
        again = rebuilt(written(encoder), encoder.state_dict())
        assert torch.allclose(again(IMAGES), encoder(IMAGES), atol=1e-6)


@pytest.mark.parametrize("label", TRAINED)
def test_posterior_shares_its_networks_with_the_features(label: str, tmp_path: Path) -> None:
    encoders = quick(label).fit(toy_setting(tmp_path, supplies(), steps=2, batch_size=8))
    (posterior,) = encoders.representations.values()
    for modality in MODALITIES:
        main, encoder = getattr(encoders, modality), getattr(posterior, modality).eval()
        chain, own = written_beside(encoder, main)
        again = rebuilt(chain, beside(main.state_dict(), own))
        assert torch.allclose(again(IMAGES), encoder(IMAGES), atol=1e-6)
        assert torch.allclose(encoder(IMAGES).sum(dim=1), torch.ones(len(IMAGES)))
        kept = sum(tensor.numel() for tensor in own.values())
        assert 0 < kept < sum(tensor.numel() for tensor in main.state_dict().values()) / 10


class Squares(Objective):
    """Class logits that no linear layer computes."""

    def __init__(self, space: Space) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(space.budget.embedding_dim, space.class_count))

    def loss(self, photo: View, sketch: View) -> Tensor:
        raise NotImplementedError

    def classify(self, modality: Modality, embeddings: Tensor) -> Tensor:
        del modality
        return embeddings.square() @ self.weight


def test_posterior_that_is_not_linear_in_the_embeddings_is_refused(tmp_path: Path) -> None:
    encoders = toy_setting(tmp_path).new_students(Squares).encoders()
    with pytest.raises(UnwrittenEncoder, match="logits are not linear in the embeddings"):
        written_beside(encoders.representations["posterior"].photo, encoders.photo)
