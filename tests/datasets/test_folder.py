from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dfbench.datasets import MODALITIES, Dataset, DatasetRequest
from dfbench.datasets.folder.opening import open_folder
from dfbench.errors import DfbenchError, InvalidInput, UnknownName
from dfbench.system.file_errors import FileFault

Maker = Callable[..., Path]


def opened(root: Path, **asked: object) -> Dataset:
    request = DatasetRequest(cache=root.parent / "cache", argument=str(root), **asked)  # type: ignore[arg-type]  # keyword arguments
    return open_folder(request)


def test_a_fifth_of_each_class_and_modality_is_held_out(make_folder: Maker) -> None:
    dataset = opened(make_folder({"cat": 20, "dog": 15}))
    assert dataset.name == "folder:animals"
    assert dataset.classes == ("cat", "dog")
    assert dataset.alternative_classes == ()
    assert dataset.notes == ()
    for modality in MODALITIES:
        train, test = (dataset.images(modality, part) for part in ("train", "test"))
        assert np.bincount(train.labels).tolist() == [16, 12]
        assert np.bincount(test.labels).tolist() == [4, 3]
        assert not set(train.names) & set(test.names)
        assert all(name.startswith(f"{modality}/{'cat'}/") for name in test.names[:4])
        assert len(dataset.alternative(modality)) == 0


def test_images_are_those_of_the_files(make_folder: Maker) -> None:
    root = make_folder({"cat": 6, "dog": 6}, size=32)
    dataset = opened(root)
    for modality, channels in (("photo", 3), ("sketch", 1)):
        part = dataset.images(modality, "train")  # type: ignore[arg-type]  # one of MODALITIES
        assert part.images.shape[1:] == (channels, 32, 32)
        for image, name, label in zip(part.images, part.names, part.labels, strict=True):
            pixels = np.asarray(Image.open(root / name)).transpose(2, 0, 1)
            np.testing.assert_array_equal(image, pixels[:channels])
            assert name.split("/")[1] == part.classes[label]


def test_names_of_files_and_folder_decide_nothing(make_folder: Maker) -> None:
    root = make_folder({"cat": 10, "dog": 10})
    before = opened(root)
    other = root.parent / "elsewhere"
    for folder in (root / m / c for m in MODALITIES for c in ("dog", "cat")):
        there = other / folder.relative_to(root)
        there.mkdir(parents=True)
        for i, file in enumerate(sorted(folder.iterdir(), reverse=True)):
            shutil.copy(file, there / f"renamed_{i}.PNG")
    after = opened(other)
    assert after.fingerprint == before.fingerprint
    for part in ("train", "test"):
        np.testing.assert_array_equal(
            before.images("photo", part).images, after.images("photo", part).images
        )


def test_fingerprint_tells_contents_size_and_classes(make_folder: Maker) -> None:
    root = make_folder({"cat": 6, "dog": 6, "eel": 6})
    prints = {
        opened(root).fingerprint,
        opened(root, image_size=16).fingerprint,
        opened(root, classes=("cat", "dog")).fingerprint,
        opened(root, classes=("cat", "dog"), alternative_classes=("eel",)).fingerprint,
    }
    assert len(prints) == 4
    (root / "photo" / "cat" / "0.png").unlink()
    assert opened(root).fingerprint not in prints


@pytest.mark.parametrize(("pixels", "expected"), [(32, 32), (33, 64)])
def test_size_follows_the_images(make_folder: Maker, pixels: int, expected: int) -> None:
    dataset = opened(make_folder({"cat": 4, "dog": 4}, size=pixels))
    assert dataset.image_size == expected
    assert dataset.images("photo", "train").images.shape[2:] == (expected, expected)


def test_copies_are_never_divided(make_folder: Maker) -> None:
    root = make_folder({"cat": 10, "dog": 10})
    for i in range(1, 5):
        shutil.copy(root / "photo/cat/0.png", root / f"photo/cat/copy{i}.png")
    dataset = opened(root)
    parts = [dataset.images("photo", part) for part in ("train", "test")]
    sides = [{image.tobytes() for image in part.images[part.labels == 0]} for part in parts]
    assert not sides[0] & sides[1]


def test_other_files_are_ignored(make_folder: Maker) -> None:
    root = make_folder({"cat": 4, "dog": 4})
    before = opened(root).fingerprint
    for name in (".hidden.png", "list.txt", "table.csv", "Thumbs.db"):
        (root / "photo" / "cat" / name).write_text("no image")
    (root / "photo" / "cat" / "deeper.png").mkdir()
    (root / "photo" / ".checkpoints").mkdir()
    assert opened(root).fingerprint == before


@pytest.mark.parametrize("damage", ["empty", "truncated", "text", "dangling"])
def test_unreadable_image_is_named_or_left_out(make_folder: Maker, damage: str) -> None:
    root = make_folder({"cat": 6, "dog": 6})
    victim = root / "sketch" / "dog" / "3.png"
    whole = victim.read_bytes()
    victim.unlink()
    if damage == "dangling":
        victim.symlink_to(root / "nowhere.png")
    else:
        victim.write_bytes({"empty": b"", "truncated": whole[:-60], "text": b"hello"}[damage])
    with pytest.raises(InvalidInput, match=r"sketch/dog/3\.png.*--skip-unreadable"):
        opened(root)
    dataset = opened(root, skip_unreadable=True)
    assert dataset.notes == ("1 unreadable image files left out",)
    assert len(dataset.images("sketch", "train")) + len(dataset.images("sketch", "test")) == 11
    with pytest.raises(InvalidInput, match="--skip-unreadable"):
        opened(root)


def test_changed_source_is_noticed(make_folder: Maker) -> None:
    root = make_folder({"cat": 4, "dog": 4})
    before = opened(root)
    victim = root / "photo" / "cat" / "1.png"
    stat = victim.stat()
    Image.new("RGB", (20, 20), "red").save(victim)
    os.utime(victim, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    after = opened(root)
    assert after.fingerprint != before.fingerprint
    images = [after.images("photo", part).images for part in ("train", "test")]
    assert any((image == np.array([255, 0, 0])[:, None, None]).all() for p in images for image in p)


@pytest.mark.parametrize("harm", ["cut", "flip", "header", "empty"])
def test_damaged_cache_is_built_again(make_folder: Maker, harm: str) -> None:
    root = make_folder({"cat": 4, "dog": 4})
    before = np.array(opened(root).images("photo", "train").images)
    (pack,) = (root.parent / "cache").glob("*/*.pack")
    data = bytearray(pack.read_bytes())
    if harm == "flip":
        data[-5] ^= 1
    elif harm == "header":
        data[20] ^= 255
    kept = {"cut": len(data) - 100, "empty": 0}.get(harm, len(data))
    pack.write_bytes(data[:kept])
    np.testing.assert_array_equal(opened(root).images("photo", "train").images, before)


def test_full_disk_leaves_a_clear_line_and_no_file(
    make_folder: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = make_folder({"cat": 4, "dog": 4})

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(DfbenchError, match=r"no space left .*cache.*free some space"):
        opened(root)
    monkeypatch.undo()
    assert not [file for file in (root.parent / "cache").rglob("*") if file.is_file()]
    assert opened(root).classes == ("cat", "dog")


def test_cache_that_cannot_be_a_folder_is_named(make_folder: Maker) -> None:
    root = make_folder({"cat": 4, "dog": 4})
    (root.parent / "cache").write_text("in the way")
    with pytest.raises(FileFault, match=r"cannot write '.*cache.*': a .* file, not a folder"):
        opened(root)


def test_missing_folders_are_named(make_folder: Maker, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"no folder '.*nowhere'.*photo/<class>"):
        opened(tmp_path / "nowhere")
    root = make_folder({"cat": 4, "dog": 4})
    (root / "sketch").rename(root / "sketches")
    with pytest.raises(InvalidInput, match=r"has no 'sketch' \(it has: photo, sketches\)"):
        opened(root)
    with pytest.raises(InvalidInput, match="needs a path"):
        open_folder(DatasetRequest(cache=tmp_path))


def test_class_in_one_modality_only_is_named(make_folder: Maker) -> None:
    root = make_folder({"cat": 4, "dog": 4, "eel": 4})
    shutil.rmtree(root / "photo" / "eel")
    with pytest.raises(InvalidInput, match=r"'eel' has a folder in sketch/.*photo/.*--classes"):
        opened(root)
    assert opened(root, classes=("cat", "dog")).classes == ("cat", "dog")


def test_empty_and_tiny_classes_are_refused(make_folder: Maker) -> None:
    root = make_folder({"cat": 4, "dog": 4, "eel": 1})
    with pytest.raises(InvalidInput, match="'eel' has too few distinct readable images in photo"):
        opened(root)
    (root / "photo" / "eel" / "0.png").unlink()
    with pytest.raises(InvalidInput, match=r"no images in '.*photo.eel'.*--classes"):
        opened(root)


def test_misspelt_class_is_named_with_the_nearest(make_folder: Maker) -> None:
    with pytest.raises(UnknownName, match="'catt'; did you mean 'cat'"):
        opened(make_folder({"cat": 4, "dog": 4}), classes=("catt", "dog"))


def test_one_class_cannot_be_both_benchmark_and_alternative(make_folder: Maker) -> None:
    root = make_folder({"alarm clock": 4, "Alarm_Clock": 4, "dog": 4})
    with pytest.raises(InvalidInput, match="is the same as benchmark class"):
        opened(root, classes=("alarm clock", "dog"), alternative_classes=("Alarm_Clock",))


def test_alternative_classes_are_taken_from_the_rest(make_folder: Maker) -> None:
    root = make_folder({"cat": 4, "dog": 4, "eel": 1})
    dataset = opened(root, alternative_classes=("eel",))
    assert dataset.classes == ("cat", "dog")
    assert dataset.alternative("photo").classes == ("eel",)
    assert len(dataset.alternative("photo")) == 1


@pytest.mark.parametrize("size", [0, -3])
def test_impossible_size_is_refused(make_folder: Maker, size: int) -> None:
    with pytest.raises(InvalidInput, match=f"image size {size}"):
        opened(make_folder({"cat": 4, "dog": 4}), image_size=size)


def test_archive_and_link_in_a_circle_are_named(make_folder: Maker, tmp_path: Path) -> None:
    archive = tmp_path / "animals.zip"
    archive.write_bytes(b"PK")
    with pytest.raises(InvalidInput, match=r"'.*animals\.zip' is a file: unpack it"):
        opened(archive)
    root = make_folder({"cat": 4, "dog": 4})
    (root / "photo" / "eel").symlink_to("eel")
    with pytest.raises(InvalidInput, match=r"photo.eel' is a broken or circular link"):
        opened(root)


def test_archive_in_place_of_a_class_or_of_all_photos_is_named(make_folder: Maker) -> None:
    root = make_folder({"cat": 4, "dog": 4, "eel": 4})
    for modality in ("photo", "sketch"):
        (root / modality / "eel.zip").write_bytes(b"PK")
    assert opened(root).classes == ("cat", "dog", "eel")
    for modality in ("photo", "sketch"):
        shutil.rmtree(root / modality / "eel")
    with pytest.raises(InvalidInput, match=r"photo/eel\.zip' is an archive: unpack it"):
        opened(root)
    shutil.rmtree(root / "photo")
    (root / "photo.tar").write_bytes(b"")
    with pytest.raises(InvalidInput, match=r"no 'photo' \(it has: sketch\): unpack 'photo\.tar'"):
        opened(root)


def test_names_that_collide_are_named(make_folder: Maker) -> None:
    root = make_folder({"cat": 4, "Hot_Dog": 4, "hot dog": 4})
    with pytest.raises(InvalidInput, match=r"'hot dog' is the same as benchmark class 'Hot_Dog'"):
        opened(root)
    assert opened(root, classes=("cat", "hot dog")).classes == ("cat", "hot dog")


def test_links_back_into_the_tree_are_not_descended_into(make_folder: Maker) -> None:
    root = make_folder({"cat": 4, "dog": 4})
    before = opened(root).fingerprint
    (root / "photo" / "cat" / "again").symlink_to(root, target_is_directory=True)
    assert opened(root).fingerprint == before


def test_options_of_published_datasets_are_refused(make_folder: Maker) -> None:
    root = make_folder({"cat": 4, "dog": 4})
    with pytest.raises(InvalidInput, match="--holdout literature does not apply to a folder"):
        opened(root, holdout="literature")
    with pytest.raises(InvalidInput, match="--duplicate-photos does not apply to a folder"):
        opened(root, duplicate_photos=True)
