"""ImageNet weights from files and from torchvision; nothing in a file is ever executed."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any
from urllib.error import URLError

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor
from torchvision.models import get_model, get_model_weights

from dfbench.errors import InvalidInput
from dfbench.networks import new_backbone
from dfbench.teachers import imagenet
from dfbench.teachers.imagenet import imagenet_checksum, imagenet_url
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
    assert "99 of 100 tensors taken; images of this size get a 3x3 stem, which is new" in line


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


def test_weights_of_another_network_are_refused_with_what_is_missing(file: Path) -> None:
    with pytest.raises(InvalidInput, match=r"does not fit the network: .* missing"):
        imagenet_weights("resnet50", file).enter(new_backbone("resnet50", 32))


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.pth", b"no weights"), ("a.safetensors", b"no weights"), ("a.pth", b"")],
)
def test_file_that_holds_no_weights_is_refused(name: str, content: bytes, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InvalidInput, match=f"{name} cannot be read as weights"):
        imagenet_weights("resnet18", tmp_path / name)


def test_file_of_something_else_than_tensors_is_refused(tmp_path: Path) -> None:
    torch.save({"epoch": 3, "model": {"conv1.weight": torch.zeros(1)}}, tmp_path / "c.pth")
    with pytest.raises(InvalidInput, match="holds no state dict"):
        imagenet_weights("resnet18", tmp_path / "c.pth")


def test_absent_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"absent\.pth' is no file"):
        imagenet_weights("resnet18", tmp_path / "absent.pth")


def test_network_without_imagenet_weights_names_those_that_have_them() -> None:
    with pytest.raises(InvalidInput, match="resnet-mini; allowed with it: resnet18, resnet34"):
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

    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    monkeypatch.setattr(torch.hub, "download_url_to_file", fetch)
    for _ in range(2):
        assert imagenet_weights("resnet18", None).source.startswith("resnet18-f37072fd.pth")
    assert fetched == [(imagenet_url("resnet18"), "f37072fd")]
    assert (tmp_path / "hub" / "checkpoints" / "resnet18-f37072fd.pth").is_file()


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
