"""Networks on a real GPU: micro-batches and bf16 change what they may, and nothing else."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from dfbench.networks import Encoder, Normaliser
from dfbench.networks.placement import bfloat16_convolutions
from dfbench.networks.portions import Portions, in_portions
from dfbench.numerics import pin_numerics

pytestmark = [
    pytest.mark.cuda,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU"),
]
SIZE = 32


@pytest.fixture(autouse=True)
def pinned() -> None:
    """As in a run: convolutions of float32 do not fall back to TF32."""
    pin_numerics(threads=1, seed=0)


def _encoder() -> Encoder:
    torch.manual_seed(0)
    encoder = Encoder("resnet18", Normaliser.of("photo"), 16, SIZE).cuda()
    encoder.frozen_statistics = True
    return encoder.train()


def _images() -> Tensor:
    return torch.rand(24, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(1)).cuda()


def _gradients(encoder: Encoder, portions: Portions | None) -> list[Tensor]:
    with in_portions(portions):
        embeddings = encoder(_images())
    (embeddings @ embeddings.T).logsumexp(dim=1).mean().backward()
    return [weight.grad for weight in encoder.parameters() if weight.grad is not None]


def test_gradients_of_micro_batches_are_those_of_the_whole_batch() -> None:
    whole = _gradients(_encoder(), None)
    portioned = _gradients(_encoder(), Portions(micro_batch=7))
    for one, other in zip(whole, portioned, strict=True):
        # Convolutions of another batch size add in another order.
        assert (other - one).norm() <= 1e-3 * one.norm()


def test_micro_batches_need_less_memory() -> None:
    def peak(portions: Portions | None) -> int:
        encoder = _encoder()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        _gradients(encoder, portions)
        return int(torch.cuda.max_memory_allocated() - before)

    peak(None)  # the first use allocates workspaces
    assert peak(Portions(micro_batch=2)) < 0.7 * peak(None)


@torch.no_grad()
def test_bf16_embeddings_are_near_those_of_fp32() -> None:
    encoder = _encoder().eval()
    exact = torch.nn.functional.normalize(encoder(_images()), dim=1)
    with bfloat16_convolutions(enabled=True):
        rounded = torch.nn.functional.normalize(encoder(_images()), dim=1)
    assert rounded.dtype == torch.float32
    assert not torch.equal(rounded, exact)
    assert (rounded * exact).sum(dim=1).min() > 0.99
