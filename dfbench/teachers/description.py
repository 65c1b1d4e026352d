"""What a user says of a classifier made elsewhere: nothing of it can be seen from the weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dfbench.datasets.dataset import Modality
from dfbench.datasets.names import name_error, normalised
from dfbench.errors import InvalidInput

_CHANNELS = 3
_BRIGHTEST = 1.0
_SMALLEST, _LARGEST = 8, 2048


@dataclass(frozen=True)
class TeacherDescription:
    """A classifier made elsewhere."""

    modality: Modality
    network: str
    """Backbone, by name."""
    classes: tuple[str, ...]
    """In the order of its outputs, in the spelling of `dfbench.datasets.names.normalised`."""
    mean: tuple[float, ...]
    """By channel, of images in [0, 1]: what is subtracted from them."""
    std: tuple[float, ...]
    """By channel: what they are then divided by."""
    image_size: int
    """Pixels, height and width, of the images it was made for."""


def checked_classes(given: Sequence[str]) -> tuple[str, ...]:
    """Names in one spelling, in the order given; empty ones are left out. Raises `InvalidInput`."""
    names = [name.strip() for name in given if name.strip()]
    spellings: dict[str, str] = {}
    for name in names:
        if (error := name_error(name)) is not None:
            raise InvalidInput(
                f"class {name!a} of the class list cannot be used: {error}; allowed: names of "
                "visible characters"
            )
        plain = normalised(name)
        if plain in spellings:
            first = spellings[plain]
            other = "twice" if first == name else f"as {first!r} too"
            raise InvalidInput(
                f"class {name!r} is in the class list {other}; allowed: each class once, in the "
                "order of the network's outputs"
            )
        spellings[plain] = name
    if len(names) < 2:
        raise InvalidInput(
            f"a class list of {len(names)} names; allowed: two or more, as --classes a,b,c or as "
            "--classes FILE with a name a line, in the order of the network's outputs"
        )
    return tuple(spellings)


def channel_values(name: str, values: Sequence[float]) -> tuple[float, ...]:
    """Three values of a normaliser (`mean` or `std`); one stands for all channels.

    Raises `InvalidInput` for another number of them, for a mean outside [0, 1] and for a standard
    deviation that is not above 0 and at most 1.
    """
    if len(values) not in (1, _CHANNELS):
        raise InvalidInput(
            f"--{name} of {len(values)} values; allowed: one, or one for each of the "
            f"{_CHANNELS} channels, e.g. --{name} 0.5 or --{name} 0.485,0.456,0.406"
        )
    for value in values:
        in_range = 0 <= value <= _BRIGHTEST and (name == "mean" or value > 0)
        if not in_range:
            form = "from 0 to 1" if name == "mean" else "above 0 and at most 1"
            raise InvalidInput(
                f"--{name} {value:g}; allowed: values {form}, for images in [0, 1] (of images in "
                f"[0, 255], give --{name} divided by 255)"
            )
    return tuple(values) * (_CHANNELS // len(values))


def checked_size(pixels: int) -> int:
    """Height and width of a classifier's images. Raises `InvalidInput` for what none has."""
    if not _SMALLEST <= pixels <= _LARGEST:
        raise InvalidInput(
            f"--input-size {pixels}; allowed: {_SMALLEST} to {_LARGEST} pixels, as the images were "
            "that the classifier was trained on, e.g. --input-size 224"
        )
    return pixels
