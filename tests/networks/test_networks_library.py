"""Networks of other libraries by name, and images resized for networks of another size."""

from __future__ import annotations

import sys
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional

from dfbench.errors import InvalidInput, UnknownName
from dfbench.learning.batch_norm import StatisticsMatch
from dfbench.networks import Encoder, Normaliser, backbone_names, new_backbone
from dfbench.networks.backbones.backbone import resized
from dfbench.networks.backbones.registry import builder
from dfbench.networks.chain import rebuilt, written

FITTED = ("convnext_tiny", "efficientnet_b0", "mobilenet_v3_large")
ORIGINAL = (
    "torchvision:resnet18",
    "torchvision:densenet121",
    "torchvision:shufflenet_v2_x0_5",
    "torchvision:mobilenet_v3_small",
)


def _maps(name: str, size: int) -> list[int]:
    with torch.device("meta"):
        maps = new_backbone(name, size).eval().stage_maps(torch.rand(1, 3, size, size))
    return [stage.shape[2] for stage in maps]


@pytest.mark.parametrize("name", FITTED)
@pytest.mark.parametrize(("size", "last"), [(32, 4), (48, 6), (64, 4), (128, 4), (224, 7)])
def test_strides_of_torchvision_networks_fit_the_image_size(
    name: str, size: int, last: int
) -> None:
    assert _maps(name, size)[-1] == last


@pytest.mark.parametrize("name", [*FITTED, "wide_resnet50_2"])
def test_small_images_change_no_tensor_but_the_stem_of_a_residual_network(name: str) -> None:
    with torch.device("meta"):
        shapes = [
            {key: tensor.shape for key, tensor in new_backbone(name, size).state_dict().items()}
            for size in (32, 224)
        ]
    differing = {key for key, shape in shapes[0].items() if shapes[1][key] != shape}
    assert shapes[0].keys() == shapes[1].keys()
    assert differing == ({"conv1.weight"} if "resnet" in name else set())


@pytest.mark.parametrize("name", ORIGINAL)
def test_prefixed_name_is_the_network_as_torchvision_makes_it_at_every_size(name: str) -> None:
    from torchvision.models import get_model

    torch.manual_seed(0)
    original: Any = get_model(name.partition(":")[2], weights=None).eval()
    backbone = new_backbone(name, 64).eval()
    body, head = backbone.published_body, backbone.published_head
    state: dict[str, torch.Tensor] = original.state_dict()
    layer = original.get_submodule(head)
    backbone.load_state_dict(
        {f"{body}{key}": t for key, t in state.items() if not key.startswith(f"{head}.")}
    )
    images = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        assert torch.allclose(layer(backbone(images)), original(images), atol=1e-5)
        stages = backbone.stage_features(images)
        assert torch.equal(stages[-1], backbone(images))
        assert len(stages) == len(backbone.stage_maps(images)) > 3


@pytest.mark.parametrize("size", [24, 32, 50, 75, 224])
def test_resizing_is_the_antialiased_bilinear_filter(size: int) -> None:
    images = torch.rand(2, 3, 50, 40)
    wanted = functional.interpolate(images, (size, size), mode="bilinear", antialias=True)
    assert torch.allclose(resized(images, size), wanted, atol=1e-5)


def test_resizing_stays_in_float32_under_autocast_and_hands_gradients_on() -> None:
    images = torch.rand(1, 3, 16, 16, requires_grad=True)
    with torch.autocast("cpu", torch.bfloat16):
        small = resized(images, 8)
    assert small.dtype == torch.float32
    small.sum().backward()
    assert images.grad is not None
    assert float(images.grad.sum()) == pytest.approx(3 * 8 * 8, rel=1e-4)


def test_normaliser_resizes_only_what_has_another_size() -> None:
    images = torch.rand(2, 3, 16, 16)
    plain = Normaliser((0.5,) * 3, (0.25,) * 3)
    assert torch.equal(Normaliser((0.5,) * 3, (0.25,) * 3, 16)(images), plain(images))
    assert Normaliser((0.5,) * 3, (0.25,) * 3, 24)(images).shape == (2, 3, 24, 24)
    assert list(plain.state_dict()) == ["mean", "std"]


def test_encoder_of_a_library_network_keeps_its_statistics_if_they_are_frozen() -> None:
    torch.manual_seed(0)
    encoder = Encoder("torchvision:mobilenet_v3_small", Normaliser.of("photo"), 8, 32)
    encoder.frozen_statistics = True
    encoder.train()
    before = {k: b.clone() for k, b in encoder.named_buffers() if "running" in k}
    encoder(torch.rand(4, 3, 32, 32)).sum().backward()
    assert before
    assert all(torch.equal(b, before[k]) for k, b in encoder.named_buffers() if k in before)


def test_statistics_of_a_network_without_batch_normalisation_cannot_be_matched() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.LayerNorm([4, 6, 6]))
    with (
        pytest.raises(InvalidInput, match="a teacher's network has none"),
        StatisticsMatch(network),
    ):
        pass


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("torchvision:resnt18", "did you mean 'resnet18'"),
        ("resnt18", "torchvision:NAME"),
        ("timm:", "timm:NAME"),
    ],
)
def test_misspelt_network_is_answered_with_a_suggestion(name: str, told: str) -> None:
    with pytest.raises(UnknownName, match=told):
        builder(name)


def test_networks_of_several_outputs_or_sizes_they_cannot_take_are_refused() -> None:
    with pytest.raises(InvalidInput, match="auxiliary classifiers"):
        builder("torchvision:googlenet")
    with torch.device("meta"), pytest.raises(InvalidInput, match="cannot take images of 16 px"):
        new_backbone("torchvision:alexnet", 16)
    with torch.device("meta"), pytest.raises(InvalidInput, match="ends in"):
        new_backbone("torchvision:squeezenet1_0", 64)


@pytest.mark.parametrize("name", ["resnet18", "resnet-mini", "torchvision:mobilenet_v3_small"])
@pytest.mark.parametrize("size", [24, 48, 96])
def test_network_behind_images_of_another_size_sees_them_resized(name: str, size: int) -> None:
    torch.manual_seed(0)
    backbone = new_backbone(f"{name}@{size}", 32).eval()
    inner = new_backbone(name, size).eval()
    names = {k.removeprefix(backbone.published_body) for k in backbone.state_dict()}
    assert names == {k.removeprefix(inner.published_body) for k in inner.state_dict()}
    inner.load_state_dict(
        {k.removeprefix("network."): tensor for k, tensor in backbone.state_dict().items()}
    )
    images = torch.rand(2, 3, 32, 32)
    with torch.no_grad():
        assert torch.equal(backbone(images), inner(resized(images, size)))
        assert torch.equal(backbone.stage_features(images)[-1], backbone(images))
    assert backbone.published_head == inner.published_head
    encoder = Encoder(f"{name}@{size}", Normaliser.of("photo"), 8, 32).eval()
    again = rebuilt(written(encoder), encoder.state_dict())
    with torch.no_grad():
        assert torch.allclose(again(images), encoder(images), atol=1e-6)


@pytest.mark.parametrize(
    "name", ["torchvision:mobilenet_v3_small", "torchvision:shufflenet_v2_x0_5"]
)
def test_strides_of_any_library_network_can_be_fitted(name: str) -> None:
    assert _maps(f"{name}@fitted", 64)[-1] == 2 * _maps(name, 64)[-1]
    assert _maps(f"{name}@fitted", 128) == _maps(name, 128)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("resnet18@", "fitted .* or the pixels"),
        ("resnet18@0", "fitted .* or the pixels"),
        ("resnet18@1e3", "fitted .* or the pixels"),
        ("resnet-mini@2048", "1 to 1024, e.g. resnet-mini@128"),
        ("torchvision:resnet18@fited", "e.g. torchvision:resnet18@128"),
        ("resnet18@fitted", "already adapts to the image size; allowed: resnet18"),
        ("torchvision:resnet18@fitted", "keeps its strides; allowed: resnet18, which adapts"),
        ("torchvision:alexnet@16", "cannot take images of 16 px"),
    ],
)
def test_unknown_manner_of_taking_small_images_is_refused(name: str, told: str) -> None:
    with torch.device("meta"), pytest.raises(InvalidInput, match=told):
        new_backbone(name, 64)


def test_without_timm_its_networks_are_refused_with_the_command_that_installs_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(InvalidInput, match=r"pip install 'dfbench-sbir\[timm\]'"):
        builder("timm:resnet18")
    assert "timm:resnet18" not in backbone_names()


@pytest.mark.parametrize(
    ("name", "batch_norms"),
    [("timm:mobilenetv3_small_050", 34), ("timm:convnext_atto", 0), ("timm:test_vit", 0)],
)
def test_timm_networks_have_features_stages_and_a_head(name: str, batch_norms: int) -> None:
    timm = pytest.importorskip("timm")
    torch.manual_seed(0)
    backbone = new_backbone(name, 32).eval()
    images = torch.rand(2, 3, 32, 32)
    with torch.no_grad():
        features = backbone(images)
        assert features.shape == (2, backbone.feature_dim)
        assert torch.equal(backbone.stage_features(images)[-1], features)
    assert sum(isinstance(m, nn.BatchNorm2d) for m in backbone.modules()) == batch_norms
    own = {k.removeprefix("model.") for k in backbone.state_dict()}
    size = {"img_size": 32} if "vit" in name else {}
    published = timm.create_model(name.partition(":")[2], num_classes=4, **size).state_dict()
    head = backbone.published_head
    assert own == {k for k in published if not k.startswith(f"{head}.")}
    assert published[f"{head}.weight"].shape == (4, backbone.feature_dim)
