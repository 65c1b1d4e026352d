from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dfbench.datasets.images.decoding import UnreadableImageError, decoded


@pytest.mark.parametrize("suffix", [".JPEG", ".jpg", ".PNG", ".webp", ".gif", ".bmp", ".tiff"])
def test_any_format_gives_the_same_flat_colour(tmp_path: Path, suffix: str) -> None:
    file = tmp_path / f"image{suffix}"
    Image.new("RGB", (50, 40), (255, 0, 0)).save(file)
    image = decoded(file, 16)
    assert image.shape == (3, 16, 16)
    assert image.dtype == np.uint8
    assert np.abs(image.astype(int) - np.array([255, 0, 0])[:, None, None]).max() <= 4


@pytest.mark.parametrize("mode", ["1", "L", "P", "LA", "RGBA", "CMYK", "I;16"])
def test_any_mode_becomes_three_channels(tmp_path: Path, mode: str) -> None:
    file = tmp_path / ("image.tiff" if mode == "CMYK" else "image.png")
    if mode == "I;16":
        Image.fromarray(np.full((8, 8), 65535, np.uint16)).save(file)
    else:
        Image.new("RGB", (8, 8), "white").convert(mode).save(file)
    assert (decoded(file, 8) == 255).all()


def test_transparent_is_white(tmp_path: Path) -> None:
    Image.new("RGBA", (8, 8), (0, 0, 0, 0)).save(tmp_path / "clear.png")
    assert (decoded(tmp_path / "clear.png", 8) == 255).all()
    palette = Image.new("P", (8, 8), 1)
    palette.putpalette([0, 0, 255, 255, 0, 0])
    palette.save(tmp_path / "palette.png", transparency=bytes([255, 0]))
    assert (decoded(tmp_path / "palette.png", 8) == 255).all()


def test_exif_orientation_is_obeyed(tmp_path: Path) -> None:
    image = Image.new("L", (8, 8), 0)
    image.paste(255, (0, 0, 8, 4))
    exif = Image.Exif()
    exif[0x0112] = 3
    image.save(tmp_path / "turned.png", exif=exif)
    turned = decoded(tmp_path / "turned.png", 8)
    assert turned[0, 0, 0] == 0
    assert turned[0, 7, 0] == 255


def test_nothing_is_cropped(tmp_path: Path) -> None:
    image = Image.new("L", (64, 16), 255)
    image.paste(0, (0, 0, 32, 16))
    image.save(tmp_path / "wide.png")
    square = decoded(tmp_path / "wide.png", 16)
    assert (square[:, :, :6] < 10).all()
    assert (square[:, :, 10:] > 245).all()


@pytest.mark.parametrize(("data", "reason"), [(b"", "empty file"), (b"hello", "not an image")])
def test_broken_file_says_why(tmp_path: Path, data: bytes, reason: str) -> None:
    (tmp_path / "broken.png").write_bytes(data)
    with pytest.raises(UnreadableImageError, match=reason):
        decoded(tmp_path / "broken.png", 8)
