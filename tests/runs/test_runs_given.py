"""Two classifiers of the user's own: from two files to a ranking, without training images."""

from __future__ import annotations

import shlex
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from bench import ALTERNATIVE, BENCHMARK, TINY, TINY_CROSSX, Bench, Finished
from safetensors.torch import save_file
from torch.nn import functional

from dfbench.datasets.images.decoding import decoded
from dfbench.modality import MODALITIES, Modality
from dfbench.networks import Classifier, Normaliser
from dfbench.teachers.weights.fitting import published_names

ORDERS: dict[Modality, tuple[str, ...]] = {
    "photo": ("sun", "Boat", "cup"),
    "sketch": ("cup", "sun", "boat"),
}
"""Labels as two owners have them: neither sorted, nor spelt alike."""
SIZES: dict[Modality, int] = {"photo": 32, "sketch": 24}
TEACHERS = Path(__file__).resolve().parents[2] / "docs" / "teachers.md"
MEAN, STD = (0.4, 0.5, 0.6), (0.3, 0.3, 0.2)


def _owned(
    modality: Modality, network: str, pictures: Path, steps: int, size: int | None = None
) -> Classifier:
    """A classifier as its owner trained it, for a few steps, in its own label order and size."""
    torch.manual_seed(len(modality))
    size = size or SIZES[modality]
    own = Classifier(network, Normaliser(MEAN, STD), len(BENCHMARK), size)
    images, labels = [], []
    for label, name in enumerate(ORDERS[modality]):
        for file in sorted((pictures / modality / name.lower()).iterdir()):
            images.append(torch.from_numpy(decoded(file, size)).float() / 255)
            labels.append(label)
    batch, truth = torch.stack(images), torch.tensor(labels)
    optimiser = torch.optim.Adam(own.parameters(), 1e-3)
    for _ in range(steps):
        optimiser.zero_grad()
        functional.cross_entropy(own(batch), truth).backward()
        optimiser.step()
    return own.eval()


def _checkpoint(own: Classifier, file: Path) -> Path:
    """Its weights by the names that the network's library gives them."""
    state = own.state_dict()
    named = {published: state[name] for published, name in published_names(own).items()}
    if file.suffix == ".safetensors":
        save_file(named, file)
    else:
        torch.save({"epoch": 3, "state_dict": {f"module.{k}": v for k, v in named.items()}}, file)
    return file


def _import(
    bench: Bench, modality: Modality, checkpoint: Path, network: str, **more: str
) -> dict[str, Any]:
    choices = {
        "modality": modality,
        "network": network,
        "classes": ",".join(ORDERS[modality]),
        "mean": ",".join(map(str, MEAN)),
        "std": ",".join(map(str, STD)),
        "input-size": str(SIZES[modality]),
        "cache": str(bench.cache),
        **more,
    }
    options = [part for key, value in choices.items() for part in (f"--{key}", value)]
    done = bench.call("teachers", "import", str(checkpoint), *options, "--format", "json")
    assert done.status == 0, done.err
    told: dict[str, Any] = done.json
    return told


def _run(bench: Bench, method: str, *options: str) -> Finished:
    settings = TINY | (TINY_CROSSX if method.startswith("crossx") else {})
    settings = {key: value for key, value in settings.items() if key != "teachers.network"}
    pairs = [part for k, v in settings.items() for part in ("--set", f"{k}={v}")]
    return bench.call(
        *("run", "--method", method, "--alone", "--device", "cpu", "--threads", "1"),
        *("--cache", str(bench.cache), "--results", str(bench.results)),
        *("--runs", str(bench.runs), "--format", "json", *pairs, *options),
    )


@pytest.fixture(scope="session")
def owned(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[Modality, Path]:
    """Checkpoints of two small classifiers."""
    place = tmp_path_factory.mktemp("owned")
    network = "resnet-tiny"
    return {
        "photo": _checkpoint(_owned("photo", network, pictures, 30), place / "photo.pth"),
        "sketch": _checkpoint(_owned("sketch", network, pictures, 30), place / "sketch.pth"),
    }


@pytest.fixture
def teachers(quick_bench: Bench, owned: dict[Modality, Path]) -> list[str]:
    """Options that name two imported teachers, one by file, one by identity."""
    file = quick_bench.place / "photo-teacher.safetensors"
    _import(quick_bench, "photo", owned["photo"], "resnet-tiny", output=str(file))
    sketch = _import(quick_bench, "sketch", owned["sketch"], "resnet-tiny")
    return ["--photo-teacher", str(file), "--sketch-teacher", sketch["identity"][:12]]


@pytest.fixture
def test_set(pictures: Path, tmp_path: Path) -> Path:
    """A folder of test images alone: one drawing in some classes, too few to hold any out."""
    root = tmp_path / "test-set"
    for modality in ("photo", "sketch"):
        for name in BENCHMARK:
            (root / modality / name.title()).mkdir(parents=True)
            for number in range(1 if name == "cup" else 3):
                shutil.copy(
                    pictures / modality / name / f"{number}.png", root / modality / name.title()
                )
    return root


def test_torchvision_pair_with_other_orders_and_sizes_runs_from_two_files(
    quick_bench: Bench, pictures: Path, test_set: Path
) -> None:
    named = []
    suffixes: dict[Modality, str] = {"photo": "pth", "sketch": "safetensors"}
    network = "torchvision:resnet18"
    for modality, suffix in suffixes.items():
        own = _owned(modality, network, pictures, 4)
        file = _checkpoint(own, quick_bench.place / f"{modality}.{suffix}")
        told = _import(
            quick_bench,
            modality,
            file,
            network,
            output=str(quick_bench.place / f"{modality}-teacher"),
        )
        named += [f"--{modality}-teacher", told["file"]]
    done = _run(quick_bench, "classifier-posterior", "--dataset", f"folder:{test_set}", *named)
    assert done.status == 0, done.err
    record = done.json
    assert record["data"]["queries"] == 7
    assert record["data"]["image_size"] == 32
    assert record["data"]["classes"] == ["Boat", "Cup", "Sun"]
    assert record["division"] is None
    assert record["teachers"]["sketch"]["external"] == "torchvision:resnet18 at 24 px"
    assert record["data"]["alternative"] == "shapes (spare)"


def test_imported_teachers_are_as_right_as_their_owners_found_them(
    quick_bench: Bench, owned: dict[Modality, Path], pictures: Path, teachers: list[str]
) -> None:
    alone = _import(quick_bench, "photo", owned["photo"], "resnet-tiny", images=str(pictures))
    assert alone["accuracy"] > 0.9
    assert alone["images"] == 12 * len(BENCHMARK)
    assert alone["classes"] == sorted(BENCHMARK)
    done = _run(
        quick_bench,
        "classifier-posterior",
        *("--dataset", f"folder:{pictures}", "--classes", ",".join(BENCHMARK), *teachers),
    )
    assert done.status == 0, done.err
    record = done.json
    assert record["teachers"]["photo"]["accuracy"] == alone["accuracy"]
    assert record["teachers"]["sketch"]["accuracy"] > 0.9
    assert record["metrics"]["map@all"]["value"] > 0.8 > record["chance"] + 0.3


def test_students_learn_from_imported_teachers_with_the_alternative_images_that_are_named(
    quick_bench: Bench, pictures: Path, test_set: Path, teachers: list[str]
) -> None:
    other = quick_bench.place / "other"
    for modality in ("photo", "sketch"):
        for name in ALTERNATIVE:
            shutil.copytree(pictures / modality / name, other / modality / name)
    data = ("--dataset", f"folder:{test_set}")
    done = _run(quick_bench, "crossx", *data, "--alternative", f"folder:{other}", *teachers)
    assert done.status == 0, done.err
    assert done.json["data"]["alternative"] == "folder:other"
    assert done.json["supplies"]["modality classifier"]
    assert "alternative images: shapes" not in done.err


def _printed_commands() -> list[list[str]]:
    """The commands that the documentation prints for two classifiers, as words."""
    section = TEACHERS.read_text(encoding="utf-8").split("## Your own two classifiers")[1]
    return [shlex.split(line) for line in section.split("```")[1].strip().splitlines()]


def _quick(words: list[str], named: dict[str, str]) -> list[str]:
    """A printed command with a small network and the names that stand for a user's own."""
    small = {"torchvision:resnet18": "resnet-tiny", "64": "32", "folder:TEST": "folder:test-set"}
    return [named.get(word, small.get(word, word)) for word in words[1:]]


def test_documentation_runs_from_two_checkpoints_and_a_test_set_alone(
    quick_bench: Bench, pictures: Path, test_set: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = test_set.parent
    monkeypatch.chdir(home)
    photo, sketch, run = _printed_commands()
    named = {"PHOTO-ID": "", "SKETCH-ID": ""}
    for modality, words in (("photo", photo), ("sketch", sketch)):
        own = _owned(modality, "resnet-tiny", pictures, 10, size=32)
        _checkpoint(own, home / words[3])
        classes = home / words[words.index("--classes") + 1]
        classes.write_text("\n".join(ORDERS[modality]), encoding="utf-8")
        cache = ("--cache", str(quick_bench.cache))
        done = quick_bench.call(*_quick(words, {}), *cache, "--format", "json")
        assert done.status == 0, done.err
        named[f"{modality.upper()}-ID"] = done.json["identity"][:12]
    words = _quick(run, named)
    assert words[:3] == ["run", "--method", "crossx"]
    done = _run(quick_bench, "crossx", *words[3:])
    assert done.status == 0, done.err
    assert done.json["data"]["alternative"] == "shapes (spare)"
    assert "alternative images: shapes (spare), 10 classes that no teacher knows" in done.err
    unscored = words[3 : words.index("--dataset")] + words[words.index("--dataset") + 2 :]
    done = _run(quick_bench, "crossx", *unscored)
    assert done.status == 0, done.err
    assert Path(done.json["encoders"]).is_file()


def test_default_alternative_images_are_of_classes_that_no_teacher_knows(
    quick_bench: Bench, owned: dict[Modality, Path]
) -> None:
    lists = {"photo": "Snail,boat,cup", "sketch": "cup,boat,ice_cream"}
    named = []
    for modality in MODALITIES:
        told = _import(
            quick_bench, modality, owned[modality], "resnet-tiny", classes=lists[modality]
        )
        named += [f"--{modality}-teacher", told["identity"]]
    done = _run(quick_bench, "alternative-data", *named)
    assert done.status == 0, done.err
    (line,) = (line for line in done.err.splitlines() if line.startswith("alternative images"))
    assert "8 classes" in line
    assert "snail" not in line
    assert "ice-cream" not in line


def test_rows_that_need_no_alternative_images_have_none_drawn(
    quick_bench: Bench, test_set: Path, teachers: list[str], tmp_path: Path
) -> None:
    kept = quick_bench.cache / "teachers"
    fresh = tmp_path / "cache"
    shutil.copytree(kept, fresh / "teachers")
    done = _run(
        quick_bench,
        "classifier-posterior",
        *("--dataset", f"folder:{test_set}", *teachers, "--cache", str(fresh)),
    )
    assert done.status == 0, done.err
    assert done.json["data"]["alternative"] == "shapes (spare)"  # as of the others, to compare
    assert not list((fresh / "images").glob("shapes*"))


def test_without_any_dataset_encoders_are_fitted_once_and_nothing_is_scored(
    quick_bench: Bench, teachers: list[str]
) -> None:
    done = _run(quick_bench, "gaussian-prior", *teachers)
    assert done.status == 0, done.err
    encoders = Path(done.json["encoders"])
    written = encoders.stat().st_mtime_ns
    assert not quick_bench.results.exists()
    assert _run(quick_bench, "gaussian-prior", *teachers).json["encoders"] == str(encoders)
    assert encoders.stat().st_mtime_ns == written


@pytest.mark.parametrize(
    "method", ["meta-data", "triplet", "crossx[unified-teacher]", "crossx[modality-leaky]"]
)
def test_rows_that_need_training_images_are_refused_in_one_line(
    method: str, quick_bench: Bench, teachers: list[str]
) -> None:
    line = _run(quick_bench, method, *teachers).refused()
    assert "external teachers come without" in line
    assert "choose another method" in line


def test_teachers_that_know_other_classes_than_the_dataset_are_told(
    quick_bench: Bench, pictures: Path, teachers: list[str]
) -> None:
    done = _run(quick_bench, "classifier-posterior", "--dataset", f"folder:{pictures}", *teachers)
    assert done.status == 0, done.err
    assert done.json["data"]["classes"] == sorted(BENCHMARK)
    assert "no teacher knows, left out: house, key" in done.err
    strange = quick_bench.place / "strange"
    for modality in ("photo", "sketch"):
        for name in ALTERNATIVE:
            shutil.copytree(pictures / modality / name, strange / modality / name)
    line = _run(
        quick_bench, "classifier-posterior", "--dataset", f"folder:{strange}", *teachers
    ).refused()
    assert "knows 0 of the 2 classes" in line
    assert "boat, cup, sun" in line


def test_teachers_of_partly_different_classes_divide_the_dataset(
    quick_bench: Bench, pictures: Path, owned: dict[Modality, Path], teachers: list[str]
) -> None:
    sketch = _import(quick_bench, "sketch", owned["sketch"], "resnet-tiny", classes="cup,sun,house")
    done = _run(
        quick_bench,
        "classifier-posterior",
        *("--dataset", f"folder:{pictures}", *teachers[:2]),
        *("--sketch-teacher", sketch["identity"]),
    )
    assert done.status == 0, done.err
    division = done.json["division"]
    assert "closed" not in done.err
    told = "2 classes known to both teachers, 1 to the photo teacher only, 1 to the sketch teacher"
    assert f"classes of the external teachers: {told} only" in done.err
    table = quick_bench.call("table", "--results", str(quick_bench.results)).out
    assert "external teachers of overlap 0.50, 4 classes" in table
    assert division["shared"] == ["cup", "sun"]
    assert (division["photo_only"], division["sketch_only"]) == (["boat"], ["house"])
    assert set(done.json["groups"]) == {"shared", "photo-only", "sketch-only"}


def test_what_cannot_be_given_is_refused(
    quick_bench: Bench, pictures: Path, owned: dict[Modality, Path], teachers: list[str]
) -> None:
    data = ("--dataset", f"folder:{pictures}")

    def line(*options: str) -> str:
        return _run(quick_bench, "classifier-posterior", *options).refused()

    assert "without --sketch-teacher" in line(*data, *teachers[:2])
    assert "holds a photo teacher" in line(*data, *teachers[:2], "--sketch-teacher", teachers[1])
    for beginning in ("abcd1", "abcd2"):
        shutil.copy(teachers[1], quick_bench.cache / "teachers" / f"{beginning:0<32}.safetensors")
    two = line(*data, "--photo-teacher", "abcd", *teachers[2:])
    assert "2 networks have an identity that begins with 'abcd'" in two
    assert "abcd100000000000: photo imported teacher, photo.pth" in two
    for beginning in ("abcd1", "abcd2"):
        (quick_bench.cache / "teachers" / f"{beginning:0<32}.safetensors").unlink()
    assert "no network 'fffff'" in line(*data, *teachers[:2], "--sketch-teacher", "fffff")
    assert "import a checkpoint first" in line(
        *data, *teachers[:2], "--sketch-teacher", str(owned["sketch"])
    )
    assert "whose class lists decide" in line(*data, *teachers, "--scenario", "overlap=0.5")
    assert "no --dataset" in line()
    assert "no image to train teachers on" in line(*data, "--holdout", "all")


def test_teachers_without_common_class_are_refused(
    quick_bench: Bench, owned: dict[Modality, Path], teachers: list[str]
) -> None:
    other = _import(quick_bench, "sketch", owned["sketch"], "resnet-tiny", classes="x,y,z")
    line = _run(
        quick_bench, "classifier-posterior", *teachers[:2], "--sketch-teacher", other["identity"]
    ).refused()
    assert "no class in common" in line
