from __future__ import annotations

import pickle
from collections.abc import Callable
from copy import deepcopy

import pytest
import torch
from torch import nn

from dfbench.errors import InvalidConfig, UnknownName
from dfbench.networks import (
    NORMALISATION,
    Classifier,
    Encoder,
    Estimator,
    ModalityNet,
    Normaliser,
    backbone_names,
    new_backbone,
)


def _noise(count: int) -> torch.Tensor:
    return torch.randn(count, 6, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("size", [16, 32, 64, 224])
@pytest.mark.parametrize("channels", [1, 3])
def test_estimator_makes_images_in_range(size: int, channels: int) -> None:
    images = Estimator(6, size, channels=channels, width=8)(_noise(4))
    assert images.shape == (4, 3, size, size)
    assert images.amin() >= 0
    assert images.amax() <= 1


def test_one_channel_estimator_has_no_colour() -> None:
    images = Estimator(6, 16, channels=1, width=8)(_noise(4))
    assert torch.equal(images[:, 0], images[:, 1])
    assert torch.equal(images[:, 0], images[:, 2])


def test_three_channel_estimator_has_colour() -> None:
    images = Estimator(6, 16, channels=3, width=8)(_noise(4))
    assert not torch.equal(images[:, 0], images[:, 1])


@pytest.mark.parametrize("brightness", [-20.0, 20.0])
def test_estimator_reaches_pure_black_and_pure_white(brightness: float) -> None:
    estimator = Estimator(6, 16, channels=1, width=8, brightness=brightness)
    images = estimator(_noise(4))
    level = 1.0 if brightness > 0 else 0.0
    assert torch.equal((images * 255).round(), torch.full_like(images, 255 * level))


def test_estimator_can_be_trained_to_black_strokes_on_white_paper() -> None:
    torch.manual_seed(0)
    estimator = Estimator(6, 16, channels=1, width=8, brightness=2.0)
    wanted = torch.ones(4, 3, 16, 16)
    wanted[:, :, 6:10] = 0
    optimiser = torch.optim.Adam(estimator.parameters(), 0.03)
    for _ in range(150):
        optimiser.zero_grad()
        loss = (estimator(_noise(4)) - wanted).abs().mean()
        loss.backward()
        optimiser.step()
    images = estimator(_noise(4))
    assert images[:, :, 7:9].amax() < 0.05
    assert images[:, :, :4].amin() > 0.95


@pytest.mark.parametrize("size", [8, 33, 50])
def test_estimator_refuses_sizes_it_cannot_double_to(size: int) -> None:
    with pytest.raises(InvalidConfig, match=f"not {size}"):
        Estimator(6, size, channels=3, width=8)


@pytest.mark.parametrize("name", backbone_names())
@pytest.mark.parametrize("size", [16, 32, 64, 224])
def test_backbones_pool_any_size_to_their_feature_dim(name: str, size: int) -> None:
    if name.startswith("efficientnet-lite"):
        pytest.importorskip("timm")
    resized = name.startswith("efficientnet-lite") and size < 96  # torch cannot, without numbers
    with torch.device("cpu" if resized else "meta"):  # shapes alone, at once
        backbone = new_backbone(name, size)
        assert backbone(torch.rand(2, 3, size, size)).shape == (2, backbone.feature_dim)


@pytest.mark.parametrize("name", ["resnet-tiny", "resnet18"])
def test_last_stage_pooled_is_the_features(name: str) -> None:
    torch.manual_seed(0)
    backbone = new_backbone(name, 32).eval()
    images = torch.rand(2, 3, 32, 32)
    stages = backbone.stage_features(images)
    maps = backbone.stage_maps(images)
    assert torch.equal(stages[-1], backbone(images))
    for pooled, stage in zip(stages, maps, strict=True):
        assert torch.equal(pooled, stage.mean(dim=(2, 3)))
    assert [stage.shape[2] for stage in maps] == sorted((s.shape[2] for s in maps), reverse=True)


@pytest.mark.parametrize(("size", "side"), [(32, 32), (48, 48), (64, 32), (128, 32), (224, 56)])
def test_stem_of_torchvision_networks_fits_the_image_size(size: int, side: int) -> None:
    maps = new_backbone("resnet18", size).stage_maps(torch.rand(1, 3, size, size))
    assert [stage.shape[2] for stage in maps] == [side, side // 2, side // 4, side // 8]


def test_torchvision_network_for_large_images_is_the_original_one() -> None:
    from torchvision.models import resnet18

    original = resnet18(weights=None).eval()
    backbone = new_backbone("resnet18", 112).eval()
    state = {k: v for k, v in original.state_dict().items() if not k.startswith("fc.")}
    backbone.load_state_dict(state)
    original.fc = torch.nn.Identity()
    images = torch.rand(2, 3, 112, 112)
    assert torch.allclose(backbone(images), original(images), atol=1e-5)


def test_misspelt_backbone_is_answered_with_a_suggestion() -> None:
    with pytest.raises(UnknownName, match="did you mean 'resnet-mini'"):
        new_backbone("resnet-minni", 32)


def test_classifier_decides_from_its_features() -> None:
    torch.manual_seed(0)
    network = Classifier("resnet-tiny", Normaliser.of("photo"), 5, 32).eval()
    images = torch.rand(3, 3, 32, 32)
    assert network(images).shape == (3, 5)
    assert torch.equal(network.head(network.features(images)), network(images))
    assert torch.equal(network.stage_features(images)[-1], network.features(images))


def _statistics(encoder: Encoder) -> list[torch.Tensor]:
    return [b.clone() for name, b in encoder.named_buffers() if "running" in name]


@pytest.mark.parametrize("frozen", [True, False])
def test_encoder_keeps_its_statistics_in_training_exactly_if_they_are_frozen(frozen: bool) -> None:
    torch.manual_seed(0)
    encoder = Encoder("resnet-tiny", Normaliser.of("photo"), 8, 32)
    encoder.frozen_statistics = frozen
    encoder.train()
    before = _statistics(encoder)
    encoder(torch.rand(4, 3, 32, 32))
    same = [torch.equal(a, b) for a, b in zip(before, _statistics(encoder), strict=True)]
    assert all(same) is frozen


def _moves_statistics(encoder: Encoder) -> bool:
    before = _statistics(encoder)
    encoder.backbone(torch.rand(4, 3, 32, 32))
    return not all(torch.equal(a, b) for a, b in zip(before, _statistics(encoder), strict=True))


def _modes_set_by_hand(encoder: Encoder) -> None:
    for module in encoder.modules():
        module.training = True


WAYS_INTO_TRAINING: dict[str, Callable[[Encoder], object]] = {
    "as it was made": lambda encoder: encoder,
    "train() of the encoder": lambda encoder: encoder.train(),
    "train() of its backbone": lambda encoder: encoder.backbone.train(),
    "train() after eval()": lambda encoder: encoder.eval().train(),
    "train() of a module around it": lambda encoder: nn.ModuleList([encoder]).train(),
    "train() of every layer": lambda encoder: encoder.apply(lambda layer: layer.train()),
    "training set by hand": _modes_set_by_hand,
}


@pytest.mark.parametrize("way", WAYS_INTO_TRAINING)
@pytest.mark.parametrize("network", ["resnet-tiny", "resnet18"])
def test_frozen_statistics_stay_whatever_mode_the_encoder_is_in(way: str, network: str) -> None:
    encoder = Encoder(network, Normaliser.of("photo"), 8, 32)
    assert _moves_statistics(encoder)
    encoder.frozen_statistics = True
    WAYS_INTO_TRAINING[way](encoder)
    assert not _moves_statistics(encoder)


def _pickled(encoder: Encoder) -> Encoder:
    copy: Encoder = pickle.loads(pickle.dumps(encoder))  # noqa: S301  # written a line ago
    return copy


@pytest.mark.parametrize("copied", [deepcopy, _pickled])
def test_copy_of_an_encoder_has_its_statistics_frozen_too(
    copied: Callable[[Encoder], Encoder],
) -> None:
    encoder = Encoder("resnet-tiny", Normaliser.of("photo"), 8, 32)
    encoder.frozen_statistics = True
    copy = copied(encoder.train()).train()
    assert copy.frozen_statistics
    assert not _moves_statistics(copy)
    images = torch.rand(2, 3, 32, 32)
    assert torch.equal(copy(images), encoder(images))


def test_released_statistics_move_again_in_training_only() -> None:
    encoder = Encoder("resnet-tiny", Normaliser.of("photo"), 8, 32)
    encoder.frozen_statistics = True
    encoder.frozen_statistics = False
    assert _moves_statistics(encoder)
    assert not _moves_statistics(encoder.eval())


def test_frozen_encoder_computes_the_same_in_training_and_evaluation() -> None:
    torch.manual_seed(0)
    encoder = Encoder("resnet-tiny", Normaliser.of("photo"), 8, 32)
    encoder(torch.rand(4, 3, 32, 32))
    encoder.frozen_statistics = True
    images = torch.rand(4, 3, 32, 32)
    first = encoder(images)
    assert torch.equal(first, encoder.train()(images))
    assert torch.equal(first, encoder.eval()(images))


def test_encoder_with_frozen_statistics_still_learns() -> None:
    encoder = Encoder("resnet-tiny", Normaliser.of("photo"), 8, 32)
    encoder.frozen_statistics = True
    encoder.train()
    encoder(torch.rand(4, 3, 32, 32)).sum().backward()
    assert all(p.grad is not None for p in encoder.parameters())


def test_embeddings_have_unit_length() -> None:
    encoder = Encoder("resnet-tiny", Normaliser.of("sketch"), 8, 32).eval()
    norms = encoder(torch.rand(5, 3, 32, 32)).norm(dim=1)
    assert torch.allclose(norms, torch.ones(5), atol=1e-5)


@pytest.mark.parametrize("modality", ["photo", "sketch"])
def test_normaliser_maps_its_mean_to_zero_and_a_deviation_to_one(modality: str) -> None:
    mean, std = NORMALISATION[modality]  # type: ignore[index]
    normalise = Normaliser.of(modality)  # type: ignore[arg-type]
    at_mean = torch.tensor(mean).view(1, 3, 1, 1).expand(1, 3, 4, 4)
    above = at_mean + torch.tensor(std).view(1, 3, 1, 1)
    assert torch.allclose(normalise(at_mean), torch.zeros(1, 3, 4, 4), atol=1e-6)
    assert torch.allclose(normalise(above), torch.ones(1, 3, 4, 4), atol=1e-5)


def test_modality_net_gives_one_logit_an_image() -> None:
    assert ModalityNet()(torch.rand(5, 3, 32, 32)).shape == (5,)
