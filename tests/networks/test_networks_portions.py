from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from dfbench.networks import Classifier, Encoder, Normaliser
from dfbench.networks.portions import Portions, in_portions

SIZE = 16


def _encoder(*, frozen: bool = True) -> Encoder:
    torch.manual_seed(0)
    encoder = Encoder("resnet-tiny", Normaliser.of("photo"), 8, SIZE)
    encoder.frozen_statistics = frozen
    return encoder.train()


def _images(count: int) -> Tensor:
    return torch.rand(count, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(1))


def _coupled_loss(encoder: Encoder, images: Tensor) -> Tensor:
    """A loss that does not come apart into losses of images."""
    embeddings = encoder(images)
    return (embeddings @ embeddings.T).logsumexp(dim=1).mean()


def _batches(network: nn.Module) -> list[int]:
    """Sizes of the batches that a network goes over from now on; no hook, which would matter."""
    sizes: list[int] = []
    forward = network.forward

    def counted(images: Tensor) -> Tensor:
        sizes.append(len(images))
        features: Tensor = forward(images)
        return features

    network.forward = counted  # type: ignore[method-assign]
    return sizes


def test_loss_and_gradients_of_micro_batches_are_those_of_the_whole_batch() -> None:
    whole, portioned = _encoder(), _encoder()
    sizes = _batches(portioned.backbone)
    images = _images(7).requires_grad_()
    again = images.detach().clone().requires_grad_()
    one = _coupled_loss(whole, images)
    one.backward()
    with in_portions(Portions(micro_batch=3)):
        two = _coupled_loss(portioned, again)
    two.backward()
    assert sizes[:3] == [3, 3, 1]
    assert sorted(sizes[3:]) == [1, 3, 3]  # once more on the way back
    torch.testing.assert_close(two, one)
    torch.testing.assert_close(again.grad, images.grad)
    for mine, theirs in zip(portioned.parameters(), whole.parameters(), strict=True):
        torch.testing.assert_close(mine.grad, theirs.grad)


def test_micro_batches_keep_fewer_activations() -> None:
    def held(portions: Portions | None) -> int:
        encoder, kept = _encoder(), 0

        def pack(tensor: Tensor) -> Tensor:
            nonlocal kept
            kept += tensor.numel()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t), in_portions(portions):
            _coupled_loss(encoder, _images(8))
        return kept

    assert held(Portions(micro_batch=2)) < held(None) / 10


@torch.no_grad()
def test_batch_without_gradient_goes_in_micro_batches_once() -> None:
    encoder = _encoder().eval()
    expected = encoder(_images(5))
    sizes = _batches(encoder.backbone)
    with in_portions(Portions(micro_batch=2)):
        torch.testing.assert_close(encoder(_images(5)), expected)
    assert sizes == [2, 2, 1]


def test_running_statistics_count_each_micro_batch_once() -> None:
    by_hand, portioned = _encoder(frozen=False), _encoder(frozen=False)
    for part in torch.split(_images(6), 3):
        by_hand(part)
    with in_portions(Portions(micro_batch=3)):
        loss = _coupled_loss(portioned, _images(6))
    loss.backward()
    for mine, theirs in zip(portioned.buffers(), by_hand.buffers(), strict=True):
        if mine.is_floating_point():
            torch.testing.assert_close(mine, theirs)


def test_network_with_a_hook_takes_the_whole_batch() -> None:
    encoder = _encoder()
    sizes = _batches(encoder.backbone)
    layer = next(m for m in encoder.modules() if isinstance(m, nn.BatchNorm2d))
    handle = layer.register_forward_pre_hook(lambda *_: None)
    with in_portions(Portions(micro_batch=2)):
        encoder(_images(4))
        handle.remove()
        encoder(_images(4))
    assert sizes == [4, 2, 2]


def test_stages_of_micro_batches_are_those_of_the_whole_batch() -> None:
    torch.manual_seed(0)
    classifier = Classifier("resnet-tiny", Normaliser.of("photo"), 3, SIZE).eval()
    expected = classifier.stage_features(_images(5))
    with in_portions(Portions(micro_batch=2)):
        stages = classifier.stage_features(_images(5))
    for mine, theirs in zip(stages, expected, strict=True):
        torch.testing.assert_close(mine, theirs)


@pytest.mark.parametrize(("micro_batch", "largest"), [(None, 9), (4, 4), (20, 9)])
def test_most_images_at_a_time_are_noted(micro_batch: int | None, largest: int) -> None:
    portions = Portions(micro_batch=micro_batch)
    with in_portions(portions):
        for count in (2, 9, 1):
            _encoder()(_images(count))
    assert portions.largest == largest


class _Half:
    """The second of two processes, the first of which makes zeros."""

    size = 2

    def rows(self, count: int) -> slice:
        return slice(count // 2, count)

    def gathered(self, part: Tensor, count: int) -> Tensor:
        return torch.cat([part.new_zeros(count - len(part), *part.shape[1:]), part])


def test_batch_is_shared_out_among_processes() -> None:
    encoder = _encoder()
    expected = encoder.encode(_images(5)).features
    sizes = _batches(encoder.backbone)
    with in_portions(Portions(group=_Half())):
        features = encoder.encode(_images(5)).features
    assert sizes == [3]
    torch.testing.assert_close(features[2:], expected[2:])
    assert not features[:2].any()


class _NormAndAct(nn.BatchNorm2d):
    """Batch normalisation with its activation for a part, as timm has it."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels)
        self.act = nn.ReLU()

    def forward(self, images: Tensor) -> Tensor:
        activated: Tensor = self.act(super().forward(images))
        return activated


@pytest.mark.parametrize(
    "layer",
    [
        nn.BatchNorm2d(3),
        nn.Dropout(0.5),
        nn.Sequential(nn.Dropout2d(0.1)),
        _NormAndAct(3),
        nn.Sequential(_NormAndAct(3)),
    ],
)
def test_network_that_looks_beyond_an_image_or_draws_is_not_shared_out(layer: nn.Module) -> None:
    encoder = _encoder()
    encoder.backbone.stem = nn.Sequential(layer.train(), *encoder.backbone.stem)
    sizes = _batches(encoder.backbone)
    with in_portions(Portions(group=_Half())):
        encoder(_images(4))
        layer.eval()
        encoder(_images(4))
    assert sizes == [4, 2]


def test_batch_of_fewer_images_than_processes_is_not_shared_out() -> None:
    encoder = _encoder()
    sizes = _batches(encoder.backbone)
    with in_portions(Portions(group=_Half())):
        encoder(_images(1))
    assert sizes == [1]
