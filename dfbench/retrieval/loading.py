"""`dfbench.load`: encoders from the folder of a run or of an export."""

from __future__ import annotations

import os
from collections.abc import Mapping
from hashlib import blake2b
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from torch import Tensor, nn

from dfbench.datasets.dataset import MODALITIES, Modality
from dfbench.errors import InvalidInput
from dfbench.evaluation.devices import chosen_device
from dfbench.file_errors import told_faults
from dfbench.files import read_file
from dfbench.model_file import read_model
from dfbench.networks import placed
from dfbench.networks.chain import Chain, rebuilt
from dfbench.retrieval.card import CARD_FILE, Card
from dfbench.retrieval.model import RetrievalModel
from dfbench.runs.job import ENCODERS_FILE
from dfbench.runs.written import WRITTEN_FILE, WrittenEncoders, read_written


@told_faults()
def load(path: str | os.PathLike[str], *, device: str = "cpu") -> RetrievalModel:
    """The encoders in the folder of an export or of a finished run; nothing in it is executed.

    `device` is `cpu`, `cuda` or `auto`. Neither plugin nor dataset is needed. Raises `InvalidInput`
    for another folder, for encoders that are no chain of dfbench's parts, for damaged ones, and for
    a device that is not there.
    """
    folder = Path(path)
    about, tensors = _contents(folder)
    if about.obstacle is not None:
        raise InvalidInput(
            f"the encoders of {about.method!r} in {str(folder)!r} cannot be rebuilt outside of "
            f"their run: {about.obstacle}; allowed: encoders of setting.new_encoder(), an "
            "nn.Sequential of dfbench's networks, or a module whose as_parts() returns such"
        )
    place = chosen_device(device)
    encoders: dict[Modality, nn.Module] = {}
    for modality in MODALITIES:
        state = {
            name.removeprefix(f"{modality}."): tensor
            for name, tensor in tensors.items()
            if name.startswith(f"{modality}.")
        }
        encoders[modality] = placed(_built(about.chains[modality], state, folder), place)
    return RetrievalModel(about, encoders, place)


def read_card(folder: Path) -> Card:
    """The card of an export. Raises `InvalidInput` if it is none that this version reads."""
    return read_model(
        Card,
        folder / CARD_FILE,
        "is no card of this version of dfbench",
        "export the run again: dfbench export --run ID",
    )


def _contents(folder: Path) -> tuple[WrittenEncoders, Mapping[str, Tensor]]:
    weights = folder / ENCODERS_FILE
    if (folder / CARD_FILE).is_file():
        card = read_card(folder)
        content = _bytes(weights)
        if blake2b(content, digest_size=16).hexdigest() != card.weights:
            raise InvalidInput(
                f"{str(weights)!r} is not the file that its card describes: copy the export again, "
                "or make it again: dfbench export --run ID"
            )
        return card.encoders, _tensors(weights, content)
    if (folder / WRITTEN_FILE).is_file():
        return read_written(folder / WRITTEN_FILE), _tensors(weights, _bytes(weights))
    if weights.is_file():
        raise InvalidInput(
            f"{str(folder)!r} holds encoders without {WRITTEN_FILE}, which says how they are "
            "built: an earlier dfbench made it, or its run has not ended; repeat the run with "
            "--force"
        )
    raise InvalidInput(
        f"no encoders in {str(folder)!r}; allowed: the folder of a finished run or of an export "
        "(dfbench export --run ID -o DIR)"
    )


def _bytes(file: Path) -> bytes:
    try:
        return read_file(file)
    except OSError as fault:
        raise InvalidInput(f"{str(file)!r} cannot be read ({fault.strerror or fault})") from fault


def _tensors(file: Path, content: bytes) -> Mapping[str, Tensor]:
    try:
        return load_tensors(content)
    except SafetensorError as fault:
        raise InvalidInput(
            f"{str(file)!r} is damaged ({fault}): copy it again, or repeat its run with --force"
        ) from fault


def _built(chain: Chain, state: Mapping[str, Tensor], folder: Path) -> nn.Module:
    try:
        return rebuilt(chain, state)
    except RuntimeError as fault:
        reason = " ".join(str(fault).split())
        raise InvalidInput(
            f"the tensors in {str(folder)!r} are not those of its encoders ({reason}); repeat its "
            "run with --force"
        ) from fault
