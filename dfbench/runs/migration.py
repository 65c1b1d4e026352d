"""Records of earlier schemas in today's: one function from each version to the next."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dfbench.runs.record import SCHEMA_VERSION

Content = dict[str, Any]


def migrated(content: Content) -> Content:
    """The content of a record of any schema so far, in today's."""
    for version in range(content["schema_version"], SCHEMA_VERSION):
        content = {**_STEPS[version](content), "schema_version": version + 1}
    return content


def _from_1(content: Content) -> Content:
    """Version 2 counts attempts and has a checksum over everything.

    Backbones learned at the full rate then, and ImageNet weights were torchvision's.
    """
    added: dict[str, Content] = {"budget": {"backbone_rate": 1.0}, "recipe": {"weights": None}}
    settings = {
        part: {**values, **content[part]}
        for part, values in added.items()
        if isinstance(content.get(part), dict)
    }
    return {**content, **settings, "attempts": 1}


def _from_2(content: Content) -> Content:
    """Version 3 tells which classes teachers know; until then both knew all."""
    return {**content, "division": None, "groups": {}}


_STEPS: dict[int, Callable[[Content], Content]] = {1: _from_1, 2: _from_2}
"""By the version they start from."""
