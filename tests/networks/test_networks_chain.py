from __future__ import annotations

from typing import Any

import pytest
import torch
from pydantic import TypeAdapter
from torch import nn

from dfbench.networks import (
    Backbone,
    Encoder,
    Normaliser,
    OverUnion,
    Scaled,
    SideBySide,
    SoftmaxAt,
    UnitNorm,
    new_backbone,
)
from dfbench.networks.chain import (
    UnwrittenEncoder,
    beside,
    networks_of,
    rebuilt,
    state_of,
    written,
    written_beside,
)
from dfbench.networks.parts import Chain

IMAGES = torch.rand(4, 3, 32, 32, generator=torch.Generator().manual_seed(0))


def again(encoder: nn.Module) -> nn.Sequential:
    """The encoder after its description has gone through JSON."""
    chains: TypeAdapter[Chain] = TypeAdapter(Chain)
    chain = chains.validate_json(chains.dump_json(written(encoder)))
    return rebuilt(chain, encoder.state_dict())


def student(network: str = "resnet-tiny", size: int = 32) -> Encoder:
    torch.manual_seed(0)
    return Encoder(network, Normaliser((0.2, 0.3, 0.4), (0.5, 0.6, 0.7), size), 16, size).eval()


@pytest.mark.parametrize(("network", "size"), [("resnet-tiny", 24), ("mobilenet_v3_large", 32)])
def test_encoder_is_rebuilt_from_description_and_tensors(network: str, size: int) -> None:
    encoder = student(network, size)
    assert torch.allclose(again(encoder)(IMAGES), encoder(IMAGES), atol=1e-5)


def test_sequence_of_parts_is_a_chain_however_nested() -> None:
    torch.manual_seed(0)
    body = nn.Sequential(Normaliser.of("photo"), new_backbone("resnet-tiny", 32))
    head = nn.Sequential(nn.Linear(64, 3, bias=False), SoftmaxAt(2.0), OverUnion((0, 2, 3), 5))
    encoder = nn.Sequential(body, head).eval()
    rows = again(encoder)(IMAGES)
    assert torch.allclose(rows, encoder(IMAGES), atol=1e-6)
    assert rows.shape == (4, 5)
    assert not rows[:, [1, 4]].any()


def test_branches_are_rebuilt_with_their_tensors_and_named_by_their_networks() -> None:
    torch.manual_seed(0)
    trunk = nn.Sequential(Normaliser.of("photo"), new_backbone("resnet-tiny", 32))
    both = SideBySide(
        nn.Sequential(nn.Linear(64, 3), SoftmaxAt()), nn.Sequential(UnitNorm(), Scaled(0.5))
    )
    other = student("mobilenet_v3_large")
    encoder = nn.Sequential(SideBySide(nn.Sequential(trunk, both), other)).eval()
    assert torch.allclose(again(encoder)(IMAGES), encoder(IMAGES), atol=1e-5)
    chain = written(encoder)
    assert networks_of(chain) == {"resnet-tiny", "mobilenet_v3_large"}
    copy = rebuilt(chain, encoder.state_dict())
    twin = rebuilt(chain, state_of(chain, copy))
    assert torch.equal(twin(IMAGES), copy(IMAGES))


def test_encoder_beside_another_keeps_only_its_own_tensors() -> None:
    main = student()
    head = nn.Linear(16, 3)
    encoder = nn.Sequential(main, head, SoftmaxAt())
    chain, own = written_beside(encoder, main)
    assert {name.rpartition(".")[2] for name in own} == {"weight", "bias"}
    copy = rebuilt(chain, beside(main.state_dict(), own))
    assert torch.allclose(copy(IMAGES), encoder(IMAGES), atol=1e-6)
    assert written_beside(main, main)[1] == {}


def test_missing_tensors_of_a_branch_are_noticed() -> None:
    encoder = SideBySide(nn.Linear(4, 2), nn.Linear(4, 3))
    state = encoder.state_dict()
    del state["branches.1.bias"]
    with pytest.raises(RuntimeError, match="bias"):
        rebuilt(written(encoder), state)


def test_state_of_a_rebuilt_encoder_rebuilds_it_again() -> None:
    encoder = student()
    chain = written(encoder)
    copy = rebuilt(chain, encoder.state_dict())
    twin = rebuilt(chain, state_of(chain, copy))
    assert torch.equal(twin(IMAGES), copy(IMAGES))


def test_rebuilding_leaves_random_numbers_alone() -> None:
    encoder = student()
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    again(encoder)
    assert torch.equal(torch.rand(3), expected)


class Own(nn.Module):
    def __init__(self, parts: Any) -> None:
        super().__init__()
        self.layer = nn.Linear(2, 2)
        self.as_parts = parts


class OwnLinear(nn.Linear):
    """A subclass, which may compute anything."""


class Hiding(nn.Module):
    """Names a part whose tensors are not in its state."""

    def as_parts(self) -> tuple[nn.Module, ...]:
        return (nn.Linear(2, 2),)


class Bare(Backbone):
    """A backbone that no name stands for."""

    def stage_maps(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return (x,)


@pytest.mark.parametrize(
    ("encoder", "kind"),
    [
        (nn.Flatten(), "torch.nn.modules.flatten.Flatten"),
        (OwnLinear(2, 2), "OwnLinear"),
        (nn.Sequential(Normaliser.of("photo"), Bare()), "Bare"),
        (Own(nn.ModuleList()), "Own"),
        (Hiding(), "Hiding, whose as_parts() returns a torch.nn.modules.linear.Linear"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_encoder_of_other_parts_is_not_written_and_named(encoder: nn.Module, kind: str) -> None:
    with pytest.raises(UnwrittenEncoder, match=kind.replace("(", r"\(").replace(")", r"\)")):
        written(encoder)


def test_tensors_of_another_shape_are_refused() -> None:
    encoder = student()
    state = encoder.state_dict() | {"head.weight": torch.zeros(3, 3)}
    with pytest.raises(RuntimeError, match="size mismatch"):
        rebuilt(written(encoder), state)
