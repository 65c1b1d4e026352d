"""The conformance kit, and the one formula that is ours to get wrong."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from dfbench_zskd.zskd import class_similarity


@pytest.mark.dfbench("zskd", settings={"steps": 20, "per_class": 10})
def test_conformance(dfbench_check: Callable[[], None]) -> None:
    dfbench_check()


def test_class_is_most_similar_to_itself_and_length_does_not_count() -> None:
    similarity = class_similarity(torch.tensor([[1.0, 0.0], [3.0, 3.0], [0.0, -2.0]]))
    assert torch.equal(similarity.diagonal(), torch.ones(3))
    torch.testing.assert_close(similarity[0], torch.tensor([1.0, 2**-0.5, 0.0]))
