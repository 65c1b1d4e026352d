"""Loading a method's declared needs in the process that fits it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dfbench.artefacts import load_pairs
from dfbench.learning.pool import PairPool
from dfbench.modality import MODALITIES
from dfbench.need import Need
from dfbench.networks import ByKnowledge
from dfbench.process.messages import Job
from dfbench.teachers.identities import Supply
from dfbench.teachers.stored import load_joint_classifier, load_modality_classifier, load_records


def read_supplies(job: Job, device: torch.device) -> dict[Need, Any]:
    """By need, the objects that `Setting` gives to the method; networks are on the device."""
    readers: dict[Need, Callable[[Job, torch.device], Any]] = {
        Need.MODALITY_CLASSIFIER: _modality_classifier,
        Need.LEAKY_MODALITY_CLASSIFIER: _leaky_modality_classifier,
        Need.UNIFIED_TEACHER: partial(_joint_classifier, Supply.UNIFIED_TEACHER),
        Need.INITIAL_CLASSIFIER: partial(_joint_classifier, Supply.INITIAL_CLASSIFIER),
        Need.ACTIVATION_RECORDS: _activation_records,
        Need.ALTERNATIVE_DATA: _alternative_images,
        Need.KNOWN_CLASS_ORACLE: _oracle,
        Need.TRAINING_DATA: _training_images,
        Need.GENERATED_PAIRS: _generated_pairs,
    }
    declared = [Need(name) for name in job.method.needs]
    return {need: readers[need](job, device) for need in declared}


def _modality_classifier(job: Job, device: torch.device) -> Any:
    return load_modality_classifier(job.supplies[Supply.MODALITY_CLASSIFIER]).to(device)


def _leaky_modality_classifier(job: Job, device: torch.device) -> Any:
    return load_modality_classifier(job.supplies[Supply.LEAKY_MODALITY_CLASSIFIER]).to(device)


def _joint_classifier(supply: Supply, job: Job, device: torch.device) -> Any:
    classifiers = load_joint_classifier(job.supplies[supply])
    return {modality: classifier.to(device) for modality, classifier in classifiers.items()}


def _activation_records(job: Job, device: torch.device) -> Any:
    files = {"photo": Supply.PHOTO_RECORDS, "sketch": Supply.SKETCH_RECORDS}
    return {m: load_records(job.supplies[name]).to(device) for m, name in files.items()}


def _alternative_images(job: Job, device: torch.device) -> Any:
    del device
    return {m: _images(job, f"alternative-{m}") for m in MODALITIES}


def _training_images(job: Job, device: torch.device) -> Any:
    del device
    return {
        m: (_images(job, f"training-{m}"), _array(job, f"training-labels-{m}")) for m in MODALITIES
    }


def _oracle(job: Job, device: torch.device) -> Any:
    """The module that returns two embeddings to the harness, which alone knows the classes."""
    del job, device
    return ByKnowledge


def _generated_pairs(job: Job, device: torch.device) -> Any:
    if job.pairs is None:
        raise ValueError("a job of a method that needs generated pairs names their file")
    return PairPool.of(*load_pairs(Path(job.pairs))).to(device)


def _images(job: Job, name: str) -> Tensor:
    return _array(job, name).expand(-1, 3, -1, -1)


def _array(job: Job, name: str) -> Tensor:
    return torch.from_numpy(np.load(job.arrays[name]))
