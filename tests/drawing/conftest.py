"""A server whose search is told."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from draw_bench import Told, serving

from dfbench.drawing import DrawServer


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def server(told: Told) -> Iterator[DrawServer]:
    with serving(DrawServer(told)) as running:
        yield running
