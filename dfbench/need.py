"""What a method may use beyond two frozen teachers; free of torch."""

from __future__ import annotations

from enum import StrEnum

PAIRS_FILE = "pairs.safetensors"
"""Name of the generated pairs in a run's folder."""


class Need(StrEnum):
    """What a method may use beyond two frozen teachers; the table prints it beside the row."""

    MODALITY_CLASSIFIER = "modality classifier"
    """A photo-or-sketch classifier trained on alternative classes only."""
    LEAKY_MODALITY_CLASSIFIER = "leaky modality classifier"
    """A photo-or-sketch classifier trained on the teachers' own training images."""
    ACTIVATION_RECORDS = "activation records"
    """Statistics of the teachers' activations, recorded on their training data."""
    ALTERNATIVE_DATA = "alternative data"
    """Unlabelled photos and sketches of other classes."""
    UNIFIED_TEACHER = "unified teacher"
    """One teacher trained on photos and sketches together."""
    INITIAL_CLASSIFIER = "initial classifier"
    """The network that both teachers started from, with the head it learned other classes by."""
    GENERATED_PAIRS = "generated pairs"
    """The pairs that a finished run generated."""
    KNOWN_CLASS_ORACLE = "known-class oracle"
    """Whether the teacher of its modality knows a test image's class: a bound, not a method."""
    TRAINING_DATA = "training data"
    """The teachers' own training images and labels: a data-dependent reference."""


FROM_TRAINING_IMAGES = frozenset(
    {
        Need.LEAKY_MODALITY_CLASSIFIER,
        Need.ACTIVATION_RECORDS,
        Need.UNIFIED_TEACHER,
        Need.INITIAL_CLASSIFIER,
        Need.TRAINING_DATA,
    }
)
"""Needs that nobody can supply for teachers made elsewhere, which come without their images."""
REFERENCES = frozenset({Need.KNOWN_CLASS_ORACLE, Need.TRAINING_DATA})
"""Needs that make a row a reference: it uses what no data-free method has."""
