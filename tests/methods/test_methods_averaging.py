"""Averaging Weights, and the renumbering of units that its re-basin variants stand on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from dfbench_baselines.averaged_network import average, mean_head, measure_statistics
from dfbench_baselines.averaging import AveragingConfig, AveragingWeights
from dfbench_baselines.crossx import CrossX, CrossXConfig
from dfbench_baselines.permutations import FEATURES, Axes, numberings, permuted
from dfbench_baselines.weight_matching import match_units
from torch import Tensor, nn
from toy import setting_of, untrained_teacher

from dfbench.errors import InvalidInput
from dfbench.learning.pool import PairPool
from dfbench.method import Need, Setting
from dfbench.modality import Modality
from dfbench.networks import Backbone, new_backbone
from dfbench.teachers.teacher import Teacher

NETWORKS = ("resnet-tiny", "resnet-mini", "resnet18", "resnet50")
MakeSetting = Callable[..., Setting]


@pytest.fixture
def make_setting(tmp_path: Path) -> MakeSetting:
    """A setting with untrained teachers that have statistics of their own."""

    def make(
        photo: tuple[str, ...] = ("a", "b", "c"),
        sketch: tuple[str, ...] = ("a", "b", "c"),
        networks: tuple[str, str] = ("resnet-tiny", "resnet-tiny"),
        *,
        alike: bool = False,
    ) -> Setting:
        images = torch.randint(0, 255, (12, 3, 16, 16), generator=_generator(5)).byte()
        return setting_of(
            tmp_path,
            _teacher("photo", photo, networks[0], 1),
            _teacher("sketch", sketch, networks[1], 1 if alike else 2),
            {Need.GENERATED_PAIRS: PairPool.of(images, images[:, :1])},
        )

    return make


def _generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _teacher(modality: Modality, classes: tuple[str, ...], network: str, seed: int) -> Teacher:
    torch.manual_seed(seed)
    teacher = untrained_teacher(modality, classes, network)
    _shake(teacher.network.backbone)
    return teacher


def _shake(backbone: nn.Module) -> None:
    """Affine parameters and statistics of normalisation that differ from unit to unit."""
    with torch.no_grad():
        for layer in backbone.modules():
            if isinstance(layer, nn.BatchNorm2d):
                layer.weight.uniform_(0.5, 1.5)
                layer.bias.normal_(0, 0.3)
                assert layer.running_mean is not None
                assert layer.running_var is not None
                layer.running_mean.normal_(0, 0.3)
                layer.running_var.uniform_(0.5, 1.5)


def _backbone(name: str, size: int = 32) -> Backbone:
    torch.manual_seed(0)
    backbone = new_backbone(name, size)
    _shake(backbone)
    return backbone.eval()


def _shuffle(backbone: nn.Module, axes: Axes) -> dict[str, Tensor]:
    state = backbone.state_dict()
    sizes = {
        axis: state[tensor].shape[place]
        for tensor, names in axes.items()
        for place, axis in enumerate(names)
        if axis is not None
    }
    return {
        axis: torch.randperm(size, generator=_generator(i))
        for i, (axis, size) in enumerate(sorted(sizes.items()))
    }


def _images(count: int = 3, size: int = 32) -> Tensor:
    return torch.rand(count, 3, size, size, generator=_generator(3))


@pytest.mark.parametrize("size", [32, 112])
@pytest.mark.parametrize("name", NETWORKS)
def test_renumbered_network_computes_the_same_features_in_another_order(
    name: str, size: int
) -> None:
    backbone = _backbone(name, size)
    expected = backbone(_images(size=size))
    axes = numberings(backbone)
    shuffle = _shuffle(backbone, axes)
    backbone.load_state_dict(permuted(backbone.state_dict(), axes, shuffle))
    features = backbone(_images(size=size))
    assert torch.allclose(features, expected[:, shuffle[FEATURES]], atol=1e-4, rtol=1e-3)
    assert not torch.allclose(features, expected, atol=1e-2)


@pytest.mark.parametrize("name", NETWORKS)
def test_every_tensor_with_units_is_numbered(name: str) -> None:
    state = _backbone(name).state_dict()
    floating = {name for name, tensor in state.items() if tensor.is_floating_point()}
    assert numberings(_backbone(name)).keys() == floating


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", ["resnet-tiny", "resnet-mini"])
def test_matching_a_network_with_its_renumbered_copy_recovers_it(name: str, seed: int) -> None:
    backbone = _backbone(name)
    state, axes = backbone.state_dict(), numberings(backbone)
    copy = permuted(state, axes, _shuffle(backbone, axes))
    found = match_units(state, copy, axes, _generator(seed))
    recovered = permuted(copy, axes, found)
    assert all(torch.equal(recovered[name], tensor) for name, tensor in state.items())


def test_matching_never_moves_networks_apart() -> None:
    torch.manual_seed(0)
    a, b = (new_backbone("resnet-tiny", 32).state_dict() for _ in range(2))
    axes = numberings(new_backbone("resnet-tiny", 32))
    moved = permuted(b, axes, match_units(a, b, axes, _generator(0)))

    def similarity(other: dict[str, Tensor]) -> float:
        return sum(float((a[n] * other[n]).sum()) for n in axes if "running" not in n)

    assert similarity(moved) > similarity(b) + 1


def test_network_of_unknown_structure_is_refused() -> None:
    with pytest.raises(InvalidInput, match="units of a Sequential cannot be matched"):
        numberings(nn.Sequential(nn.Conv2d(3, 4, 3)))


STATE_A = {"w": torch.tensor([1.0, 3.0]), "n.running_mean": torch.tensor([0.0])}
STATE_A |= {"n.running_var": torch.tensor([1.0]), "n.num_batches_tracked": torch.tensor(7)}
STATE_B = {"w": torch.tensor([3.0, 5.0]), "n.running_mean": torch.tensor([4.0])}
STATE_B |= {"n.running_var": torch.tensor([3.0]), "n.num_batches_tracked": torch.tensor(9)}


@pytest.mark.parametrize(("mixed", "variance"), [(False, 2.0), (True, 6.0)])
def test_average_is_that_of_weights_and_of_statistics(mixed: bool, variance: float) -> None:
    mean = average(STATE_A, STATE_B, mixed=mixed)
    assert mean["w"].tolist() == [2.0, 4.0]
    assert mean["n.running_mean"].tolist() == [2.0]
    assert mean["n.running_var"].tolist() == [variance]
    assert mean["n.num_batches_tracked"] == 7


def test_mixed_variance_is_that_of_both_halves_together() -> None:
    half = torch.randn(200_000, generator=_generator(0), dtype=torch.float64)
    one, other = half * 2 + 1, half * 0.5 - 3
    a, b = ({"running_mean": x.mean(), "running_var": x.var()} for x in (one, other))
    mixed = average(a, b, mixed=True)["running_var"]
    assert mixed == pytest.approx(float(torch.cat([one, other]).var()), rel=1e-3)


def test_measured_statistics_are_those_of_the_batches() -> None:
    layer = nn.BatchNorm2d(1)
    first, second = torch.tensor([0.0, 2.0]), torch.tensor([4.0, 10.0])
    measure_statistics(layer, [x.view(2, 1, 1, 1) for x in (first, second)])
    assert layer.running_mean is not None
    assert layer.running_var is not None
    assert layer.running_mean.item() == pytest.approx(4.0)
    assert layer.running_var.item() == pytest.approx((2.0 + 18.0) / 2)
    assert not layer.training


def test_equal_teachers_average_to_themselves(make_setting: MakeSetting) -> None:
    setting = make_setting(alike=True)
    encoders = AveragingWeights(AveragingConfig()).fit(setting)
    images = _images(size=16)
    expected = setting.sketch_teacher(images)
    assert torch.allclose(encoders.sketch(images), expected.features, atol=1e-5)
    posterior = encoders.representations["posterior"]
    assert posterior.similarity == "inner"
    assert torch.allclose(posterior.sketch(images), expected.logits.softmax(1), atol=1e-5)


def test_one_network_embeds_both_modalities_behind_their_own_normalisers(
    make_setting: MakeSetting,
) -> None:
    setting = make_setting()
    encoders: Any = AveragingWeights(AveragingConfig()).fit(setting)
    assert encoders.photo.backbone is encoders.sketch.backbone
    weight = "stages.0.conv1.weight"
    halves = [setting.teacher(m).network.backbone.state_dict()[weight] for m in ("photo", "sketch")]
    assert torch.allclose(encoders.photo.backbone.state_dict()[weight], sum(halves) / 2)
    assert not torch.equal(encoders.photo(_images(size=16)), encoders.sketch(_images(size=16)))


def test_teachers_are_left_as_they_were(make_setting: MakeSetting) -> None:
    setting = make_setting()
    teachers = (setting.photo_teacher, setting.sketch_teacher)
    before = [t.clone() for teacher in teachers for t in teacher.state_dict().values()]
    AveragingWeights(AveragingConfig(rebasin=True, batch_norm="reestimated")).fit(setting)
    after = [t for teacher in teachers for t in teacher.state_dict().values()]
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))


def test_rebasin_undoes_a_renumbering_of_the_sketch_teacher(make_setting: MakeSetting) -> None:
    setting = make_setting(alike=True)
    images = _images(size=16)
    expected = setting.sketch_teacher(images)
    network = setting.sketch_teacher.network
    axes = numberings(network.backbone)
    shuffle = _shuffle(network.backbone, axes)
    network.backbone.load_state_dict(permuted(network.backbone.state_dict(), axes, shuffle))
    network.head.weight.data = network.head.weight.data[:, shuffle[FEATURES]]
    assert torch.allclose(setting.sketch_teacher(images).logits, expected.logits, atol=1e-4)
    encoders = AveragingWeights(AveragingConfig(rebasin=True)).fit(setting)
    assert torch.allclose(encoders.sketch(images), expected.features, atol=1e-4)
    posterior = encoders.representations["posterior"].sketch(images)
    assert torch.allclose(posterior, expected.logits.softmax(1), atol=1e-4)
    plain = AveragingWeights(AveragingConfig()).fit(setting)
    assert not torch.allclose(plain.sketch(images), expected.features, atol=1e-2)


def test_mean_head_covers_the_union_of_classes(make_setting: MakeSetting) -> None:
    setting = make_setting(("a", "b"), ("b", "c"))
    photo, sketch = setting.photo_teacher.network.head, setting.sketch_teacher.network.head
    head = mean_head(setting, sketch.weight)
    assert torch.equal(head.weight[0], photo.weight[0])
    assert torch.allclose(head.weight[1], (photo.weight[1] + sketch.weight[0]) / 2)
    assert torch.equal(head.bias[2], sketch.bias[1])


@pytest.mark.parametrize("changes", [{}, *AveragingWeights.variants.values()], ids=str)
def test_every_variant_runs_with_overlapping_classes(
    changes: dict[str, Any], make_setting: MakeSetting
) -> None:
    config = AveragingConfig.model_validate({**changes, "reestimation_batches": 2})
    encoders = AveragingWeights(config).fit(make_setting(("a", "b"), ("b", "c")))
    assert encoders.photo(_images(size=16)).isfinite().all()
    assert encoders.representations["posterior"].sketch(_images(size=16)).shape == (3, 3)


def test_reestimated_statistics_are_those_of_the_generated_pairs(make_setting: MakeSetting) -> None:
    setting = make_setting()
    config = AveragingConfig(batch_norm="reestimated", reestimation_batches=30)
    encoders: Any = AveragingWeights(config).fit(setting)
    pool = setting.generated_pairs()
    pairs = pool.newest(len(pool))
    images = torch.cat(
        [encoders.photo.normaliser(pairs.photos), encoders.sketch.normaliser(pairs.sketches)]
    )
    backbone = encoders.photo.backbone
    maps = backbone.stem[0](images)
    assert torch.allclose(backbone.stem[1].running_mean, maps.mean(dim=(0, 2, 3)), atol=0.05)


@pytest.mark.parametrize(
    ("changes", "needs", "pairs_of"),
    [
        ({}, set(), None),
        ({"batch_norm": "mixed"}, set(), None),
        ({"rebasin": True}, set(), None),
        ({"batch_norm": "reestimated"}, {Need.GENERATED_PAIRS}, "crossx"),
    ],
)
def test_pairs_are_declared_exactly_if_they_are_used(
    changes: dict[str, Any], needs: set[Need], pairs_of: str | None
) -> None:
    config = AveragingConfig.model_validate(changes)
    assert AveragingWeights.needs(config) == needs
    assert AveragingWeights.pairs_of(config) == pairs_of


def test_rebasin_variant_is_a_row_of_the_table(quick_bench: Any) -> None:
    record = quick_bench.record("averaging-weights[rebasin]")
    assert record["method"]["needs"] == []
    assert sorted(record["representations"]) == ["posterior"]
    assert 0 < record["metrics"]["map@all"]["value"] < 1


def test_reestimated_variant_measures_on_pairs_that_crossx_generates_first(
    quick_bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Brief(CrossXConfig):
        rounds: int = 1
        estimator_steps: int = 4
        estimator_batch: int = 8

    monkeypatch.setattr(CrossX, "Config", Brief)
    record = quick_bench.record("averaging-weights[rebasin-reestimated]")
    assert record["method"]["needs"] == ["generated pairs"]
    assert record["method"]["pairs_of"] == "crossx"
    assert len(list(quick_bench.results.rglob("crossx-s0-*.json"))) == 1


def test_teachers_of_two_networks_have_no_average(make_setting: MakeSetting) -> None:
    setting = make_setting(networks=("resnet-tiny", "resnet-mini"))
    with pytest.raises(
        InvalidInput, match="resnet-tiny at 16 px and resnet-mini at 16 px cannot be averaged"
    ):
        AveragingWeights(AveragingConfig()).fit(setting)
