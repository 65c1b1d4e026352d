"""bfloat16 inside of networks: only in the block, only there, and felt by nothing around them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from dfbench.networks import Classifier, Encoder, Estimator, Normaliser
from dfbench.networks.placement import bfloat16_convolutions

Forward = Callable[[], Tensor]


def _encoder() -> Encoder:
    torch.manual_seed(0)
    return Encoder("resnet-tiny", Normaliser.of("photo"), 8, 32).eval()


def _images() -> Tensor:
    return torch.rand(4, 3, 32, 32, generator=torch.Generator().manual_seed(1))


def _types_of_convolutions(network: nn.Module) -> list[torch.dtype]:
    """Filled by every forward pass from now on: the type in which each convolution computes."""
    seen: list[torch.dtype] = []
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(lambda _, __, out: seen.append(out.dtype))
    return seen


def _networks() -> dict[str, tuple[nn.Module, Forward]]:
    torch.manual_seed(0)
    encoder = _encoder()
    classifier = Classifier("resnet-tiny", Normaliser.of("sketch"), 5, 32).eval()
    estimator = Estimator(6, 16, channels=1, width=8).eval()
    noise = torch.randn(4, 6)
    return {
        "encoder": (encoder, lambda: encoder(_images())),
        "classifier": (classifier, lambda: classifier(_images())),
        "stages": (classifier, lambda: classifier.stage_features(_images())[0]),
        "estimator": (estimator, lambda: estimator(noise)),
    }


@pytest.mark.parametrize("name", ["encoder", "classifier", "stages", "estimator"])
def test_networks_compute_in_bfloat16_inside_the_block_only(name: str) -> None:
    network, forward = _networks()[name]
    seen = _types_of_convolutions(network)
    before = forward()
    assert set(seen) == {torch.float32}
    seen.clear()
    with bfloat16_convolutions(enabled=True):
        inside = forward()
    assert set(seen) == {torch.bfloat16}
    seen.clear()
    after = forward()
    assert set(seen) == {torch.float32}
    assert torch.equal(before, after)
    assert not torch.equal(before, inside)
    assert torch.allclose(before, inside, atol=0.05, rtol=0.05)


@pytest.mark.parametrize("name", ["encoder", "classifier", "stages", "estimator"])
def test_what_networks_give_is_float32_in_either_precision(name: str) -> None:
    _, forward = _networks()[name]
    for enabled in (False, True):
        with bfloat16_convolutions(enabled=enabled):
            assert forward().dtype == torch.float32


def test_block_that_is_not_enabled_changes_nothing() -> None:
    encoder = _encoder()
    with bfloat16_convolutions(enabled=False):
        inside = encoder(_images())
    assert torch.equal(inside, encoder(_images()))


def test_inner_block_counts_and_an_error_leaves_the_outer_one_as_it_was() -> None:
    encoder = _encoder()
    seen = _types_of_convolutions(encoder)
    with bfloat16_convolutions(enabled=True):
        with pytest.raises(RuntimeError), bfloat16_convolutions(enabled=False):
            encoder(_images()[:, :2])
        seen.clear()
        with bfloat16_convolutions(enabled=False):
            encoder(_images())
        assert set(seen) == {torch.float32}
        seen.clear()
        encoder(_images())
    assert set(seen) == {torch.bfloat16}


def test_autocast_around_a_network_does_not_reach_into_it() -> None:
    encoder = _encoder()
    seen = _types_of_convolutions(encoder)
    with torch.autocast("cpu", torch.bfloat16):
        encoder.encode(_images())
    assert set(seen) == {torch.float32}


def test_loss_is_float32_and_its_gradient_reaches_every_float32_weight() -> None:
    encoder, labels = _encoder().train(), torch.tensor([0, 1, 2, 3])
    with bfloat16_convolutions(enabled=True):
        loss = functional.cross_entropy(10 * encoder(_images()), labels)
    assert loss.dtype == torch.float32
    loss.backward()  # type: ignore[no-untyped-call]  # torch's stub
    for name, weight in encoder.named_parameters():
        assert weight.grad is not None, name
        assert weight.dtype == weight.grad.dtype == torch.float32
        assert weight.grad.isfinite().all()
        assert weight.grad.abs().sum() > 0, name


def test_gradient_of_a_frozen_teacher_reaches_the_estimators_weights() -> None:
    torch.manual_seed(0)
    teacher = Classifier("resnet-tiny", Normaliser.of("sketch"), 5, 32).eval()
    teacher.requires_grad_(requires_grad=False)
    estimator = Estimator(6, 32, channels=1, width=8)
    with bfloat16_convolutions(enabled=True):
        teacher(estimator(torch.randn(4, 6))).logsumexp(dim=1).mean().backward()
    for name, weight in estimator.named_parameters():
        assert weight.grad is not None, name
        assert weight.grad.dtype == torch.float32
    assert _norm(estimator.project.weight.grad) > 0
    assert _norm(estimator.to_image.weight.grad) > 0


def _norm(gradient: Tensor | None) -> float:
    return 0.0 if gradient is None else float(gradient.norm())
