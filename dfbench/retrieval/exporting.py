"""Export of a run's encoders: safetensors, a card as JSON and as a page, and optionally ONNX."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from safetensors.torch import save
from torch import Tensor, nn

from dfbench.errors import InvalidInput
from dfbench.modality import MODALITIES
from dfbench.networks.chain import state_of
from dfbench.process.folder import ENCODERS_FILE
from dfbench.retrieval.card import CARD_FILE, Card, card_of
from dfbench.retrieval.loading import FoundRun, load, read_card
from dfbench.retrieval.model import RetrievalModel
from dfbench.retrieval.model_card import MODEL_CARD_FILE, model_card
from dfbench.system.files import check_writable, entries, writing

ONNX_FILES = {modality: f"{modality}.onnx" for modality in MODALITIES}
_PLACE = ".export-"
"""Prefix of the temporary export folder next to the target."""
_FILES = (ENCODERS_FILE, *ONNX_FILES.values(), MODEL_CARD_FILE, CARD_FILE)


@dataclass(frozen=True)
class Export:
    """A finished export."""

    folder: Path
    files: tuple[Path, ...]
    card: Card


def export(
    run: FoundRun,
    target: Path,
    *,
    representation: str = "",
    onnx: bool = False,
    licence: str | None = None,
) -> Export:
    """Write the encoders of a run to a folder for `dfbench.load`, replacing an earlier export.

    `representation` names another representation of them, e.g. `posterior`, instead of the main
    one. `licence` is the licence of the encoders' images, for the card. With `onnx`, `photo.onnx`
    and `sketch.onnx` map uint8 images `[N, 3, S, S]`, S being the size in the card, to the same
    embeddings.

    Raises `UnknownName` for a representation that the run does not have, `InvalidInput` for a
    folder with other contents, for encoders that cannot be loaded and,
    with `onnx`, if its libraries are missing or a network cannot be exported to ONNX.
    """
    if onnx:
        from dfbench.retrieval.onnx_file import check_installed

        check_installed()
    _check_target(target, run)
    model = load(run.folder, representation=representation)
    with writing(target):
        target.parent.mkdir(parents=True, exist_ok=True)
    with writing(target), TemporaryDirectory(prefix=_PLACE, dir=target.parent) as place:
        card = _write(model, run, Path(place), onnx=onnx, licence=licence)
        names = sorted(file.name for file in Path(place).iterdir())
        target.mkdir(exist_ok=True)
        (target / CARD_FILE).unlink(missing_ok=True)  # restored last, once the other files exist
        for name in {*_FILES, *names} - {CARD_FILE}:
            (target / name).unlink(missing_ok=True)
        for name in sorted(names, key=lambda name: name == CARD_FILE):
            (Path(place) / name).replace(target / name)
    return Export(target, tuple(target / name for name in names), card)


def _write(
    model: RetrievalModel, run: FoundRun, place: Path, *, onnx: bool, licence: str | None
) -> Card:
    """Write all files of an export to a new folder."""
    content = save(_state(model))
    (place / ENCODERS_FILE).write_bytes(content)
    if onnx:
        _write_onnx(model, place)
    earlier = read_card(run.folder) if (run.folder / CARD_FILE).is_file() else None
    checksum = blake2b(content, digest_size=16).hexdigest()
    about = model.about.model_copy(update={"representations": {}})
    card = card_of(about, run.record, checksum, licence)
    if earlier is not None:
        card = earlier.model_copy(
            update={"weights": checksum, "data_licence": licence or earlier.data_licence}
        )
    (place / MODEL_CARD_FILE).write_text(model_card(card), encoding="utf-8")
    (place / CARD_FILE).write_text(card.model_dump_json(indent=1) + "\n", encoding="utf-8")
    return card


def _state(model: RetrievalModel) -> dict[str, Tensor]:
    state = {}
    for modality in MODALITIES:
        encoder = model.encoders[modality]
        if not isinstance(encoder, nn.Sequential):
            raise TypeError("a loaded encoder must be a sequence of parts")
        for name, tensor in state_of(model.about.chains[modality], encoder).items():
            state[f"{modality}.{name}"] = tensor.clone(memory_format=torch.contiguous_format)
    return state


def _write_onnx(model: RetrievalModel, place: Path) -> None:
    from dfbench.retrieval.onnx_file import write_onnx

    for modality in MODALITIES:
        write_onnx(model.encoders[modality], model.about.image_size, place / ONNX_FILES[modality])


def _check_target(target: Path, run: FoundRun) -> None:
    """Raise `InvalidInput` or `FileFault` unless the folder is new, empty or an export."""
    if target.exists() and not target.is_dir():
        raise InvalidInput(f"{str(target)!r} is a file; allowed: a folder, with -o DIR")
    if target.is_dir() and target.resolve() == run.folder.resolve():
        raise InvalidInput(f"{str(target)!r} is the run itself; allowed: another folder, -o DIR")
    check_writable(target.with_name(f"{_PLACE}{target.name}"))
    check_writable(target / CARD_FILE)
    if entries(target) and not (target / CARD_FILE).is_file():
        raise InvalidInput(
            f"{str(target)!r} contains other files; allowed: a new or empty folder, or that of an "
            "earlier export, with -o DIR"
        )
