from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from stand_in import stand_in_run

import dfbench
from dfbench.datasets.images.decoding import decoded
from dfbench.errors import InvalidInput
from dfbench.retrieval import Gallery, RetrievalModel, open_gallery, ranked, search
from dfbench.retrieval import gallery as gallery_module
from dfbench.system.file_errors import FileFault


@pytest.fixture(scope="session")
def model(made: tuple[Path, Any]) -> RetrievalModel:
    return dfbench.load(made[0])


@pytest.fixture
def decoded_files(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the files that are decoded to be embedded."""
    names: list[str] = []
    real = gallery_module.decoded

    def noted(file: Path, size: int) -> Any:
        names.append(file.name)
        return real(file, size)

    monkeypatch.setattr(gallery_module, "decoded", noted)
    return names


def test_gallery_holds_all_images_in_all_folders_by_path(
    own_photos: Path, model: RetrievalModel, tmp_path: Path
) -> None:
    (own_photos / "notes.txt").write_text("no image")
    (own_photos / ".hidden").mkdir()
    shutil.copy(own_photos / "again.PNG", own_photos / ".hidden" / "0.png")
    gallery = open_gallery(own_photos, model, tmp_path)
    names = gallery.names
    assert names[:2] == ("again.PNG", "holiday/boat/0.png")
    assert len(names) == 10
    assert gallery.embeddings.shape == (10, 16)
    assert np.array_equal(
        gallery.embeddings[0], gallery.embeddings[names.index("holiday/cup/0.png")]
    )


def test_only_new_and_changed_files_are_embedded_again(
    own_photos: Path, model: RetrievalModel, tmp_path: Path, decoded_files: list[str]
) -> None:
    first = open_gallery(own_photos, model, tmp_path)
    assert len(decoded_files) == 9  # two files have one content
    decoded_files.clear()
    (own_photos / "again.PNG").rename(own_photos / "moved.png")
    changed = own_photos / "holiday" / "boat" / "1.png"
    stamp = changed.stat()
    shutil.copy(own_photos / "holiday" / "sun" / "2.png", changed)
    os.utime(changed, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    shutil.copy(own_photos / "holiday" / "sun" / "0.png", changed.with_name("new.png"))
    second = open_gallery(own_photos, model, tmp_path)
    assert decoded_files == []
    row = dict(zip(second.names, second.embeddings, strict=True))
    assert np.array_equal(row["holiday/boat/1.png"], row["holiday/sun/2.png"])
    assert not np.array_equal(row["holiday/boat/1.png"], first.embeddings[2])
    assert len(second) == 11


def test_other_encoders_have_embeddings_of_their_own(
    own_photos: Path, model: RetrievalModel, tmp_path: Path
) -> None:
    other = dfbench.load(stand_in_run(tmp_path, seed=1)[0])
    ours, theirs = (open_gallery(own_photos, one, tmp_path) for one in (model, other))
    assert not np.allclose(ours.embeddings, theirs.embeddings)


def test_damaged_cache_is_made_again(
    own_photos: Path, model: RetrievalModel, tmp_path: Path, decoded_files: list[str]
) -> None:
    first = open_gallery(own_photos, model, tmp_path)
    decoded_files.clear()
    (store,) = (tmp_path / "galleries").glob("*.safetensors")
    store.write_bytes(store.read_bytes()[:-7])
    second = open_gallery(own_photos, model, tmp_path)
    assert len(decoded_files) == 9
    assert np.array_equal(first.embeddings, second.embeddings)


def test_interrupted_embedding_keeps_what_was_done(
    own_photos: Path,
    model: RetrievalModel,
    tmp_path: Path,
    decoded_files: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(gallery_module, "_BATCH", 4)
    real, calls = RetrievalModel.encode_photos, []

    def encode(self: RetrievalModel, pictures: Any) -> Any:
        calls.append(len(pictures))
        if len(calls) == 2:
            raise KeyboardInterrupt
        return real(self, pictures)

    monkeypatch.setattr(RetrievalModel, "encode_photos", encode)
    with pytest.raises(KeyboardInterrupt):
        open_gallery(own_photos, model, tmp_path)
    decoded_files.clear()
    assert len(open_gallery(own_photos, model, tmp_path)) == 10
    assert len(decoded_files) == 5


def test_killed_embedding_goes_on_after_its_last_part(
    own_photos: Path,
    model: RetrievalModel,
    tmp_path: Path,
    decoded_files: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = open_gallery(own_photos, model, tmp_path / "other")
    monkeypatch.setattr(gallery_module, "_BATCH", 2)
    monkeypatch.setattr(gallery_module, "_PART_PHOTOS", 4)
    real, calls = RetrievalModel.encode_photos, []

    def encode(self: RetrievalModel, pictures: Any) -> Any:
        calls.append(len(pictures))
        if len(calls) == 4:
            kept = tmp_path / "kept"  # what is on disk when the process is killed here
            shutil.copytree(tmp_path / "galleries", kept / "galleries")
            raise KeyboardInterrupt
        return real(self, pictures)

    with monkeypatch.context() as patch:
        patch.setattr(RetrievalModel, "encode_photos", encode)
        with pytest.raises(KeyboardInterrupt):
            open_gallery(own_photos, model, tmp_path)
    for place, left in ((tmp_path / "kept", 5), (tmp_path, 3)):
        decoded_files.clear()
        again = open_gallery(own_photos, model, place)
        assert len(decoded_files) == left
        assert np.allclose(again.embeddings, whole.embeddings, atol=1e-5)
        stored = list((place / "galleries").glob("*.safetensors"))
        assert len(stored) == 1  # the parts have become one file


def test_damaged_part_is_made_again(
    own_photos: Path, model: RetrievalModel, tmp_path: Path, decoded_files: list[str]
) -> None:
    first = open_gallery(own_photos, model, tmp_path)
    (store,) = (tmp_path / "galleries").glob("*.safetensors")
    part = store.with_name(f"{store.stem}.part-0.safetensors")
    part.write_bytes(store.read_bytes()[:-7])
    store.unlink()
    decoded_files.clear()
    assert np.array_equal(open_gallery(own_photos, model, tmp_path).embeddings, first.embeddings)
    assert len(decoded_files) == 9


def test_index_that_cannot_be_written_is_refused_before_a_photo_is_embedded(
    own_photos: Path, model: RetrievalModel, tmp_path: Path, decoded_files: list[str]
) -> None:
    (tmp_path / "galleries").write_text("in the way")
    with pytest.raises(FileFault, match="a file, not a folder"):
        open_gallery(own_photos, model, tmp_path)
    assert decoded_files == []


def test_unreadable_files_are_left_out_with_their_reason(
    own_photos: Path, model: RetrievalModel, tmp_path: Path
) -> None:
    (own_photos / "empty.jpg").touch()
    (own_photos / "torn.png").write_bytes((own_photos / "again.PNG").read_bytes()[:60])
    os.mkfifo(own_photos / "pipe.png")
    for _ in range(2):
        gallery = open_gallery(own_photos, model, tmp_path)
        assert len(gallery) == 10
        told = {file.name: reason for file, reason in gallery.left_out.items()}
        assert told["empty.jpg"] == "empty file"
        assert told["pipe.png"] == "a named pipe, not a file"
        assert set(told) == {"empty.jpg", "torn.png", "pipe.png"}


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda _: None, "does not exist; allowed: a folder of photos"),
        (lambda root: root.write_text("x"), "is a file; allowed: a folder of photos"),
        (lambda root: root.mkdir(), "no images in"),
        (lambda root: (root.mkdir(), (root / "a.png").touch()), "none of the 1 images"),
    ],
    ids=["absent", "file", "empty", "unreadable"],
)
def test_folder_without_photos_is_refused(
    make: Any, told: str, model: RetrievalModel, tmp_path: Path
) -> None:
    root = tmp_path / "photos"
    make(root)
    with pytest.raises(InvalidInput, match=told):
        open_gallery(root, model, tmp_path)


def test_hits_are_the_nearest_photos_and_no_more_than_there_are(
    own_photos: Path, model: RetrievalModel, pictures: Path, tmp_path: Path
) -> None:
    gallery = open_gallery(own_photos, model, tmp_path)
    sketch = decoded(pictures / "sketch" / "sun" / "0.png", 32)[None]
    hits = ranked(model, gallery, sketch, 99)
    assert len(hits) == 10
    cosines = gallery.embeddings @ model.encode_sketches(sketch)[0]
    assert np.allclose([hit.score for hit in hits], np.sort(cosines)[::-1], atol=1e-5)
    assert [gallery.names[hit.index] for hit in hits] == [hit.name for hit in hits]
    places = {hit.name: place for place, hit in enumerate(hits)}
    assert places["holiday/cup/0.png"] - places["again.PNG"] == 1  # tied: by path


def test_an_index_finds_the_photos_of_several_sketches_at_once(
    own_photos: Path, model: RetrievalModel, pictures: Path, tmp_path: Path
) -> None:
    index = dfbench.PhotoIndex.open(str(own_photos), model, cache=tmp_path)
    sketches = [pictures / "sketch" / "sun" / "0.png", pictures / "sketch" / "cup" / "1.png"]
    found = index.search(sketches, k=4)
    assert (len(index), len(found), {len(hits) for hits in found}) == (10, 2, {4})
    for sketch, hits in zip(sketches, found, strict=True):
        alone = ranked(model, index.gallery, decoded(sketch, 32)[None], 4)
        assert [hit.name for hit in hits] == [hit.name for hit in alone]
        assert index.file(hits[0]) == own_photos / hits[0].name
    ((best, *_),) = index.search(sketches[0], k=99)
    assert best == index.search([sketches[0]])[0][0]


@pytest.mark.parametrize("k", [0, -1])
def test_an_index_refuses_wrong_requests(
    own_photos: Path, model: RetrievalModel, tmp_path: Path, k: int
) -> None:
    index = dfbench.PhotoIndex.open(own_photos, model, cache=tmp_path)
    with pytest.raises(InvalidInput, match=rf"k is {k}; allowed: a number of photos from 1"):
        index.search(own_photos / "again.PNG", k=k)
    with pytest.raises(InvalidInput, match=r"'none.png' cannot be read"):
        index.search(["none.png"])
    with pytest.raises(InvalidInput, match="allowed: a folder of photos"):
        dfbench.PhotoIndex.open(own_photos / "nowhere", model, cache=tmp_path)


@pytest.mark.parametrize("similarity", ["cosine", "inner", "euclidean"])
def test_search_finds_the_photos_of_the_exact_ranking(
    model: RetrievalModel, monkeypatch: pytest.MonkeyPatch, similarity: str
) -> None:
    rng = np.random.default_rng(0)
    photos = rng.normal(size=(3000, 16)).astype(np.float32)
    photos[1000:1040] = photos[2000]  # more ties than photos asked for
    query = (photos[2000] + rng.normal(size=16).astype(np.float32) / 1e4)[None]
    model = replace(model, about=model.about.model_copy(update={"similarity": similarity}))
    monkeypatch.setattr(RetrievalModel, "encode_sketches", lambda *_: query)
    monkeypatch.setattr(search, "_BLOCK", 700)
    names = tuple(f"{number}.png" for number in range(len(photos)))
    gallery = Gallery(Path(), names, photos, {}, Path(), "")
    for k in (1, 10, 60, 2999, 3000):
        hits = ranked(model, gallery, query, k)
        assert [hit.index for hit in hits] == list(model.rank(query, photos, k)[0])


def test_embedding_that_cannot_be_ranked_is_refused(
    model: RetrievalModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos = np.ones((20, 16), np.float32)
    photos[7] = np.nan
    monkeypatch.setattr(RetrievalModel, "encode_sketches", lambda *_: photos[:1])
    with pytest.raises(InvalidInput, match="row 7"):
        ranked(model, Gallery(Path(), tuple("a" * 20), photos, {}, Path(), ""), photos[:1], 3)


def test_unchanged_gallery_is_read_from_disk_on_demand(
    own_photos: Path, model: RetrievalModel, tmp_path: Path
) -> None:
    first = open_gallery(own_photos, model, tmp_path)
    (store,) = (tmp_path / "galleries").glob("*.safetensors")
    written = store.stat().st_mtime_ns
    again = open_gallery(own_photos, model, tmp_path)
    assert store.stat().st_mtime_ns == written
    assert isinstance(again.embeddings.base, np.memmap)
    assert np.array_equal(again.embeddings, first.embeddings)
    (own_photos / "again.PNG").unlink()
    fewer = open_gallery(own_photos, model, tmp_path)
    assert fewer.names == first.names[1:]
    assert np.array_equal(fewer.embeddings, first.embeddings[1:])
    assert isinstance(open_gallery(own_photos, model, tmp_path).embeddings.base, np.memmap)
