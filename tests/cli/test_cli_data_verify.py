"""`dfbench data verify`: counts what is there, names what is wrong, and says whether it will do."""

from __future__ import annotations

import io
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from bench import Bench, Finished
from PIL import Image
from trees import LAYOUTS, SOME, many, miniature, pacs_dassl, sketchy_sake

from dfbench.datasets.condition.condition import precision_ceiling
from dfbench.datasets.folder.opening import ClassList, packaged_lists
from dfbench.datasets.images.files import duplicates
from dfbench.datasets.known import variant

PACS = ("dog", "elephant", "giraffe", "guitar", "horse", "house", "person")


@dataclass(frozen=True)
class Verify:
    """`dfbench data verify` in this process."""

    bench: Bench

    def __call__(self, *arguments: str) -> Finished:
        return self.bench.call("data", "verify", *arguments)

    def json(self, *arguments: str, status: int) -> Any:
        finished = self(*arguments, "--format", "json")
        assert finished.status == status, finished.err + finished.out
        assert finished.json["usable"] == (status == 0)
        return finished.json

    def problems(self, kind: str, *arguments: str, status: int) -> list[str]:
        problems = self.json(*arguments, status=status)["problems"]
        return [problem["text"] for problem in problems if problem["kind"] == kind]


@pytest.fixture
def verify(bench: Bench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Verify:
    monkeypatch.delenv("DFBENCH_DATA", raising=False)
    monkeypatch.setattr("platformdirs.user_config_path", lambda *_, **__: tmp_path / "none")
    return Verify(bench)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """PACS whole, four images a class and modality."""
    pacs_dassl(tmp_path / "data", miniature(PACS))
    return tmp_path / "data"


def at(root: Path) -> tuple[str, ...]:
    return ("pacs", "--data-root", str(root))


def test_whole_dataset_is_usable_and_counted(verify: Verify, root: Path) -> None:
    found = verify.json(*at(root), "--decode", "--duplicates", status=0)
    assert found["classes"] == {name: {"photo": 4, "sketch": 4} for name in PACS}
    assert found["layouts"]["photo"] == "pacs/images/photo (Sketch_LVM, KD-SBIR, PACS)"
    assert found["obstacles"] == []
    assert found["looked_at"] == {"decode": True, "duplicates": True}
    assert found["published"] == {"photo": 1670, "sketch": 3929}
    short = [p["text"] for p in found["problems"]]
    assert any("28 photos in all, 1670 were published" in text for text in short)


def test_extended_photos_and_where_each_kind_lies(verify: Verify, tmp_path: Path) -> None:
    sketchy_sake(tmp_path, miniature(SOME["sketchy"], added=2))
    asked = ("--data-root", str(tmp_path), "--classes", "all")
    extended = verify.json("sketchy-ext", *asked, status=0)
    assert extended["classes"]["zebra"] == {"photo": 6, "sketch": 4}
    assert extended["layouts"]["extended"].startswith("dataset/Sketchy/EXTEND_image_sketchy_ready")
    assert verify.json("sketchy", *asked, status=0)["classes"]["zebra"]["photo"] == 4


def test_missing_class_makes_it_unusable_but_not_for_the_others(verify: Verify, root: Path) -> None:
    shutil.rmtree(root / "pacs/images/sketch/horse")
    finished = verify(*at(root))
    assert finished.status == 1
    assert "not usable as it is: 1 of 7 classes have no sketch: 'horse'" in finished.out
    assert verify.problems("missing class", *at(root), status=1) == [
        "class 'horse' has no folder of sketch images"
    ]
    assert "horse" not in verify.json(*at(root), "--classes", "all", status=0)["classes"]
    assert verify(*at(root), "--classes", "Dog, guitar").status == 0
    assert verify(*at(root), "--classes", "horse,dog").status == 1


def test_misnamed_and_ignored_are_named(verify: Verify, root: Path) -> None:
    photos = root / "pacs/images/photo"
    (photos / "gitar").mkdir()
    (photos / "dog/notes.txt").touch()
    assert "gitar" in verify.problems("unknown folder", *at(root), status=0)[0]
    assert "1 .txt" in verify.problems("ignored files", *at(root), status=0)[0]


def test_what_a_run_refuses_is_unusable_whatever_classes_are_asked_for(
    verify: Verify, root: Path
) -> None:
    (root / "pacs/images/photo/Dog").mkdir()
    for classes in ("all", "guitar,horse"):
        found = verify.json(*at(root), "--classes", classes, status=1)
        assert "are both folders of class 'dog'" in found["obstacles"][0]


def test_empty_file_is_found_at_once_and_a_truncated_one_by_decoding(
    verify: Verify, root: Path
) -> None:
    file = next((root / "pacs/images/photo/dog").iterdir())
    content = io.BytesIO()
    Image.effect_noise((64, 64), 50).save(content, "jpeg")
    file.write_bytes(content.getvalue()[:-400])
    assert verify.problems("unreadable", *at(root), status=0) == []
    assert "truncated" in verify.problems("unreadable", *at(root), "--decode", status=1)[0]
    file.write_bytes(b"")
    faults = verify.problems("unreadable", *at(root), status=1)
    assert faults == [f"'{file.relative_to(root)}': empty file"]
    assert "--skip-unreadable" in verify(*at(root)).out


def test_duplicates_are_told_by_content_and_class(verify: Verify, root: Path) -> None:
    photos = root / "pacs/images/photo"
    first = min((photos / "dog").iterdir())
    shutil.copy(first, photos / "dog/copy.jpg")
    shutil.copy(first, photos / "horse/dog.jpg")
    assert verify.problems("duplicates", *at(root), status=0) == []
    (text,) = verify.problems("duplicates", *at(root), "--duplicates", status=0)
    assert text.startswith("3 photo files of classes 'dog', 'horse' are identical:")


def test_files_of_one_size_are_no_duplicates(tmp_path: Path) -> None:
    files = [tmp_path / name for name in "abcd"]
    for file, content in zip(files, (b"12", b"21", b"12", b"121"), strict=True):
        file.write_bytes(content)
    assert duplicates(files) == ((files[0], files[2]),)


def test_images_that_a_list_names_and_that_are_gone_are_found(
    verify: Verify, tmp_path: Path
) -> None:
    sketchy_sake(tmp_path, miniature(SOME["sketchy"], added=1))
    folder = next(tmp_path.rglob("256x256/sketch/*/zebra"))
    next(folder.iterdir()).unlink()
    asked = ("sketchy", "--data-root", str(tmp_path), "--classes", "all")
    assert "lists 1 images" in verify.problems("listed but missing", *asked, status=0)[0]


def test_class_of_one_image_cannot_be_divided(verify: Verify, root: Path) -> None:
    for file in sorted((root / "pacs/images/photo/dog").iterdir())[1:]:
        file.unlink()
    assert "1 classes have only one photo" in verify(*at(root)).out
    assert verify(*at(root)).status == 1


def test_ceiling_is_that_of_the_published_counts() -> None:
    """T30-PCYC: seven classes below 400 photos, five of them below 200."""
    photos = {str(i): 400 for i in range(23)}
    photos |= dict(zip("abcdefg", (93, 148, 168, 168, 183, 231, 243), strict=True))
    ceiling = precision_ceiling("T30-PCYC", dict.fromkeys(photos, 80), photos)
    assert ceiling.value == pytest.approx(0.960)
    assert ceiling.small == ("a", "b", "c", "d", "e")
    assert ceiling.queries == 2400


def test_ceilings_of_a_small_dataset(verify: Verify, tmp_path: Path) -> None:
    LAYOUTS["tuberlin"]["archive"](tmp_path, miniature(SOME["tuberlin"], sketches=12, photos=10))
    asked = ("tuberlin", "--data-root", str(tmp_path), "--classes", "all")
    ceilings = verify.json(*asked, status=0)["prec@200_ceilings"]
    values = {c["division"]: (c["queries"], c["gallery"], c["value"]) for c in ceilings}
    assert values["fifth"] == (14, 14, pytest.approx(2 / 200))
    assert values["literature"] == (70, 70, pytest.approx(10 / 200))


def test_ceilings_of_published_splits_need_every_class(verify: Verify, tmp_path: Path) -> None:
    classes = variant("tuberlin").known.classes
    many(tmp_path / "TU-Berlin/png", dict.fromkeys(classes, 2))
    many(tmp_path / "TU-Berlin/ImageResized", dict.fromkeys(classes, 3))
    asked = ("tuberlin", "--data-root", str(tmp_path))
    found = verify.json(*asked, status=1)
    assert found["obstacles"] == [
        "1250 image files cannot be read: repair or remove them, or skip them with dfbench run "
        "--skip-unreadable"
    ]
    ceilings = {c["division"]: c for c in found["prec@200_ceilings"]}
    assert list(ceilings) == ["fifth", "literature", *variant("tuberlin").splits()]
    assert ceilings["T30-PCYC"]["classes"] == 30
    assert ceilings["T30-PCYC"]["queries"] == 60
    assert ceilings["T30-PCYC"]["value"] == pytest.approx(3 / 200)
    some = verify.json(*asked, "--classes", "ant,zebra", status=1)
    assert [c["division"] for c in some["prec@200_ceilings"]] == ["fifth", "literature"]
    assert "and 1245 more (--format json has all)" in verify(*asked).out


def test_photos_counted_twice_are_compared_with_counts_that_do_so_too(
    verify: Verify, tmp_path: Path
) -> None:
    sketchy_sake(tmp_path, miniature(SOME["sketchy"], added=2))
    asked = ("sketchy-ext", "--data-root", str(tmp_path), "--classes", "all")
    found = verify.json(*asked, "--duplicate-photos", status=0)
    assert found["classes"]["zebra"] == {"photo": 10, "sketch": 4}
    assert found["published"] == {"photo": 85502, "sketch": 75481}
    texts = [problem["text"] for problem in found["problems"]]
    assert any("50 photos in all, 85502 were published" in text for text in texts)
    assert any("10 photos of class 'zebra', 261 to 850 were published" in text for text in texts)
    refused = verify("sketchy", *asked[1:], "--duplicate-photos").refused()
    assert "only sketchy-ext is published with photos counted twice" in refused
    shutil.rmtree(next(tmp_path.rglob("256x256/photo")))
    assert "no second copy" in verify(*asked, "--duplicate-photos").refused()


def test_holdout_of_the_literature_needs_more_sketches(verify: Verify, tmp_path: Path) -> None:
    LAYOUTS["tuberlin"]["archive"](tmp_path, miniature(SOME["tuberlin"], sketches=11, photos=2))
    asked = ("tuberlin", "--data-root", str(tmp_path), "--classes", "all")
    assert verify(*asked, "--holdout", "literature").status == 0
    sketches = tmp_path / "TU-Berlin/png/spider"
    min(sketches.iterdir()).unlink()
    photos = sorted((tmp_path / "TU-Berlin/ImageResized/spidar").iterdir())
    photos[0].unlink()
    literature = verify.json(*asked, "--holdout", "literature", status=1)["obstacles"]
    assert [text.partition(",")[0] for text in literature] == [
        "1 classes have fewer than 11 sketches"
    ]
    fifth = verify.json(*asked, status=1)["obstacles"]
    assert [text.partition(",")[0] for text in fifth] == ["1 classes have only one photo"]


def test_options_that_a_run_refuses_are_refused(verify: Verify, root: Path, pictures: Path) -> None:
    assert "none is published for pacs" in verify(*at(root), "--holdout", "literature").refused()
    own = f"folder:{pictures}"
    assert "--holdout literature does not apply" in verify(own, "--holdout", "literature").refused()
    assert "--duplicate-photos does not apply" in verify(own, "--duplicate-photos").refused()


def test_folder_of_ones_own(verify: Verify, pictures: Path, tmp_path: Path) -> None:
    own = Path(shutil.copytree(pictures, tmp_path / "own"))
    found = verify.json(f"folder:{own}", status=0)
    assert found["dataset"] == "folder:own"
    assert found["classes"]["boat"] == {"photo": 12, "sketch": 12}
    (own / "photo/boat/readme.md").touch()
    assert "1 entries" in verify.problems("ignored files", f"folder:{own}", status=0)[0]
    shutil.rmtree(own / "sketch/cup")
    for file in (own / "photo/sun").iterdir():
        file.unlink()
    obstacles = " ".join(verify.json(f"folder:{own}", status=1)["obstacles"])
    assert "'cup' has a folder in photo/ but none in sketch/" in obstacles
    assert "no images in" in obstacles


@pytest.mark.parametrize("known", packaged_lists(), ids=lambda known: known.name)
def test_class_list_that_a_run_applies_is_named_and_only_its_benchmark_is_queried(
    verify: Verify, tmp_path: Path, known: ClassList
) -> None:
    for modality in ("photo", "sketch"):
        many(tmp_path / known.name / modality, dict.fromkeys(known.folder, 5))
    found = verify.json(f"folder:{tmp_path / known.name}", status=1)  # the files are empty
    assert len(found["classes"]) == len(known.benchmark) + len(known.alternative)
    queried, spare = len(known.benchmark), len(known.alternative)
    said = f"class list {known.name} applied: {queried} benchmark and {spare} alternative"
    assert found["notes"][0].startswith(said)
    (ceiling,) = found["prec@200_ceilings"]
    assert (ceiling["classes"], ceiling["queries"], ceiling["gallery"]) == (queried,) * 3


def test_wrong_input_is_status_2(verify: Verify, root: Path, tmp_path: Path) -> None:
    assert "did you mean 'pacs'" in verify("pac", "--data-root", str(root)).refused()
    assert "folder:PATH" in verify("shapes").refused()
    assert "needs the folder" in verify("pacs").refused()
    assert "no folder" in verify("pacs", "--data-root", str(tmp_path / "x")).refused()
    assert "no sketches and no photos" in verify("tuberlin", "--data-root", str(tmp_path)).refused()
    assert "did you mean 'horse'" in verify(*at(root), "--classes", "hors").refused()
    assert "no folder" in verify(f"folder:{tmp_path / 'x'}").refused()
    assert "needs a path" in verify("folder:").refused()


def test_command_in_the_guide_works_as_printed(verify: Verify, root: Path) -> None:
    error = verify("pacs").err
    command = re.search(r"dfbench data verify (.+)", error)
    assert command
    assert verify(*command[1].replace("PATH", str(root)).split()).status == 0


def test_no_torch_is_imported(root: Path, shell: dict[str, str]) -> None:
    program = (
        "import sys; from dfbench.cli.app import app; "
        "import atexit; atexit.register(lambda: print('torch' in sys.modules)); "
        f"app(['data', 'verify', 'pacs', '--data-root', {str(root)!r}])"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], env=shell, capture_output=True, text=True
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.splitlines()[-1] == "False"
