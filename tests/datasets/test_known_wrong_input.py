"""A data root that is not as it should be: a clear line or a correct result, nothing lost."""

from __future__ import annotations

import io
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from trees import LAYOUTS, SOME, Miniature, miniature, pacs_dassl, sketch_lvm, write

from dfbench.datasets import Dataset, DatasetRequest
from dfbench.datasets.known import inventory
from dfbench.datasets.known.opening import open_known
from dfbench.errors import InvalidInput, UnknownName

PACS = ("dog", "elephant", "giraffe", "guitar", "horse", "house", "person")


@pytest.fixture
def mini() -> Miniature:
    return miniature(PACS)


@pytest.fixture
def root(tmp_path: Path, mini: Miniature) -> Path:
    sketch_lvm(tmp_path / "data", mini)
    return tmp_path / "data"


def opened(root: Path | None, name: str = "pacs", **asked: object) -> Dataset:
    cache = (root or Path("/nonexistent/x")).parent / "cache"
    return open_known(DatasetRequest(cache=cache, root=root, **asked), name=name)  # type: ignore[arg-type]  # keyword arguments


@pytest.mark.parametrize("name", ["sketchy", "sketchy-ext", "tuberlin", "quickdraw-ext", "pacs"])
def test_without_a_root_the_guide_says_what_to_get_and_where_to_put_it(name: str) -> None:
    with pytest.raises(InvalidInput) as fault:
        opened(None, name)
    text = str(fault.value)
    for part in ("--data-root PATH", "DFBENCH_DATA", "data-root =", "http", "unpack to PATH/"):
        assert part in text
    assert f"dfbench data verify {name} --data-root PATH" in text
    assert len(text.splitlines()) <= 10


def test_root_that_is_not_there_is_quoted(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"no folder '.*nowhere' \(--data-root\)\n.*photos"):
        opened(tmp_path / "nowhere")


def test_zip_where_a_folder_is_expected(tmp_path: Path, root: Path) -> None:
    archive = tmp_path / "pacs.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("photo/dog/1.png", b"")
    with pytest.raises(InvalidInput, match=r"data root '.*pacs\.zip' is a file: unpack it"):
        opened(archive)
    shutil.rmtree(root / "photo")
    archive.rename(root / "photo.zip")
    with pytest.raises(InvalidInput, match=r"no photos of pacs in .*unpack 'photo\.zip' first"):
        opened(root)


@pytest.mark.parametrize("name", ["horse.zip", "horse.tar.gz", "HORSE.7z"])
def test_archive_in_place_of_a_class_folder(name: str, root: Path) -> None:
    shutil.rmtree(root / "sketch/horse")
    (root / "sketch" / name).write_bytes(b"PK")
    with pytest.raises(InvalidInput, match=rf"'.*sketch/{name}' is an archive: unpack it"):
        opened(root)


def test_foreign_folder_is_answered_with_what_it_has(tmp_path: Path) -> None:
    (tmp_path / "holiday").mkdir()
    with pytest.raises(InvalidInput, match=r"no sketches and no photos of tuberlin.*\(it has: hol"):
        opened(tmp_path, "tuberlin")


@pytest.mark.parametrize("second", ["pacs/images", "PACS"])
def test_two_layouts_in_one_root_are_named(second: str, root: Path, mini: Miniature) -> None:
    write(root / second / "photo", mini.photo, ".jpg")
    place = second.split("/")[0]
    with pytest.raises(InvalidInput, match=rf"photos of pacs in two places: 'photo'.*'{place}/.*"):
        opened(root)


def test_two_layouts_of_sketchy_are_named(tmp_path: Path) -> None:
    few = miniature(SOME["sketchy"], added=2)
    LAYOUTS["sketchy"]["SAKE"](tmp_path, few)
    LAYOUTS["sketchy"]["SEM-PCYC"](tmp_path, few)
    with pytest.raises(InvalidInput, match=r"of SAKE, .* of SEM-PCYC|of SEM-PCYC, .* of SAKE"):
        opened(tmp_path, "sketchy", classes=("all",))


def test_links_to_the_same_place_are_one_place(root: Path) -> None:
    (root / "PACS").symlink_to(root, target_is_directory=True)
    assert len(opened(root).images("photo", "train")) == 21


def test_links_in_a_circle_are_named(root: Path) -> None:
    shutil.rmtree(root / "photo/dog")
    (root / "photo/dog").symlink_to("dog")
    with pytest.raises(InvalidInput, match=r"photo/dog' is a broken or circular link"):
        opened(root)


def test_a_root_that_links_to_itself_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "data").symlink_to("data")
    with pytest.raises(InvalidInput, match="no folder"):
        opened(tmp_path / "data")


def test_class_folder_that_links_back_is_not_descended_into(root: Path) -> None:
    (root / "photo/dog/again").symlink_to(root, target_is_directory=True)
    dataset = opened(root)
    assert len(dataset.images("photo", "train")) == 21
    assert any(
        note.startswith("1 class folders have entries other than images") for note in dataset.notes
    )
    (problem,) = inventory("pacs", root).problems
    assert problem.text.endswith("has entries other than images: 1 links to folders")


def test_image_that_links_to_itself_is_unreadable(root: Path) -> None:
    (root / "photo/dog/loop.png").symlink_to("loop.png")
    with pytest.raises(InvalidInput, match=r"loop\.png' \(Too many levels .*--skip-unreadable"):
        opened(root)
    assert "1 unreadable image files left out" in opened(root, skip_unreadable=True).notes


@pytest.mark.parametrize(("kept", "reason"), [(0, "empty file"), (60, "")])
def test_empty_and_truncated_images(kept: int, reason: str, root: Path) -> None:
    victim = sorted((root / "photo/dog").iterdir())[1]
    victim.write_bytes(victim.read_bytes()[:kept])
    with pytest.raises(InvalidInput, match=rf"cannot read image '.*' \({reason}.*--skip-unread"):
        opened(root)
    dataset = opened(root, skip_unreadable=True)
    assert "1 unreadable image files left out" in dataset.notes
    assert sum(len(dataset.images("photo", part)) for part in ("train", "test")) == 27


def _cmyk() -> bytes:
    return _saved(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "jpeg")


def _deep() -> bytes:
    return _saved(Image.fromarray(np.full((8, 8), 51400, np.uint16)), "png")


def _clear_palette() -> bytes:
    palette = Image.new("P", (8, 8), 1)
    palette.putpalette([0, 0, 255, 255, 0, 0])
    return _saved(palette, "png", transparency=bytes([255, 0]))


def _saved(image: Image.Image, form: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("make", "colour"),
    [(_cmyk, (255, 0, 0)), (_deep, (200, 200, 200)), (_clear_palette, (255, 255, 255))],
)
def test_unusual_images_come_out_in_their_colours(
    make: Callable[[], bytes], colour: tuple[int, int, int], root: Path
) -> None:
    victim = sorted((root / "photo/dog").iterdir())[0]
    victim.write_bytes(make())
    dataset = opened(root)
    found = [
        image
        for part in ("train", "test")
        for image, name in zip(
            dataset.images("photo", part).images,  # type: ignore[arg-type]  # a part
            dataset.images("photo", part).names,  # type: ignore[arg-type]  # a part
            strict=True,
        )
        if name == f"photo/dog/{victim.name}"
    ]
    wanted = np.array(colour)[:, None, None]
    assert np.abs(found[0].astype(int) - wanted).max() <= 2


def test_names_that_collide_are_named(tmp_path: Path) -> None:
    few = miniature(SOME["tuberlin"])
    LAYOUTS["tuberlin"]["archive"](tmp_path, few)
    write(
        tmp_path / "TU-Berlin/ImageResized", {"Space_Shuttle": few.photo["space shuttle"]}, ".jpg"
    )
    with pytest.raises(InvalidInput) as fault:
        opened(tmp_path, "tuberlin", classes=("all",))
    assert "are both folders of class 'space shuttle': move all images into one" in str(fault.value)
    assert "Space_Shuttle" in str(fault.value)
    assert "spacesshuttle" in str(fault.value)
    assert "dfbench data verify tuberlin --data-root" in str(fault.value)


def test_misspelt_folder_is_shown_with_the_class_that_is_missing(root: Path) -> None:
    (root / "sketch/elephant").rename(root / "sketch/elefant")
    with pytest.raises(InvalidInput) as fault:
        opened(root)
    text = str(fault.value)
    assert "1 of 7 classes of pacs have no sketch in" in text
    assert "'elephant'; perhaps misspelt: 1 folders in" in text
    assert "elefant" in text
    assert "--classes all" in text


def test_further_folders_are_noted(root: Path) -> None:
    (root / "photo/unicorn").mkdir()
    assert "1 places have folders that are not classes" in " ".join(opened(root).notes)
    (problem,) = inventory("pacs", root).problems
    assert problem.text.endswith("are not classes of pacs and are ignored: unicorn")


def test_files_that_are_no_images_are_noted(root: Path) -> None:
    for name in ("list.txt", "table.csv", "picture"):
        (root / "photo/dog" / name).write_text("x")
    (root / "photo/dog/.DS_Store").write_text("x")
    (problem,) = inventory("pacs", root).problems
    assert problem.text.endswith("other than images: 1 .csv, 1 .txt, 1 no suffix")
    assert any("1 class folders have entries other than images" in n for n in opened(root).notes)


def test_empty_class_is_named(root: Path) -> None:
    for file in (root / "photo/dog").iterdir():
        file.unlink()
    with pytest.raises(InvalidInput, match=r"1 of 7 classes of pacs have no photo in .*: 'dog'"):
        opened(root)
    assert "class 'dog' has a folder but no photo images in it" in {
        problem.text for problem in inventory("pacs", root).problems
    }


def test_chosen_classes_need_not_be_complete(root: Path) -> None:
    shutil.rmtree(root / "photo/dog")
    assert opened(root, classes=("Horse", "house")).classes == ("horse", "house")
    assert opened(root, classes=("all",)).classes == PACS[1:]
    with pytest.raises(
        UnknownName, match=r"unknown class of pacs 'gitar'; did you mean 'guitar'\?"
    ):
        opened(root, classes=("gitar", "house"))
    with pytest.raises(InvalidInput, match="1 benchmark classes of pacs: a classifier needs two"):
        opened(root, classes=("horse",))


def test_alternative_classes_leave_the_benchmark(root: Path) -> None:
    dataset = opened(root, alternative_classes=("horse", "house"))
    assert dataset.alternative_classes == ("horse", "house")
    assert dataset.classes == ("dog", "elephant", "giraffe", "guitar", "person")
    with pytest.raises(InvalidInput, match="is both a benchmark and an alternative class"):
        opened(root, classes=("dog", "horse"), alternative_classes=("horse",))


def test_unknown_published_dataset_is_answered_with_a_suggestion(tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match="'skecthy'; did you mean 'sketchy'"):
        inventory("skecthy", tmp_path)


def test_a_second_copy_deeper_down_is_not_mixed_in(tmp_path: Path, mini: Miniature) -> None:
    pacs_dassl(tmp_path / "one", mini)
    pacs_dassl(tmp_path / "one/backup", mini)
    assert inventory("pacs", tmp_path / "one").count("photo") == 28


def test_a_link_under_another_spelling_is_the_same_folder(root: Path) -> None:
    before = opened(root).fingerprint
    (root / "photo/Horse").symlink_to("horse")
    assert opened(root).fingerprint == before


def test_archive_beside_its_unpacked_folder_does_no_harm(root: Path) -> None:
    (root / "photo/horse.zip").write_bytes(b"PK")
    assert len(opened(root).images("photo", "train")) == 21


def test_folder_that_may_not_be_read_is_named(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: object) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("os.scandir", refuse)
    with pytest.raises(InvalidInput, match=r"' cannot be read \(Permission denied\): make it read"):
        opened(root)
