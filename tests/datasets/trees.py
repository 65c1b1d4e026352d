"""Miniature copies of the published datasets in every layout that is in circulation."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

Spelling = Callable[[str], str]
Images = Mapping[str, Mapping[str, bytes]]
"""By class, then by file name without suffix."""


def published(name: str) -> str:
    return name


def underscored(name: str) -> str:
    return name.replace(" ", "_").replace("-", "_")


def squeezed(name: str) -> str:
    """As in TU-Berlin's archive of photos, misspellings included."""
    wrong = {
        "space shuttle": "spacesshuttle",
        "wrist-watch": "wristwatching",
        "spider": "spidar",
        "mouse (animal)": "mouse",
        "pipe (for smoking)": "pipe",
    }
    return wrong.get(name, "".join(letter for letter in name if letter.isalnum()))


@dataclass(frozen=True)
class Miniature:
    """The images of a dataset, to be written in any layout."""

    sketch: Images
    photo: Images
    """Original photos."""
    added: Images = field(default_factory=dict)
    """Photos of the extended set alone."""

    @property
    def extended(self) -> Images:
        return {name: {**self.photo[name], **self.added.get(name, {})} for name in self.photo}


def miniature(
    classes: Iterable[str], sketches: int = 4, photos: int = 4, added: int = 0
) -> Miniature:
    rng = np.random.RandomState(0)
    names = sorted(classes)
    return Miniature(
        {c: {f"n0{i} {i}-1": picture(rng, 1) for i in range(sketches)} for c in names},
        {c: {f"n0{i} {i}": picture(rng, 3) for i in range(photos)} for c in names},
        {c: {f"ext_{i}": picture(rng, 3) for i in range(added)} for c in names},
    )


def picture(rng: np.random.RandomState, channels: int) -> bytes:
    pixels = np.broadcast_to(rng.randint(0, 256, (8, 8, channels)), (8, 8, 3)).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "png")
    return buffer.getvalue()


def write(folder: Path, images: Images, suffix: str, spelling: Spelling = published) -> Path:
    for name, group in images.items():
        place = folder / spelling(name)
        place.mkdir(parents=True, exist_ok=True)
        for stem, data in group.items():
            (place / f"{stem}{suffix}").write_bytes(data)
    return folder


def many(folder: Path, counts: Mapping[str, int]) -> Path:
    """Class folders with so many files each, all of them empty.

    They are links to one file: to create as many thousands takes forty times as long.
    """
    for name in counts:
        (folder / name).mkdir(parents=True)
    empty = folder / next(iter(counts)) / "0.png"
    empty.touch()
    for name, count in counts.items():
        for i in range(count):
            if (name, i) != (empty.parent.name, 0):
                os.link(empty, f"{folder}/{name}/{i}.png")
    return folder


def listed(file: Path, folder: Path, base: Path) -> None:
    """A list as SAKE has it: `<path relative to base> <label of the class>`."""
    file.parent.mkdir(parents=True, exist_ok=True)
    labels = {place.name: label for label, place in enumerate(sorted(folder.iterdir()))}
    paths = sorted(path.relative_to(base) for path in folder.glob("*/*"))
    lines = [f"{path.as_posix()} {labels[path.parent.name]}\n" for path in paths]
    file.write_text("".join(lines), encoding="utf-8")
    names = "".join(f"{name} {label}\n" for name, label in labels.items())
    for part in ("", "_zero"):
        (file.parent / f"cname_cid{part}.txt").write_text(names, encoding="utf-8")
    (file.parent / "cid_mask.pickle").write_bytes(b"never to be opened")


def table(file: Path, base: Path, photo: Path, sketch: Path) -> None:
    """A table as MA-ZS-SBIR has it: paths on its authors' disk, 0 for a photo, 1 for a sketch."""
    rows = [
        f"/data/dataset/{path.relative_to(base)},a photo of a {path.parent.name}.,{m},3,0\n"
        for m, folder in ((0, photo), (1, sketch))
        for path in sorted(folder.glob("*/*"))
    ]
    file.write_text("img_path,text,m1,m2,label\n" + "".join(rows))


def _halves(images: Images) -> tuple[Images, Images]:
    """The same classes, their images divided."""
    parts: tuple[dict[str, dict[str, bytes]], ...] = ({}, {})
    for name, group in images.items():
        for i, (stem, data) in enumerate(group.items()):
            parts[i % 2].setdefault(name, {})[stem] = data
    return parts[0], parts[1]


def _divided(images: Images) -> tuple[Images, Images]:
    """Every image, the classes divided."""
    names = sorted(images)
    return {c: images[c] for c in names[::2]}, {c: images[c] for c in names[1::2]}


def _two_parts(
    home: Path, mini: Miniature, second: str, divide: Callable[[Images], object]
) -> None:
    for modality, images in (("sketch", mini.sketch), ("photo", mini.extended)):
        for part, chosen in zip(("train", second), divide(images), strict=True):  # type: ignore[call-overload]  # a pair
            write(home / part / modality, chosen, ".jpg")


def sketchy_sake(root: Path, mini: Miniature) -> None:
    home = root / "dataset" / "Sketchy"
    sketch = write(home / "256x256/sketch/tx_000000000000_ready", mini.sketch, ".png")
    photo = write(home / "256x256/photo/tx_000000000000_ready", mini.photo, ".jpg")
    write(home / "EXTEND_image_sketchy_ready", mini.extended, ".jpg")
    lists = home / "zeroshot1"
    for part in ("train", "test", "zero"):
        listed(lists / f"sketch_tx_000000000000_ready_filelist_{part}.txt", sketch, home)
    for part in ("train", "zero"):
        listed(lists / f"all_photo_filelist_{part}.txt", photo, home)


def sketchy_archive(root: Path, mini: Miniature) -> None:
    write(root / "256x256/sketch/tx_000000000000", mini.sketch, ".png")
    write(root / "256x256/photo/tx_000000000000", mini.photo, ".jpg")
    write(root / "EXTEND_image_sketchy", mini.extended, ".jpg")


def sketchy_sem_pcyc(root: Path, mini: Miniature) -> None:
    home = root / "Sketchy"
    write(home / "sketch/tx_000000000000", mini.sketch, ".png", underscored)
    write(home / "photo/tx_000000000000", mini.photo, ".jpg", underscored)
    write(home / "extended_photo", mini.extended, ".jpg", underscored)


def sketchy_doodle2search(root: Path, mini: Miniature) -> None:
    for variant in ("000000000000", "000000000010", "000100000000"):
        write(root / f"Sketchy/sketch/tx_{variant}", mini.sketch, ".png")
    (root / "Sketchy/class_labels.txt").write_text("\n".join(mini.sketch))
    write(root / "EXTEND_image_sketchy", mini.extended, ".jpg")


def sketchy_ma_zs_sbir(root: Path, mini: Miniature) -> None:
    home = root / "sketchy" / "Sketchy"
    sketch = write(home / "sketch/tx_000000000000", mini.sketch, ".png")
    photo = write(home / "extended_photo", mini.extended, ".jpg")
    table(home / "test_sketchy.csv", root, photo, sketch)


def tuberlin_sake(root: Path, mini: Miniature) -> None:
    home = root / "datasets" / "TUBerlin"
    sketch = write(home / "png_ready", mini.sketch, ".png")
    photo = write(home / "ImageResized_ready", mini.photo, ".JPEG")
    listed(home / "zeroshot/png_ready_filelist_zero.txt", sketch, home)
    listed(home / "zeroshot/ImageResized_ready_filelist_zero.txt", photo, home)


def tuberlin_archive(root: Path, mini: Miniature) -> None:
    write(root / "TU-Berlin/png", mini.sketch, ".png")
    write(root / "TU-Berlin/ImageResized", mini.photo, ".JPEG", squeezed)


def tuberlin_sem_pcyc(root: Path, mini: Miniature) -> None:
    write(root / "TU-Berlin/sketches", mini.sketch, ".png", underscored)
    write(root / "TU-Berlin/images", mini.photo, ".jpg", underscored)


def tuberlin_ma_zs_sbir(root: Path, mini: Miniature) -> None:
    home = root / "tuberlin-ext"
    _two_parts(home, mini, "test", _divided)
    table(home / "test_tuberlin.csv", root, home / "test/photo", home / "test/sketch")


def tuberlin_doodle2search(root: Path, mini: Miniature) -> None:
    write(root / "sketches", mini.sketch, ".png", underscored)
    write(root / "images", mini.photo, ".jpg", underscored)
    (root / "class_labels.txt").write_text("\n".join(mini.sketch))


def quickdraw_sake(root: Path, mini: Miniature) -> None:
    home = root / "QuickDraw"
    sketch = write(home / "sketches", mini.sketch, ".png")
    photo = write(home / "images", mini.photo, ".jpg")
    listed(home / "zeroshot/sketch_zero.txt", sketch, home)
    listed(home / "zeroshot/all_photo_zero.txt", photo, home)


def quickdraw_doodle2search(root: Path, mini: Miniature) -> None:
    """Training reads one pair of folders, testing another; the test pair repeats some classes."""
    write(root / "QuickDraw_sketches_final", mini.sketch, ".png")
    write(root / "QuickDraw_images_final", mini.photo, ".jpg")
    write(root / "QuickDraw_sketches", _divided(mini.sketch)[0], ".png")
    write(root / "EXTEND_image_quickdraw", _divided(mini.photo)[0], ".jpg")
    labels = root / "quick_draw_125/class_labels.txt"
    labels.parent.mkdir()
    labels.write_text("\n".join([*mini.sketch, "class_labels.txt"]))


def pacs_archive(root: Path, mini: Miniature) -> None:
    """As its authors give it: four domains and the lists of their splits."""
    home = root / "PACS" / "Raw images" / "kfold"
    for domain, images in (("photo", mini.photo), ("sketch", mini.sketch)):
        write(home / domain, images, ".jpg")
        listed(root / f"PACS/splits/{domain}_train_kfold.txt", home / domain, home)
    for domain in ("art_painting", "cartoon"):
        write(home / domain, mini.photo, ".jpg")


def pacs_dassl(root: Path, mini: Miniature) -> None:
    write(root / "pacs/images/photo", mini.photo, ".jpg")
    write(root / "pacs/images/sketch", mini.sketch, ".png")


def leftthomas(home: str) -> Callable[[Path, Miniature], None]:
    return lambda root, mini: _two_parts(root / home, mini, "val", _divided)


def df_sbir(root: Path, mini: Miniature) -> None:
    _two_parts(root, mini, "test", _halves)


def sketch_lvm(root: Path, mini: Miniature) -> None:
    write(root / "sketch", mini.sketch, ".png")
    write(root / "photo", mini.extended, ".jpg")


def amld(home: str) -> Callable[[Path, Miniature], None]:
    def build(root: Path, mini: Miniature) -> None:
        write(root / "raw" / home / "sketches", mini.sketch, ".png")
        write(root / "raw" / home / "images", mini.extended, ".jpg")

    return build


ANYWHERE = {"DF-SBIR": df_sbir, "Sketch_LVM": sketch_lvm}
LAYOUTS: dict[str, dict[str, Callable[[Path, Miniature], None]]] = {
    "sketchy": {
        "SAKE": sketchy_sake,
        "archive": sketchy_archive,
        "SEM-PCYC": sketchy_sem_pcyc,
        "Doodle2Search": sketchy_doodle2search,
        "MA-ZS-SBIR": sketchy_ma_zs_sbir,
        "leftthomas": leftthomas("sketchy"),
        "AMLD": amld("Sketchy"),
        **ANYWHERE,
    },
    "tuberlin": {
        "SAKE": tuberlin_sake,
        "archive": tuberlin_archive,
        "SEM-PCYC": tuberlin_sem_pcyc,
        "Doodle2Search": tuberlin_doodle2search,
        "MA-ZS-SBIR": tuberlin_ma_zs_sbir,
        "leftthomas": leftthomas("tuberlin"),
        "AMLD": amld("TU-Berlin"),
        **ANYWHERE,
    },
    "quickdraw": {
        "SAKE": quickdraw_sake,
        "Doodle2Search": quickdraw_doodle2search,
        "AMLD": amld("Quickdraw"),
        **ANYWHERE,
    },
    "pacs": {"archive": pacs_archive, "Dassl": pacs_dassl, **ANYWHERE},
}
SOME = {
    "sketchy": ("alarm_clock", "car_(sedan)", "hot-air_balloon", "jack-o-lantern", "zebra"),
    "tuberlin": (
        *("bear (animal)", "computer-mouse", "mouse (animal)", "pipe (for smoking)"),
        *("space shuttle", "spider", "wrist-watch"),
    ),
    "quickdraw": ("eiffel tower", "fire_hydrant", "hot-air_balloon", "palm tree", "wine bottle"),
    "pacs": ("dog", "guitar", "horse"),
}
"""A few classes of each dataset, those with the oddest names."""
