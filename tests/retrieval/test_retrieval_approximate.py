from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bench import CommandLine
from stand_in import stand_in_run

import dfbench
from dfbench.errors import InvalidInput
from dfbench.retrieval import Gallery, RetrievalModel, approximate, ranked
from dfbench.retrieval.approximate import ApproximateIndex, open_index

pytest.importorskip("faiss")

SIMILARITIES = ("cosine", "inner", "euclidean")
DIM = 16


@pytest.fixture(scope="session")
def model(made: tuple[Path, Any]) -> RetrievalModel:
    return dfbench.load(made[0])


@pytest.fixture(scope="session")
def photos() -> Any:
    """`[3000, 16]`, in clusters, some of them equal."""
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(40, DIM))
    rows = centres[rng.integers(40, size=3000)] + 0.4 * rng.normal(size=(3000, DIM))
    rows[100:130] = rows[99]
    return rows.astype(np.float32)


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(approximate, "_LEAST", 1000)
    monkeypatch.setattr(approximate, "_BLOCK", 700)


@pytest.fixture
def gallery(photos: Any, tmp_path: Path) -> Gallery:
    names = tuple(f"{number}.png" for number in range(len(photos)))
    return Gallery(Path(), names, photos, {}, tmp_path / "rows.safetensors", "as made")


@pytest.fixture
def indexed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Identities of the galleries that are indexed."""
    identities: list[str] = []
    real = approximate._made

    def noted(gallery: Gallery, similarity: str) -> ApproximateIndex:
        identities.append(gallery.identity)
        return real(gallery, similarity)

    monkeypatch.setattr(approximate, "_made", noted)
    return identities


def opened(gallery: Gallery, similarity: str = "cosine") -> ApproximateIndex:
    index = open_index(gallery, similarity)
    assert index is not None
    return index


@pytest.mark.parametrize("similarity", SIMILARITIES)
def test_index_finds_most_of_the_nearest_photos(
    gallery: Gallery,
    similarity: str,
    model: RetrievalModel,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = replace(model, about=model.about.model_copy(update={"similarity": similarity}))
    index = opened(gallery, similarity)
    assert index.facts.recall >= approximate._WANTED_RECALL
    rng = np.random.default_rng(1)
    queries = gallery.embeddings[::100] + 0.2 * rng.normal(size=(30, DIM)).astype(np.float32)
    found = []
    for query in queries:
        monkeypatch.setattr(RetrievalModel, "encode_sketches", lambda *_, row=query: row[None])
        exact = ranked(model, gallery, query, 10)
        hits = ranked(model, gallery, query, 10, index)
        assert len(hits) == 10
        kept = [hit for hit in exact if hit.index in {one.index for one in hits}]
        common = [hit for hit in hits if hit.index in {one.index for one in exact}]
        assert [hit.index for hit in common] == [hit.index for hit in kept]
        assert [hit.score for hit in common] == pytest.approx([hit.score for hit in kept])
        found.append(len(common) / 10)
    assert np.mean(found) > 0.85


@pytest.mark.parametrize("similarity", SIMILARITIES)
def test_recall_is_that_of_a_search_of_all_photos(
    photos: Any, gallery: Gallery, similarity: str
) -> None:
    index = opened(gallery, similarity)
    places = np.sort(np.random.default_rng(0).permutation(len(photos))[:200])
    rows = photos / np.linalg.norm(photos, axis=1, keepdims=True)
    sides = {"cosine": rows, "inner": photos, "euclidean": photos}[similarity].astype(np.float64)
    scores = sides[places] @ sides.T
    if similarity == "euclidean":
        scores = -np.linalg.norm(sides[places][:, None] - sides[None], axis=2)
    shares = []
    for place, row in zip(places, scores, strict=True):
        near = index.near(photos[place], 10)
        row[place] = -np.inf  # always found
        tenth = np.sort(row)[-10]
        # Of photos that tie for the tenth place, any will do.
        above = np.flatnonzero(row > tenth + 1e-9)
        shares.append(np.isin(above, near).mean() if len(above) else 1.0)
    assert index.facts.recall == pytest.approx(np.mean(shares), abs=0.03)


@pytest.mark.parametrize("k", [1, 10, 500, 2999, 3000])
def test_as_many_photos_are_found_as_asked_for(gallery: Gallery, k: int) -> None:
    near = opened(gallery).near(gallery.embeddings[5], k)
    assert len(near) >= k
    assert len(set(near.tolist())) == len(near)
    assert list(near) == sorted(near)


def test_index_is_made_once_and_anew_for_other_photos(gallery: Gallery, indexed: list[str]) -> None:
    first, again = opened(gallery), opened(gallery)
    assert indexed == ["as made"]
    query = gallery.embeddings[7]
    assert np.array_equal(first.near(query, 10), again.near(query, 10))
    opened(replace(gallery, identity="other"))
    opened(replace(gallery, identity="other"), "inner")
    opened(gallery)
    assert indexed == ["as made", "other", "other", "as made"]


@pytest.mark.parametrize("damage", ["index", "facts", "no index", "no facts", "empty"])
def test_damaged_index_is_made_anew(gallery: Gallery, indexed: list[str], damage: str) -> None:
    opened(gallery)
    file = gallery.cached.with_suffix(".faiss")
    told = gallery.cached.with_suffix(".faiss.json")
    actions: dict[str, Callable[[], Any]] = {
        "index": lambda: file.write_bytes(b"no index at all"),
        "facts": lambda: told.write_text("{"),
        "no index": file.unlink,
        "no facts": told.unlink,
        "empty": lambda: file.write_bytes(b""),
    }
    actions[damage]()
    opened(gallery)
    opened(gallery)
    assert len(indexed) == 2


def test_small_gallery_is_searched_exactly(
    gallery: Gallery, photos: Any, indexed: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    few = replace(gallery, names=gallery.names[:999], embeddings=photos[:999])
    assert open_index(few, "cosine") is None
    assert indexed == []
    assert "999 photos, searched exactly" in capsys.readouterr().err


def test_gallery_of_equal_or_empty_embeddings_is_indexed(gallery: Gallery) -> None:
    for value in (0.0, 1.0):
        rows = np.full((2000, DIM), value, np.float32)
        same = replace(gallery, names=gallery.names[:2000], embeddings=rows, identity=f"{value}")
        index = opened(same)
        assert len(index.near(np.ones(DIM, np.float32), 2000)) == 2000


def test_embedding_that_is_not_finite_is_refused(gallery: Gallery, photos: Any) -> None:
    broken = photos.copy()
    broken[1234, 3] = np.inf
    with pytest.raises(InvalidInput, match=r"not finite.*leave out --approximate"):
        open_index(replace(gallery, embeddings=broken), "cosine")


@pytest.mark.parametrize("command", ["query", "draw"])
def test_missing_extra_is_named_before_anything_is_done(
    command: str, line: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(approximate, "find_spec", lambda _: None)
    more = ("--sketch", "none.png") if command == "query" else ("--no-browser",)
    done = line.call(command, "--run", "abcd", "--gallery", "nowhere", *more, "--approximate")
    told = done.refused()
    assert "--approximate requires faiss" in told
    assert "pip install 'dfbench-sbir[ann]'" in told


def test_query_by_an_index_says_its_recall_and_shows_the_exact_photos(
    line: CommandLine,
    own_photos: Path,
    pictures: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(approximate, "_LEAST", 10)
    stand_in_run(line.place)
    arguments = (
        *("query", "--run", "crossx-s0", "--gallery", str(own_photos), "-k", "10"),
        *("--sketch", str(pictures / "sketch" / "cup" / "1.png"), "--format", "json"),
        *("--results", str(line.results), "--runs", str(line.runs)),
        *("--cache", str(line.place / "cache")),
    )
    exact, by_index = line.call(*arguments), line.call(*arguments, "--approximate")
    assert by_index.json == exact.json
    assert "recall@10 1.000" in by_index.err
    assert "recall@10 1.000" in line.call(*arguments, "--approximate").err
