"""Files of weights as people have them: found wherever they lie, or refused by what they are."""

from __future__ import annotations

import argparse
import gzip
import io
import json
import pickle
import tarfile
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save, save_file
from torch import Tensor, nn

from dfbench.errors import DfbenchError
from dfbench.networks import Classifier, Normaliser
from dfbench.teachers.class_list import TeacherDescription
from dfbench.teachers.importing import imported_teacher
from dfbench.teachers.weights.fitting import published_names

SAID = TeacherDescription("photo", "resnet-tiny", ("a", "b", "c"), (0.5,) * 3, (0.2,) * 3, 24)
State = dict[str, Tensor]


@pytest.fixture(scope="module")
def state() -> State:
    """A classifier's weights by their published names."""
    torch.manual_seed(0)
    network = Classifier(SAID.network, Normaliser(SAID.mean, SAID.std), 3, SAID.image_size).train()
    network(torch.rand(8, 3, 24, 24))
    own = network.state_dict()
    return {name: own[place].clone() for name, place in published_names(network).items()}


@pytest.fixture(scope="module")
def identity(state: State, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Identity of the teacher of these weights."""
    file = tmp_path_factory.mktemp("plain") / "plain.pth"
    torch.save(state, file)
    return imported_teacher(file, SAID)[1].identity


def under(prefix: str, state: State) -> State:
    return {prefix + name: tensor for name, tensor in state.items()}


def moved(state: State) -> State:
    """What an average of the weights is: near them, not the same."""
    return {n: t * 1.01 if t.is_floating_point() else t for n, t in state.items()}


def split(state: State, body: str, head: str) -> State:
    return {
        (head + n.removeprefix("head.") if n.startswith("head.") else body + n): t
        for n, t in state.items()
    }


def renamed(state: State, name: str) -> State:
    return {n.replace("head.", name): tensor for n, tensor in state.items()}


WRAPPINGS: dict[str, Callable[[State], Any]] = {
    "net beside numbers of NumPy": lambda s: {"net": s, "acc": np.float64(93.1), "epoch": 1},
    "averages alone": lambda s: {"model_ema": s, "epoch": np.int64(3)},
    "weights before their averages": lambda s: {"model_ema": moved(s), "model": s},
    "timm": lambda s: {"state_dict_ema": moved(s), "state_dict": s, "arch": "x", "metric": 0.9},
    "optimiser beside": lambda s: {
        "model": s,
        "optimizer": {"state": {0: {"exp_avg": s["head.weight"]}}, "param_groups": [{"lr": 1}]},
    },
    "compiled": lambda s: under("_orig_mod.", s),
    "parallel and compiled": lambda s: under("module._orig_mod.", s),
    "compiled inside": lambda s: {
        n.replace("stages.0.", "stages.0._orig_mod."): t for n, t in s.items()
    },
    "encoder": lambda s: under("encoder.", s),
    "a name of one's own": lambda s: under("my_classifier.backbone.", s),
    "Lightning with metrics": lambda s: {
        "state_dict": {
            **under("model.", s),
            "criterion.weight": torch.ones(3),
            "val_acc.total": torch.tensor(1),
        },
        "pytorch-lightning_version": "2.0",
        "loops": {"fit_loop": {"state_dict": {}}},
    },
    "Lightning with averages": lambda s: {
        "state_dict": {**under("ema_model.module.", moved(s)), **under("model.", s)}
    },
    "a loss beside bare names": lambda s: {**s, "criterion.weight": torch.ones(3)},
    "counters of a profiler": lambda s: {
        **s,
        "total_ops": torch.zeros(1),
        "stages.0.total_params": torch.zeros(1),
    },
    "averaged model": lambda s: {**under("module.", s), "n_averaged": torch.tensor(5)},
    "one of a list": lambda s: [s, {"lr": 0.1}],
    "deep": lambda s: {"trainer": {"agents": [{"policy": under("net.", s)}]}},
    "body and head under two names": lambda s: split(s, "backbone.", "fc."),
    "body and head in two mappings": lambda s: {
        "encoder": {n: t for n, t in s.items() if not n.startswith("head.")},
        "classifier": {n.removeprefix("head."): s[n] for n in ("head.weight", "head.bias")},
    },
    "dropout before the head": lambda s: renamed(s, "head.1."),
    "parameters": lambda s: {
        n: nn.Parameter(t) if t.is_floating_point() else t for n, t in s.items()
    },
    "float64": lambda s: {n: t.double() if t.is_floating_point() else t for n, t in s.items()},
    "arrays of NumPy": lambda s: {n: t.numpy() for n, t in s.items()},
    "sparse": lambda s: {**s, "head.weight": s["head.weight"].to_sparse()},
    "a view with strides": lambda s: {**s, "head.weight": s["head.weight"].T.contiguous().T},
}


@pytest.mark.parametrize("wrapping", WRAPPINGS)
def test_weights_are_found_wherever_they_lie(
    wrapping: str, state: State, identity: str, tmp_path: Path
) -> None:
    torch.save(WRAPPINGS[wrapping](state), tmp_path / "w.pth")
    assert imported_teacher(tmp_path / "w.pth", SAID)[1].identity == identity


@pytest.mark.parametrize("name", ["w.pth", "W.SAFETENSORS", "pytorch_model.bin", "4f2c9a"])
def test_formats_are_known_by_content_and_not_by_the_ending(
    name: str, state: State, identity: str, tmp_path: Path
) -> None:
    save_file(state, tmp_path / name)
    assert imported_teacher(tmp_path / name, SAID)[1].identity == identity
    torch.save(state, tmp_path / name)
    assert imported_teacher(tmp_path / name, SAID)[1].identity == identity
    torch.save(state, tmp_path / name, _use_new_zipfile_serialization=False)
    assert imported_teacher(tmp_path / name, SAID)[1].identity == identity


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16])
def test_half_precision_becomes_float32(kind: torch.dtype, state: State, tmp_path: Path) -> None:
    half = {n: t.to(kind) if t.is_floating_point() else t for n, t in state.items()}
    torch.save(half, tmp_path / "w.pth")
    teacher, _ = imported_teacher(tmp_path / "w.pth", SAID)
    weight = teacher.network.head.weight
    assert weight.dtype == torch.float32
    assert torch.equal(weight, half["head.weight"].float())


def test_what_was_found_and_taken_off_is_told(
    state: State, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = {"state_dict": {**under("model.", state), "criterion.weight": torch.ones(3)}}
    torch.save({**content, "epoch": 3}, tmp_path / "w.pth")
    imported_teacher(tmp_path / "w.pth", SAID)
    told = capsys.readouterr().err
    assert f"w.pth: it contains 'state_dict' ({len(state) + 1} tensors), 'epoch' (int)" in told
    assert "weights found under 'state_dict'" in told
    assert f"'model.' removed from the names of {len(state)} tensors" in told
    assert "not used: 'state_dict.criterion.weight'" in told


def test_what_was_found_is_told_before_what_does_not_fit(
    state: State, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = under("module.", {n: t for n, t in state.items() if n != "stem.0.weight"})
    torch.save({"net": wrong, "acc": 0.5}, tmp_path / "w.pth")
    with pytest.raises(DfbenchError, match=r"1 tensors are missing .'stem.0.weight'"):
        imported_teacher(tmp_path / "w.pth", SAID)
    assert "'net' (" in (told := capsys.readouterr().err)
    assert "'module.' removed" in told


def test_entry_takes_the_averages_and_unknown_ones_are_refused(
    state: State, identity: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.save({"state_dict": moved(state), "state_dict_ema": state}, tmp_path / "w.pth")
    assert imported_teacher(tmp_path / "w.pth", SAID)[1].identity != identity
    assert "to use them: --entry state_dict_ema" in capsys.readouterr().err
    assert imported_teacher(tmp_path / "w.pth", SAID, "state_dict_ema")[1].identity == identity
    with pytest.raises(DfbenchError, match="did you mean 'state_dict_ema'"):
        imported_teacher(tmp_path / "w.pth", SAID, "state_dict_em")


@pytest.mark.parametrize("pair", [lambda a, b: (a, b), lambda a, b: {"left": a, "right": b}])
def test_weights_that_fit_alike_are_not_guessed_among(
    pair: Callable[[State, State], Any], state: State, identity: str, tmp_path: Path
) -> None:
    torch.save(pair(state, moved(state)), tmp_path / "w.pth")
    with pytest.raises(DfbenchError, match="2 sets of weights that fit equally well") as raised:
        imported_teacher(tmp_path / "w.pth", SAID)
    first = str(raised.value).split("--entry ")[1].split(",")[0]
    assert imported_teacher(tmp_path / "w.pth", SAID, first)[1].identity == identity
    torch.save(pair(state, state), tmp_path / "w.pth")
    assert imported_teacher(tmp_path / "w.pth", SAID)[1].identity == identity


def test_layer_between_body_and_head_is_not_left_out(state: State, tmp_path: Path) -> None:
    wider = split(state, "backbone.", "classifier.") | {"projector.weight": torch.eye(64)}
    torch.save(wider, tmp_path / "w.pth")
    with pytest.raises(DfbenchError, match=r"2 tensors are missing .'head.weight'"):
        imported_teacher(tmp_path / "w.pth", SAID)
    torch.save({**state, "stn.weight": torch.eye(3)}, tmp_path / "w.pth")
    with pytest.raises(DfbenchError, match=r"1 are not in the network .'stn.weight'"):
        imported_teacher(tmp_path / "w.pth", SAID)


def zipped(names: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in names.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def tarred() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("weights"))
    return buffer.getvalue()


def saved(content: Any, **options: Any) -> bytes:
    buffer = io.BytesIO()
    torch.save(content, buffer, **options)
    return buffer.getvalue()


def scripted() -> bytes:
    buffer = io.BytesIO()
    torch.jit.save(torch.jit.trace(nn.Linear(2, 2), torch.rand(1, 2)), buffer)
    return buffer.getvalue()


LINEAR = {"weight": torch.rand(40, 40), "bias": torch.rand(40)}
STRANGE: dict[str, tuple[Callable[[], bytes], str]] = {
    "empty": (lambda: b"", "is empty"),
    "zeros": (lambda: bytes(9000), "filled with zeros"),
    "Git LFS": (
        lambda: b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 46830571\n",
        "a pointer of Git LFS.*git lfs pull",
    ),
    "git-annex": (lambda: b"/annex/objects/SHA256E-s104--0.pth\n", "git annex get"),
    "DVC": (lambda: b"outs:\n- md5: abc\n  path: w.pth\n", "dvc pull"),
    "login page": (
        lambda: b"\n<!DOCTYPE html><html><head><title>Sign\n in</title></head></html>",
        r"an HTML page \('Sign in'\)",
    ),
    "HTML with a mark": (lambda: b"\xef\xbb\xbf<html>", "an HTML page"),
    "storage error": (
        lambda: b'<?xml version="1.0"?><Error>AccessDenied</Error>',
        "an XML message",
    ),
    "message": (lambda: b'{"error": "rate limit"}', 'is text .it starts \'{"error"'),
    "index of shards": (lambda: b'{"weight_map": {"a": "1.safetensors"}}', "in several files"),
    "HDF5": (lambda: b"\x89HDF\r\n\x1a\n" + bytes(100), "an HDF5 file"),
    "ONNX": (lambda: b"\x08\x08\x12\x07pytorch\x1a\x052.1.0" + bytes(99), "an ONNX file"),
    "TorchScript": (scripted, r"a TorchScript archive.*torch\.jit\.load"),
    "exported": (lambda: zipped({"m/archive_format": b"pt2", "m/data.pkl": b""}), "torch.export"),
    "Keras": (lambda: zipped({"config.json": b"", "model.weights.h5": b""}), "a Keras archive"),
    "arrays": (lambda: zipped({"a.npy": b"", "b.npy": b""}), "an archive of NumPy arrays"),
    "other archive": (lambda: zipped({"w/readme.txt": b"x"}), "it contains 'w/readme.txt'"),
    "gzip": (lambda: gzip.compress(saved(LINEAR)), "compressed by gzip.*gunzip"),
    "tar": (tarred, "a tar archive"),
    "pickle": (lambda: pickle.dumps({"a": 1}), "a pickle not written by torch.save"),
    "bytes": (lambda: bytes(range(200, 256)) * 9, "of an unknown format.*c8 c9"),
    "cut archive": (lambda: saved(LINEAR)[:-200], "a truncated archive"),
    "cut pickle": (
        lambda: saved(LINEAR, _use_new_zipfile_serialization=False)[:-200],
        "truncated or damaged.*unexpected EOF",
    ),
    "pickle cut at its beginning": (
        lambda: saved(LINEAR, _use_new_zipfile_serialization=False)[:9],
        "truncated .9 bytes",
    ),
    "cut safetensors": (
        lambda: save(LINEAR)[:-9],
        r"a truncated safetensors file \(6\d+ of 6\d+ bytes\)",
    ),
    "safetensors cut in the header": (lambda: save(LINEAR)[:40], "truncated in its header"),
    "namespace": (
        lambda: saved({"state_dict": LINEAR, "args": argparse.Namespace(lr=1)}),
        r"pickled objects besides tensors \(argparse.Namespace\)",
    ),
    "namespace, old format": (
        lambda: saved({"args": argparse.Namespace()}, _use_new_zipfile_serialization=False),
        r"pickled objects besides tensors \(argparse.Namespace\)",
    ),
    "whole network": (
        lambda: saved(nn.Linear(2, 2)),
        r"torch.nn.modules.linear.Linear.*\.state_dict\(\)",
    ),
    "path": (lambda: saved({"model": LINEAR, "out": Path("x")}), "pickled objects.*pathlib"),
    "nothing": (lambda: saved({"epoch": 3, "lr": 0.1}), r"contains no state dict.*'epoch' \(int\)"),
    "weights without names": (
        lambda: saved({"shadow_params": list(LINEAR.values())}),
        r"contains no state dict.*'shadow_params' \(2 tensors\)",
    ),
}


@pytest.mark.filterwarnings("ignore:`torch.jit")
@pytest.mark.parametrize("strange", STRANGE)
def test_files_that_are_no_weights_are_told_apart(strange: str, tmp_path: Path) -> None:
    make, told = STRANGE[strange]
    (tmp_path / "w.pth").write_bytes(make())
    with pytest.raises(DfbenchError, match=told) as raised:
        imported_teacher(tmp_path / "w.pth", SAID)
    assert "\n" not in str(raised.value)
    assert "allowed: " in str(raised.value)


BAD_VALUES: dict[str, tuple[Callable[[Tensor], Any], str]] = {
    "no values": (lambda t: torch.empty_like(t, device="meta"), "has no values"),
    "whole numbers": (lambda t: t.mul(100).to(torch.int8), "integers .torch.int8"),
    "beyond float32": (lambda t: t.double() * 1e60, "beyond float32"),
    "complex": (lambda t: t.to(torch.complex64), "is complex"),
    "texts": (lambda t: np.full(tuple(t.shape), "x"), "an array of <U1"),
    "not finite": (lambda t: t / 0, "not finite"),
}


@pytest.mark.parametrize("bad", BAD_VALUES)
def test_values_that_are_no_weights_are_refused(bad: str, state: State, tmp_path: Path) -> None:
    make, told = BAD_VALUES[bad]
    torch.save({**state, "head.weight": make(state["head.weight"])}, tmp_path / "w.pth")
    with pytest.raises(DfbenchError, match=f"head.weight.*{told}"):
        imported_teacher(tmp_path / "w.pth", SAID)


@pytest.mark.filterwarnings("ignore:torch.quantize_per_tensor:UserWarning")
def test_quantised_weights_are_refused(state: State, tmp_path: Path) -> None:
    small = torch.quantize_per_tensor(state["head.weight"], 0.1, 0, torch.qint8)
    torch.save({**state, "head.weight": small}, tmp_path / "w.pth")
    with pytest.raises(DfbenchError, match=r"'head.weight' is quantised"):
        imported_teacher(tmp_path / "w.pth", SAID)


def test_damaged_files_never_end_in_a_traceback(state: State, tmp_path: Path) -> None:
    file, draws = tmp_path / "w.pth", np.random.default_rng(0)
    for content in (
        saved(state),
        saved(LINEAR, _use_new_zipfile_serialization=False),
        save(LINEAR),
    ):
        for _ in range(40):
            damaged = bytearray(content)
            for place in draws.integers(0, min(len(damaged), 900), 4):
                damaged[place] = draws.integers(256)
            file.write_bytes(damaged)
            with suppress(DfbenchError):  # changed values of weights may be fine
                imported_teacher(file, SAID)


def test_folder_of_weights_is_refused_with_the_files_in_it(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(json.dumps({}).encode())
    with pytest.raises(DfbenchError, match=r"a folder; it contains model.safetensors"):
        imported_teacher(tmp_path, SAID)
