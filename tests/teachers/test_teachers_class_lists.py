"""Class lists as people have them: one order of outputs, or a refusal that says what is wrong."""

from __future__ import annotations

import codecs
import json
from pathlib import Path

import pytest

from dfbench.errors import InvalidInput
from dfbench.teachers.class_list import class_list

CATS = ("cat", "dog", "owl", "bee")

FORMS = {
    "names": "cat\ndog\nowl\nbee\n",
    "number first": "0 cat\n1 dog\n2 owl\n3 bee\n",
    "number last": "cat\t0\ndog\t1\nowl\t2\nbee\t3\n",
    "numbers in another order": "bee\t3\ncat\t0\nowl\t2\ndog\t1\n",
    "from one": "1 cat\n2 dog\n3 owl\n4 bee\n",
    "commas": "cat,0\ndog,1\nowl,2\nbee,3\n",
    "colons": "0: cat\n1: dog\n2: owl\n3: bee\n",
    "table": "index,class\n3,bee\n0,cat\n1,dog\n2,owl\n",
    "quoted table": 'class,index\r\n"cat",0\r\n"dog",1\r\n"owl",2\r\n"bee",3\r\n',
    "mapping of YAML": "names:\n  0: cat\n  1: dog\n  2: owl\n  3: bee\n",
    "one line": "cat, dog, owl, bee\n",
    "class_to_idx": json.dumps({"bee": 3, "cat": 0, "dog": 1, "owl": 2}),
    "idx_to_class": json.dumps({"3": "bee", "0": "cat", "1": "dog", "2": "owl"}),
    "JSON list": json.dumps(CATS),
    "ImageNet's index": json.dumps({str(i): [f"n{i}", name] for i, name in enumerate(CATS)}),
    "configuration": json.dumps(
        {"model_type": "vit", "id2label": {str(i): name for i, name in enumerate(CATS)}}
    ),
    "printed by Python": str({name: i for i, name in enumerate(CATS)}),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("mark", ["", "utf-8", "utf-16"])
def test_lists_in_use_give_the_order_of_the_outputs(mark: str, form: str, tmp_path: Path) -> None:
    file = tmp_path / "photo,4.txt"
    encoding = {"": "utf-8", "utf-8": "utf-8-sig", "utf-16": "utf-16"}[mark]
    file.write_bytes(FORMS[form].encode(encoding))
    assert class_list(str(file)) == CATS


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("digit 0\ndigit 1\ndigit 2\n", ("digit 0", "digit 1", "digit 2")),
        ("747 plane\n737 plane\n", ("747 plane", "737 plane")),
        ("0\n1\n2\n", ("0", "1", "2")),
        (
            "tench, Tinca tinca\ngoldfish, Carassius\n",
            ("tench, tinca tinca", "goldfish, carassius"),
        ),
        ("alarm clock\nsea-lion\n", ("alarm clock", "sea lion")),
    ],
)
def test_numbers_and_commas_that_belong_to_names_stay(
    text: str, names: tuple[str, ...], tmp_path: Path
) -> None:
    (tmp_path / "classes.txt").write_text(text, encoding="utf-8")
    assert class_list(str(tmp_path / "classes.txt")) == names


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"0 cat\n1 dog\n3 owl\n", "the numbers 0, 1, 3, but 2 is missing"),
        (b"0 cat\n0 dog\n1 owl\n", "the numbers 0, 0, 1, but 0 occurs twice"),
        (b'{"cat": 0, "dog": 2}', "the numbers 0, 2, but 1 is missing"),
        (b'{"0": "cat", "0": "dog"}', "'0' occurs twice"),
        (b'{"cat": 0, "dog": 1', "is not JSON"),
        (b'{"cat": true, "dog": false}', "JSON of an unknown form"),
        (b'{"lr": 0.1}', "JSON of an unknown form .its keys: lr"),
        (b"0 cat\n1 dog\n2 cat\n", "'cat' is in the class list twice"),
        ("caf\xe9\nbar\n".encode("latin-1"), "is not UTF-8 text .byte 3"),
        ("cat\ndog\n".encode("utf-16-le"), "contains a NUL character"),
        (codecs.BOM_UTF16_LE + b"a", "is not UTF-16-LE text|is not UTF-16 text"),
        (b"PK\x03\x04\x80\xff", "is not UTF-8 text"),
        (b"", "of 0 names"),
    ],
)
def test_lists_without_one_order_are_refused(content: bytes, told: str, tmp_path: Path) -> None:
    (tmp_path / "classes.txt").write_bytes(content)
    with pytest.raises(InvalidInput, match=told) as raised:
        class_list(str(tmp_path / "classes.txt"))
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("x" * 5000, "of 1 names"),
        ("cat", "of 1 names"),
        ("photo,5.txt", "no such file"),
        ("lists/photo.txt", "no such file"),
        ("photo.txt/..", "no such file|is a folder"),
        ("cat\0dog", "invisible character"),
    ],
)
def test_texts_that_are_neither_names_nor_a_file_are_refused(
    text: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InvalidInput, match=told):
        class_list(text)


def test_missing_list_is_answered_with_the_file_most_like_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("photos.txt").write_text("a\nb\n", encoding="utf-8")
    with pytest.raises(InvalidInput, match=r"did you mean 'photos.txt'"):
        class_list("photo.txt")
    with pytest.raises(InvalidInput, match="is a folder"):
        class_list(".")
