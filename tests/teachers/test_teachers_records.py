"""Activation records: statistics of features, class by class, and draws from them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from dfbench.datasets.dataset import ImageSet
from dfbench.learning.batches import to_unit
from dfbench.networks import Backbone, Classifier, Normaliser
from dfbench.teachers.activations import ActivationRecords, LayerRecord, record_activations

CPU = torch.device("cpu")


class Colours(Backbone):
    """Two stages whose pooled outputs are the mean colour, and twice that."""

    feature_dim = 3

    def stage_maps(self, x: Tensor) -> tuple[Tensor, ...]:
        return x, 2 * x


def _records(pixels: list[list[int]], labels: list[int], classes: int = 2) -> ActivationRecords:
    images = np.array(pixels, dtype=np.uint8).reshape(-1, 3, 1, 1).repeat(4, 2).repeat(4, 3)
    names = tuple("abc"[:classes])
    data = ImageSet(images, np.array(labels), names, tuple(str(i) for i in range(len(labels))))
    network = Classifier("resnet-tiny", nn.Identity(), classes, 16)
    network.backbone = Colours()
    return record_activations(network, data, CPU)


COLOURS = [[0, 51, 102], [102, 51, 204], [255, 0, 0], [255, 255, 51], [153, 0, 0]]
LABELS = [0, 0, 1, 1, 1]


def test_records_are_the_statistics_of_each_class() -> None:
    records = _records(COLOURS, LABELS)
    x = torch.tensor(COLOURS) / 255
    assert records.classes == ("a", "b")
    assert records.count.tolist() == [2, 3]
    assert [layer.name for layer in records.layers] == ["stage 1", "stage 2"]
    for layer, scale in zip(records.layers, (1, 2), strict=True):
        for label, own in enumerate((scale * x[:2], scale * x[2:])):
            assert torch.allclose(layer.mean[label], own.mean(dim=0), atol=1e-6)
            assert torch.allclose(layer.std[label], own.std(dim=0, correction=0), atol=1e-6)
            covariance = own.T.cov(correction=0)
            spread = covariance.diagonal().mean()
            expected = 0.9 * covariance + 0.1 * spread * torch.eye(3)
            assert layer.covariance is not None
            assert torch.allclose(layer.covariance[label], expected, atol=1e-6)
    assert records.top is records.layers[-1]


def test_shrunk_covariance_of_fewer_images_than_units_is_positive_definite() -> None:
    layer = _records(COLOURS, LABELS).top
    assert layer.covariance is not None
    assert (torch.linalg.eigvalsh(layer.covariance) > 0).all()


def test_class_without_spread_leaves_its_layer_the_deviations_alone() -> None:
    layer = _records(COLOURS[:3], [0, 0, 1]).top
    assert layer.covariance is None
    assert not layer.std[1].any()
    draws = layer.sample(torch.tensor([1, 1]), torch.Generator().manual_seed(0))
    assert torch.equal(draws, layer.mean[1].expand(2, -1))


def test_wide_layers_have_no_covariance() -> None:
    class Wide(Colours):
        def stage_maps(self, x: Tensor) -> tuple[Tensor, ...]:
            return x.repeat(1, 171, 1, 1), x.repeat(1, 170, 1, 1)

    rng = np.random.RandomState(0)
    images = rng.randint(0, 255, (6, 3, 4, 4)).astype(np.uint8)
    data = ImageSet(images, np.zeros(6, dtype=np.int64), ("a",), tuple("012345"))
    network = Classifier("resnet-tiny", nn.Identity(), 1, 16)
    network.backbone = Wide()
    wide, narrow = record_activations(network, data, CPU).layers
    assert wide.covariance is None
    assert wide.std.shape == (1, 513)
    assert narrow.covariance is not None


def test_draws_have_the_recorded_mean_and_covariance() -> None:
    covariance = torch.tensor([[[4.0, 1.5], [1.5, 1.0]], [[1.0, 0.0], [0.0, 9.0]]])
    mean = torch.tensor([[1.0, -2.0], [0.0, 5.0]])
    layer = LayerRecord("top", mean, covariance.diagonal(dim1=1, dim2=2).sqrt(), covariance)
    labels = torch.arange(2).repeat_interleave(50_000)
    draws = layer.sample(labels, torch.Generator().manual_seed(0))
    for label in range(2):
        own = draws[labels == label]
        assert torch.allclose(own.mean(dim=0), mean[label], atol=0.05)
        assert torch.allclose(own.T.cov(), covariance[label], atol=0.15)


def test_records_survive_being_named_tensors() -> None:
    records = _records(COLOURS, LABELS)
    again = ActivationRecords.from_tensors(records.classes, records.tensors())
    assert [layer.name for layer in again.layers] == [layer.name for layer in records.layers]
    assert again.tensors().keys() == records.tensors().keys()
    assert all(torch.equal(again.tensors()[k], v) for k, v in records.tensors().items())


def test_recording_leaves_a_network_as_it_is_and_takes_images_as_they_are() -> None:
    torch.manual_seed(0)
    network = Classifier("resnet-tiny", Normaliser.of("photo"), 2, 16)
    images = np.random.RandomState(0).randint(0, 255, (9, 3, 16, 16)).astype(np.uint8)
    labels = np.arange(9) % 2
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    records = record_activations(
        network, ImageSet(images, labels, ("a", "b"), tuple("012345678")), CPU
    )
    assert all(torch.equal(before[k], tensor) for k, tensor in network.state_dict().items())
    features = network.features(to_unit(torch.from_numpy(images)))
    assert torch.allclose(records.top.mean[0], features[labels == 0].mean(dim=0), atol=1e-5)
    assert [layer.mean.shape[1] for layer in records.layers] == [16, 32, 64]
    assert all(
        tensor.dtype == torch.float32 for tensor in records.tensors().values() if tensor.ndim > 1
    )


@pytest.mark.parametrize("kind", ["mean", "std", "covariance"])
def test_records_move_to_a_device_whole(kind: str) -> None:
    moved = _records(COLOURS, LABELS).to(torch.device("meta"))
    assert all(getattr(layer, kind).is_meta for layer in moved.layers)
