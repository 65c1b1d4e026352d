from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from bench import CommandLine, Finished
from PIL import Image
from stand_in import stand_in_run

import dfbench
from dfbench.records.record import Record

Query = Callable[..., Finished]


@pytest.fixture
def query(line: CommandLine, own_photos: Path, pictures: Path) -> Query:
    stand_in_run(line.place)

    def call(*more: str, sketch: Path = pictures / "sketch" / "cup" / "1.png") -> Finished:
        return line.call(
            *("query", "--run", "crossx-s0", "--gallery", str(own_photos), "--sketch", str(sketch)),
            *("--results", str(line.results), "--runs", str(line.runs)),
            *("--cache", str(line.place / "cache"), *more),
        )

    return call


def test_query_prints_ranked_photos_and_draws_them(query: Query, line: CommandLine) -> None:
    sheet = line.place / "out" / "sheet.png"
    done = query("-k", "3", "-o", str(sheet))
    assert done.status == 0, done.err
    assert "1.png: 3 of 10 photos" in done.out
    assert done.out.count(".png") + done.out.count(".PNG") == 4
    with Image.open(sheet) as picture:
        assert picture.format == "PNG"
        assert picture.width > 3 * 160
    as_json = query("-k", "3", "--format", "json").json
    assert [hit["rank"] for hit in as_json] == [1, 2, 3]
    for hit in as_json:
        assert hit["path"] in done.out
        assert f"{hit['score']:.3f}" in done.out


def test_several_sketches_are_ranked_in_one_query(
    query: Query, line: CommandLine, pictures: Path
) -> None:
    sheet = line.place / "sheet.png"
    alone = query("-k", "2", "-o", str(sheet), "--format", "json").json
    with Image.open(sheet) as picture:
        width, height = picture.size
    other = pictures / "sketch" / "sun" / "0.png"
    both = query("-k", "2", "-o", str(sheet), "--sketch", str(other), "--format", "json").json
    assert [Path(one["sketch"]).parent.name for one in both] == ["cup", "sun"]
    assert both[0]["photos"] == alone
    assert [hit["rank"] for hit in both[1]["photos"]] == [1, 2]
    with Image.open(sheet) as picture:
        assert picture.size == (width, 2 * height)
    text = query("-k", "2", "--sketch", str(other)).out
    assert text.index("1.png: 2 of 10 photos") < text.index("0.png: 2 of 10 photos")


def test_unreadable_photos_are_named_and_counted(query: Query, own_photos: Path) -> None:
    for number in range(12):
        (own_photos / f"torn{number:02}.jpg").write_bytes(b"\xff\xd8\xff")
    done = query()
    assert done.status == 0
    assert f"left out: {str(own_photos / 'torn00.jpg')!r} (" in done.err
    assert "12 unreadable files left out, 2 of them not listed" in done.err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--run", "abcd"), "unknown run 'abcd'; nearest: crossx-s0-"),
        (("--gallery", "nowhere"), "nowhere' does not exist; allowed: a folder of photos"),
        (("--sketch", "none.png"), "none.png' cannot be read"),
        (("-o", "sheet.doc"), "sheet.doc'; allowed: a file with suffix .png"),
    ],
    ids=["run", "gallery", "sketch", "sheet"],
)
def test_wrong_request_is_one_line(query: Query, arguments: tuple[str, ...], told: str) -> None:
    assert told in query(*arguments).refused()


def test_white_on_black_sketch_is_remarked_on(query: Query, tmp_path: Path) -> None:
    file = tmp_path / "negative.png"
    Image.new("L", (20, 20), 0).save(file)
    assert "mostly dark" in query(sketch=file).err


def test_query_is_reranked_beside_the_plain_ranks(query: Query, line: CommandLine) -> None:
    sheet = line.place / "sheet.png"
    plain = {hit["path"]: hit for hit in query("--format", "json").json}
    told = query("-k", "4", "--rerank", "query-expansion:k=3", "-o", str(sheet))
    assert "1.png: 4 of 10 photos, re-ranked by query-expansion:k=3 *" in told.out
    assert "transductive" in told.out
    assert sheet.is_file()
    found = query("-k", "4", "--rerank", "query-expansion:k=3", "--format", "json").json
    assert [hit["reranked"]["rank"] for hit in found] == [1, 2, 3, 4]
    assert {hit["reranked"]["reranker"] for hit in found} == {"query-expansion:k=3"}
    scores = [hit["reranked"]["score"] for hit in found]
    assert scores == sorted(scores, reverse=True)
    for hit in found:
        assert hit.pop("reranked")["transductive"] is True
        assert hit == plain[hit["path"]]


@pytest.mark.parametrize(
    ("reranker", "told"),
    [
        ("difusion", "unknown re-ranker 'difusion'; did you mean 'diffusion'?"),
        ("diffusion:alfa=1", "did you mean 'alpha'?"),
        ("diffusion:k=0", "setting k='0' of re-ranker 'diffusion': input should be greater"),
        ("diffusion:k", "'k' is not a setting; allowed: NAME or NAME:KEY=VALUE"),
        ("", "unknown re-ranker ''"),
    ],
)
def test_wrong_reranker_of_a_query_is_one_line(query: Query, reranker: str, told: str) -> None:
    assert told in query("--rerank", reranker).refused()


def test_query_names_a_reranker_that_fails(query: Query, tmp_path: Path) -> None:
    file = tmp_path / "endless.py"
    file.write_text(ENDLESS, encoding="utf-8")
    chosen = ("--plugin", str(file), "--rerank", "endless", "--rerank-timeout", "1")
    line = query(*chosen).refused()
    assert "re-ranker 'endless' of plugin 'endless': not done after 1 s, the time limit" in line
    assert "--rerank-timeout" in line


def test_loaded_model_reranks_as_the_command_does(query: Query, made: tuple[Path, Record]) -> None:
    del query
    model = dfbench.load(made[0])
    random = np.random.default_rng(0)
    width = model.encode_sketches(np.zeros((1, 3, 16, 16), np.uint8)).shape[1]
    sketches, photos = (random.normal(size=(n, width)).astype(np.float32) for n in (3, 20))
    found = model.rerank(sketches, photos, 5, "query-expansion:k=3")
    space = [rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (sketches, photos)]
    near = np.argsort(-space[0] @ space[1].T, axis=1)[:, :3]
    expanded = space[0] + space[1][near].sum(1)
    assert (found == np.argsort(-expanded @ space[1].T, axis=1)[:, :5]).all()


ENDLESS = """
import time
import dfbench


@dfbench.hookimpl
def dfbench_rerankers():
    return [dfbench.RerankerSpec("endless", "Endless", "endless:Endless")]


class Endless(dfbench.Reranker):
    name, title, definition = "endless", "Endless", "nothing"

    def prepare(self, gallery, similarity):
        time.sleep(600)

    def scores(self, queries):
        raise AssertionError
"""
