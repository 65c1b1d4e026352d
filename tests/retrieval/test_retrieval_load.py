from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from stand_in import stand_in_encoder, stand_in_run

import dfbench
from dfbench.datasets.images.decoding import decoded
from dfbench.errors import InvalidInput
from dfbench.records.record import Record

Made = tuple[Path, Record]
BYTES = np.random.default_rng(0).integers(0, 256, (7, 3, 32, 32)).astype(np.uint8)


def test_loaded_encoders_embed_as_those_of_the_run(made: Made) -> None:
    model = dfbench.load(made[0])
    images = torch.from_numpy(BYTES).float() / 255
    with torch.no_grad():
        photos = stand_in_encoder("photo")(images).numpy()
        sketches = stand_in_encoder("sketch")(images).numpy()
    assert np.allclose(model.encode_photos(BYTES), photos, atol=1e-5)
    assert np.allclose(model.encode_sketches(torch.from_numpy(BYTES)), sketches, atol=1e-5)
    assert model.encode_photos(BYTES).dtype == np.float32


def test_embedding_of_a_picture_does_not_depend_on_its_batch(made: Made) -> None:
    model = dfbench.load(str(made[0]))
    many = np.concatenate([BYTES] * 80)
    rows = model.encode_photos(many)
    assert len(rows) == len(many) > 500
    assert np.allclose(rows[-1:], model.encode_photos(many[-1:]), atol=1e-5)


def test_file_picture_and_array_of_one_image_embed_alike(made: Made, tmp_path: Path) -> None:
    model = dfbench.load(made[0])
    file = tmp_path / "photo.png"
    noise = np.random.default_rng(1).integers(0, 256, (40, 60, 4)).astype(np.uint8)
    Image.fromarray(noise, "RGBA").save(file)
    from_array = model.encode_photos(decoded(file, 32)[None])
    with Image.open(file) as picture:
        assert np.array_equal(model.encode_photos(picture), from_array)
        both = model.encode_photos([picture, Image.new("L", (9, 9), 255)])
    assert np.allclose(both[:1], from_array, atol=1e-5)


def test_arrays_of_another_size_are_resized_and_grey_ones_are_taken(made: Made) -> None:
    model = dfbench.load(made[0])
    large = BYTES.repeat(2, axis=2).repeat(2, axis=3)
    assert model.encode_sketches(large).shape == (7, 16)
    grey = BYTES[:, :1]
    three = np.repeat(grey, 3, axis=1)
    assert np.array_equal(model.encode_sketches(grey), model.encode_sketches(three))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16, torch.bfloat16])
def test_floats_from_0_to_1_embed_as_their_bytes(made: Made, dtype: torch.dtype) -> None:
    model = dfbench.load(made[0])
    bytes_ = np.where(BYTES < 128, 0, 255).astype(np.uint8)  # exact in every precision
    floats = (torch.from_numpy(bytes_).double() / 255).to(dtype)
    assert np.array_equal(model.encode_photos(floats), model.encode_photos(bytes_))


def test_all_256_levels_of_float_tensors_and_arrays_are_those_of_bytes(made: Made) -> None:
    model = dfbench.load(made[0])
    levels = np.arange(256, dtype=np.uint8).repeat(12).reshape(1, 3, 32, 32)
    expected = model.encode_sketches(levels)
    assert np.array_equal(model.encode_sketches((levels / 255).astype(np.float32)), expected)
    assert np.array_equal(model.encode_sketches(torch.from_numpy(levels) / 255), expected)
    large = np.repeat(np.repeat(levels, 2, axis=2), 2, axis=3)
    assert np.array_equal(model.encode_sketches(large / 255), model.encode_sketches(large))


def test_paths_are_read_as_their_pictures(made: Made, tmp_path: Path) -> None:
    model = dfbench.load(made[0])
    files = [tmp_path / f"{number}.png" for number in range(3)]
    for file, pixels in zip(files, BYTES, strict=False):
        Image.fromarray(pixels.transpose(1, 2, 0)).save(file)
    expected = model.encode_photos(BYTES[:3])
    assert np.allclose(model.encode_photos(files), expected, atol=1e-6)
    assert np.allclose(model.encode_photos([*map(str, files)]), expected, atol=1e-6)
    assert np.allclose(model.encode_photos(str(files[0])), expected[:1], atol=1e-6)
    with Image.open(files[2]) as picture:
        mixed = model.encode_photos([files[1], picture])
    assert np.allclose(mixed, expected[1:], atol=1e-6)


@pytest.mark.parametrize(
    ("pictures", "told"),
    [
        (BYTES / 1.0, "values from 0 to 255 in a batch of float64"),
        (BYTES / 127.5 - 1, "values from -1 to 1 in a batch of float64"),
        (np.full((1, 3, 32, 32), np.nan), "values from nan to nan in a batch of float64"),
        (torch.full((1, 3, 32, 32), torch.inf), "to inf in a batch of float32"),
        (BYTES[0] / 255.0, "float64 [3, 32, 32]"),
        (BYTES.astype(np.int64), "int64 [7, 3, 32, 32]"),
        (torch.ones(1, 3, 32, 32, dtype=torch.bool), "bool [1, 3, 32, 32]"),
        (BYTES[0], "uint8 [3, 32, 32]"),
        (BYTES.transpose(0, 2, 3, 1), "uint8 [7, 32, 32, 3]"),
        (["nowhere.png"], "'nowhere.png' cannot be read"),
        (Path("nowhere.png"), "'nowhere.png' cannot be read"),
        (__file__, "cannot be read"),
        ([3], "int among the images"),
        ([], "no images"),
    ],
)
def test_what_is_no_picture_is_refused_with_what_is_allowed(
    pictures: Any, told: str, made: Made
) -> None:
    with pytest.raises(InvalidInput) as fault:
        dfbench.load(made[0]).encode_photos(pictures)
    assert told in str(fault.value)
    assert "allowed: " in str(fault.value)


def test_ranking_is_by_the_similarity_of_the_run(tmp_path: Path) -> None:
    folder, _ = stand_in_run(tmp_path, similarity="euclidean")
    photos = np.array([[10, 0], [1, 0.2], [0, 1]], np.float32)
    query = np.array([[1, 0]], np.float32)
    assert dfbench.load(folder).rank(query, photos, 2).tolist() == [[1, 2]]


def test_encoders_that_are_no_chain_are_refused_with_their_name(tmp_path: Path) -> None:
    folder, _ = stand_in_run(tmp_path, obstacle="its photo encoder is mine.Own")
    with pytest.raises(InvalidInput, match=r"its photo encoder is mine\.Own; allowed: .*as_parts"):
        dfbench.load(folder)


def test_folders_without_sound_encoders_are_refused_in_one_line(made: Made, tmp_path: Path) -> None:
    folder = tmp_path / "run"

    def refused() -> str:
        with pytest.raises(InvalidInput) as fault:
            dfbench.load(folder)
        assert "\n" not in str(fault.value)
        return str(fault.value)

    assert "no encoders in" in refused()
    shutil.copytree(made[0], folder)
    tensors = load_file(folder / "encoders.safetensors")
    del tensors["sketch.head.bias"]
    save_file(tensors, folder / "encoders.safetensors")
    assert "do not match its encoders" in refused()
    (folder / "encoders.safetensors").write_bytes(b"12345678 and no header")
    assert "is damaged" in refused()
    (folder / "encoders.json").write_text('{"schema_version": 2}')
    assert "schema_version" in refused()
    (folder / "encoders.json").unlink()
    assert "without encoders.json" in refused()
