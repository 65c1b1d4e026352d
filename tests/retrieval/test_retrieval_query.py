from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from bench import CommandLine, Finished
from PIL import Image
from stand_in import stand_in_run

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
