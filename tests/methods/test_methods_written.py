"""Rows whose score is no student's embedding can be exported too: they are chains of parts."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from dfbench_baselines.averaging import AveragingConfig, AveragingWeights
from dfbench_baselines.classifiers import (
    ClassifierLogits,
    ClassifierOnly,
    ClassifierPosterior,
    PosteriorConfig,
)
from toy import SIZE, toy_setting

from dfbench.method import Method
from dfbench.modality import MODALITIES
from dfbench.networks.chain import rebuilt, written

ROWS: list[Method] = [
    ClassifierOnly(ClassifierOnly.Config()),
    ClassifierLogits(ClassifierLogits.Config()),
    ClassifierPosterior(PosteriorConfig(temperature=3.0)),
    AveragingWeights(AveragingConfig(batch_norm="mixed")),
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_reading_of_teachers_is_the_chain_it_is_written_as(row: Method, tmp_path: Path) -> None:
    setting = toy_setting(tmp_path, photo=("across", "upright"), sketch=("cross", "upright"))
    encoders = row.fit(setting)
    images = torch.rand(5, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(0))
    for modality in MODALITIES:
        encoder = getattr(encoders, modality).eval()
        again = rebuilt(written(encoder), encoder.state_dict())
        assert torch.allclose(again(images), encoder(images), atol=1e-6)
