"""The inputs a method may declare beyond two frozen teachers; imports no torch."""

from __future__ import annotations

from enum import StrEnum

PAIRS_FILE = "pairs.safetensors"
"""File name of the generated pairs in a run's folder."""


class Need(StrEnum):
    """An input beyond the two frozen teachers; tables list the needs of each method."""

    MODALITY_CLASSIFIER = "modality classifier"
    """A photo-or-sketch classifier trained on alternative classes only."""
    LEAKY_MODALITY_CLASSIFIER = "leaky modality classifier"
    """A photo-or-sketch classifier trained on the teachers' training images."""
    ACTIVATION_RECORDS = "activation records"
    """Statistics of the teachers' activations, recorded on their training data."""
    ALTERNATIVE_DATA = "alternative data"
    """Unlabelled photos and sketches of other classes."""
    UNIFIED_TEACHER = "unified teacher"
    """One teacher trained on photos and sketches together."""
    INITIAL_CLASSIFIER = "initial classifier"
    """The network that both teachers were initialised from, with the head of its pre-training."""
    GENERATED_PAIRS = "generated pairs"
    """The pairs that a finished run generated."""
    KNOWN_CLASS_ORACLE = "known-class oracle"
    """Whether the teacher of its modality knows a test image's class: a bound, not a method."""
    TRAINING_DATA = "training data"
    """The teachers' training images and labels: a data-dependent reference."""


FROM_TRAINING_IMAGES = frozenset(
    {
        Need.LEAKY_MODALITY_CLASSIFIER,
        Need.ACTIVATION_RECORDS,
        Need.UNIFIED_TEACHER,
        Need.INITIAL_CLASSIFIER,
        Need.TRAINING_DATA,
    }
)
"""Needs that cannot be met for external teachers, which come without their training images."""
REFERENCES = frozenset({Need.KNOWN_CLASS_ORACLE, Need.TRAINING_DATA})
"""Needs that make a method a reference: no data-free method has these inputs."""
