"""`dfbench.load`, and the search for a run by name or identity."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher
from hashlib import blake2b
from itertools import takewhile
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from torch import Tensor, nn

from dfbench.defaults import chosen_plugins, chosen_plugins_folder
from dfbench.errors import InvalidInput, UnknownName, unknown_name
from dfbench.evaluation.ranking.devices import chosen_device
from dfbench.modality import MODALITIES, Modality
from dfbench.networks import placed
from dfbench.networks.chain import beside, networks_of, rebuilt
from dfbench.networks.parts import Chain
from dfbench.plugins.networks import register_networks
from dfbench.process.folder import ENCODERS_FILE, embeddings_file
from dfbench.records.encoders_file import (
    REPRESENTATIONS_FILE,
    WRITTEN_FILE,
    WrittenEncoders,
    read_written,
)
from dfbench.records.record import Record
from dfbench.records.state import several_runs
from dfbench.records.store import ResultStore, record_name, run_folder
from dfbench.retrieval.card import CARD_FILE, Card
from dfbench.retrieval.model import RetrievalModel
from dfbench.system.file_errors import told_faults
from dfbench.system.files import entries, read_file, read_model

_SHORTEST = 4
"""Fewest letters of an identity that select a run."""
_NEAREST = 5


@dataclass(frozen=True)
class FoundRun:
    """The folder of a run's encoders, and its record."""

    folder: Path
    record: Record | None
    """None for an export, and for a run without test images."""


def find_run(named: str, results: Path, runs: Path) -> FoundRun:
    """The run named by a prefix of its identity, by its folder or by an export.

    An identity is the `fit_id` or `eval_id` of a record, as in the names of files in `results` and
    folders in `runs`; these names are accepted too. Raises `UnknownName`, with the most similar
    names, and `InvalidInput` if several runs match or the encoders of a record are missing.
    """
    folder = Path(named)
    if (folder / CARD_FILE).is_file():
        return FoundRun(folder, None)
    known = _known(results, runs)
    if (folder / WRITTEN_FILE).is_file() or (folder / ENCODERS_FILE).is_file():
        return FoundRun(folder, known[folder.name].record if folder.name in known else None)
    found = [run for name, run in known.items() if _means(named, name, run)]
    if not found:
        raise _unknown(named, known, results, runs)
    if len(found) > 1:
        raise several_runs(named, [run.folder for run in found])
    (run,) = found
    if not (run.folder / ENCODERS_FILE).is_file():
        raise InvalidInput(
            f"run {run.folder.name!r} has no encoders in {str(run.folder)!r}; set the folder of "
            "runs with --runs, or repeat the run with --force"
        )
    return run


def _known(results: Path, runs: Path) -> dict[str, FoundRun]:
    """Runs by folder name, with or without a record."""
    known = {}
    for dataset in entries(runs):
        for folder in entries(dataset) if dataset.is_dir() else ():
            if (folder / ENCODERS_FILE).is_file():
                known[folder.name] = FoundRun(folder, None)
    for record in ResultStore(results):
        name, label = record.data.name, record.method.label
        folder = run_folder(runs, name, label, record.seed, record.fit_id)
        known[folder.name] = FoundRun(folder, record)
    return known


def _means(named: str, name: str, run: FoundRun) -> bool:
    if len(named) < _SHORTEST:
        return False
    # Without a record only the first digits of the identity are known.
    shortened = run.record is None and named.startswith(name.rpartition("-")[2])
    return shortened or any(one.startswith(named) for one in _names(name, run))


def _names(name: str, run: FoundRun) -> tuple[str, ...]:
    """Names whose prefixes select a run: its identities, its folder, its record."""
    if run.record is None:
        return name.rpartition("-")[2], name
    return run.record.fit_id, run.record.eval_id, name, record_name(run.record)


def _unknown(named: str, known: dict[str, FoundRun], results: Path, runs: Path) -> UnknownName:
    likeness = {
        name: max(_likeness(named, one) for one in _names(name, run)) for name, run in known.items()
    }
    nearest = sorted(known, key=lambda name: (likeness[name], name), reverse=True)[:_NEAREST]
    return UnknownName(
        f"unknown run {named!r}; nearest: {', '.join(nearest) or 'none'}; allowed: the first "
        f"{_SHORTEST} or more letters of an identity, as in the file names in {str(results)!r} and "
        f"{str(runs)!r}, or the folder of a run or an export (see: --results, --runs)"
    )


def _likeness(named: str, name: str) -> tuple[int, float]:
    """Length of the common prefix of two names, then their similarity."""
    alike = takewhile(lambda pair: pair[0] == pair[1], zip(named, name, strict=False))
    common = sum(1 for _ in alike)
    return common, SequenceMatcher(None, named, name[: len(named)]).ratio()


@told_faults()
def load(
    path: str | os.PathLike[str], *, device: str = "cpu", representation: str = ""
) -> RetrievalModel:
    """The encoders in the folder of an export or a finished run, loaded without executing code.

    `device` is `cpu`, `cuda` or `auto`. Neither dataset nor plugin is needed, except an installed
    one whose network the encoders have. `representation` names another representation of a run,
    e.g. `posterior`, instead of the main one; an export has the one that it was made with. Raises
    `UnknownName` for a representation that the folder does not have, `InvalidInput`
    for any other folder, for damaged encoders or encoders that do not consist of dfbench's
    networks, and for an unavailable device.
    """
    folder = Path(path)
    about, tensors = _contents(folder, representation)
    if about.obstacle is not None:
        raise InvalidInput(
            f"the encoders of {about.label!r} in {str(folder)!r} cannot be rebuilt outside their "
            f"run: {about.obstacle}; allowed: encoders of setting.new_encoder(), an "
            "nn.Sequential of dfbench's networks, or a module whose as_parts() returns one"
        )
    register_networks(
        {name for chain in about.chains.values() for name in networks_of(chain)},
        chosen_plugins(folder=chosen_plugins_folder()),
    )
    place = chosen_device(device)
    encoders: dict[Modality, nn.Module] = {}
    for modality in MODALITIES:
        state = _below(f"{modality}.", tensors)
        encoders[modality] = placed(_built(about.chains[modality], state, folder), place)
    return RetrievalModel(about, encoders, place)


def read_card(folder: Path) -> Card:
    """The card of an export. Raises `InvalidInput` if this version cannot read it."""
    return read_model(
        Card,
        folder / CARD_FILE,
        "is not a card of this version of dfbench",
        "export the run again: dfbench export --run ID",
    )


def _contents(folder: Path, name: str) -> tuple[WrittenEncoders, Mapping[str, Tensor]]:
    """The description of a representation, and its tensors by modality and name."""
    weights = folder / ENCODERS_FILE
    if (folder / CARD_FILE).is_file():
        card = read_card(folder)
        content = _bytes(weights)
        if blake2b(content, digest_size=16).hexdigest() != card.weights:
            raise InvalidInput(
                f"{str(weights)!r} is not the file described by its card: copy the export again, "
                "or repeat it: dfbench export --run ID"
            )
        own = card.encoders.representation
        if name not in ("", own):
            raise unknown_name(
                "representation",
                name,
                {own} - {""},
                "export the run again: dfbench export --run ID --representation NAME",
            )
        return card.encoders, _tensors(weights, content)
    if (folder / WRITTEN_FILE).is_file():
        written, tensors = read_written(folder / WRITTEN_FILE), _tensors(weights, _bytes(weights))
        return _further(written, tensors, folder, name) if name else (written, tensors)
    if weights.is_file():
        raise InvalidInput(
            f"{str(folder)!r} has encoders without {WRITTEN_FILE}, which describes their "
            "architecture: it is from an earlier dfbench or an unfinished run; repeat the run with "
            "--force"
        )
    raise InvalidInput(
        f"no encoders in {str(folder)!r}; allowed: the folder of a finished run or of an export "
        "(dfbench export --run ID -o DIR)"
    )


def _further(
    written: WrittenEncoders, tensors: Mapping[str, Tensor], folder: Path, name: str
) -> tuple[WrittenEncoders, Mapping[str, Tensor]]:
    """A further representation of a run; see `_contents`."""
    found = written.representations.get(name)
    kept = {file.name for file in entries(folder)}
    if found is None and embeddings_file(folder, name).name in kept:
        raise InvalidInput(
            f"run {folder.name!r} was made by an earlier dfbench, which did not keep the networks "
            f"of representation {name!r}; allowed: its main representation, or repeat the run "
            "with --force"
        )
    if found is None:
        raise unknown_name(
            "representation", name, written.representations, "dfbench table --format json"
        )
    own: Mapping[str, Tensor] = {}
    if not found.obstacle:
        file = folder / REPRESENTATIONS_FILE
        own = _below(f"{name}.", _tensors(file, _bytes(file)))
    together = {
        f"{modality}.{place}": tensor
        for modality in MODALITIES
        for place, tensor in beside(
            _below(f"{modality}.", tensors), _below(f"{modality}.", own)
        ).items()
    }
    update = {
        "similarity": found.similarity,
        "chains": found.chains,
        "obstacle": found.obstacle,
        "representation": name,
    }
    return written.model_copy(update=update), together


def _below(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors whose names have a prefix, without it."""
    return {
        name.removeprefix(prefix): tensor
        for name, tensor in tensors.items()
        if name.startswith(prefix)
    }


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
            f"{str(file)!r} is damaged ({fault}): copy it again, or repeat the run with --force"
        ) from fault


def _built(chain: Chain, state: Mapping[str, Tensor], folder: Path) -> nn.Module:
    try:
        return rebuilt(chain, state)
    except RuntimeError as fault:
        reason = " ".join(str(fault).split())
        raise InvalidInput(
            f"the tensors in {str(folder)!r} do not match its encoders ({reason}); repeat the run "
            "with --force"
        ) from fault
