"""The folder and record of a run that nobody made: encoders of random weights."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import save_file
from synthetic import synthetic_record
from torch import nn

from dfbench.modality import MODALITIES, Modality
from dfbench.networks import Encoder, Normaliser
from dfbench.networks.chain import written
from dfbench.records.encoders_file import WrittenEncoders
from dfbench.records.record import Record
from dfbench.records.store import ResultStore, run_folder

SIZES: dict[Modality, int] = {"photo": 32, "sketch": 24}
"""Pixels that the networks were made for; images are of the larger size."""


def stand_in_encoder(modality: Modality, seed: int = 0) -> Encoder:
    """An encoder of random weights whose normalisation has seen some noise."""
    torch.manual_seed(seed)
    size = SIZES[modality]
    encoder = Encoder("resnet-tiny", Normaliser.of(modality, size), 16, size)
    for _ in range(3):
        encoder(torch.rand(8, 3, 32, 32))
    return encoder.eval()


def stand_in_run(
    place: Path, seed: int = 0, *, similarity: str = "cosine", obstacle: str | None = None
) -> tuple[Path, Record]:
    """The folder, below `place/runs`, and the record, in `place/results`, of a finished run."""
    record = synthetic_record(dataset="shapes", seed=seed)
    folder = run_folder(place / "runs", "shapes", "crossx", seed, record.fit_id)
    folder.mkdir(parents=True)
    encoders = nn.ModuleDict({m: stand_in_encoder(m, seed) for m in MODALITIES})
    state = encoders.state_dict()
    save_file({k: v.contiguous() for k, v in state.items()}, folder / "encoders.safetensors")
    about = WrittenEncoders(
        fit_id=record.fit_id,
        method="crossx",
        seed=seed,
        image_size=32,
        similarity=similarity,
        classes={"photo": ("cat", "dog"), "sketch": ("cat", "owl")},
        chains={} if obstacle else {m: written(encoders[m]) for m in MODALITIES},
        obstacle=obstacle,
    )
    (folder / "encoders.json").write_text(about.model_dump_json(), encoding="utf-8")
    ResultStore(place / "results").write(record)
    return folder, record
