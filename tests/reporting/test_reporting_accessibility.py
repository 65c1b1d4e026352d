"""All pages can be read by a screen reader, used from the keyboard, and seen: without a browser."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from html.parser import HTMLParser
from importlib.resources import files
from itertools import pairwise
from pathlib import Path

import pytest
from shelf import Shelf
from site_shelf import furnish

from dfbench.reporting.tables.layout import Layout
from dfbench.reporting.tables.markup import html

VOID = {"meta", "link", "input", "img", "br", "path", "circle", "rect"}
LANDMARKS = {"nav": "navigation", "section": "region", "aside": "complementary", "form": "form"}


@dataclass
class Element:
    """An element with what a screen reader is told of it."""

    tag: str
    attributes: dict[str, str]
    within: list[Element] = field(default_factory=list)
    text: str = ""


class Page(HTMLParser):
    """All elements of a page, in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[Element] = []
        self._open: list[Element] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, {k: v or "" for k, v in attrs}, list(self._open))
        self.elements.append(element)
        if tag not in VOID:
            self._open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(Element(tag, {k: v or "" for k, v in attrs}, list(self._open)))

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop().tag != tag:
            pass

    def handle_data(self, data: str) -> None:
        for element in self._open:
            element.text += data

    def all(self, *tags: str) -> list[Element]:
        """The elements of some kinds."""
        return [element for element in self.elements if element.tag in tags]

    def named(self, element: Element) -> str:
        """The name of an element that `aria-label` or `aria-labelledby` gives."""
        target = element.attributes.get("aria-labelledby")
        found = [
            e.text.strip() for e in self.elements if target and e.attributes.get("id") == target
        ]
        return element.attributes.get("aria-label") or " ".join(found)

    def faults(self) -> list[str]:
        """What somebody who does not see the page, or has no mouse, would stumble over."""
        return [
            *self._of_the_document(),
            *(f"img without alt: {e.attributes}" for e in self.all("img") if not _has_alt(e)),
            *(f"without label: {e.attributes}" for e in self._fields() if not self._labelled(e)),
            *(f"th without scope: {e.text}" for e in self.all("th") if "scope" not in e.attributes),
            *(
                f"table without caption: {e.text[:30]}"
                for e in self.all("table")
                if not _caption(self, e)
            ),
            *self._of_landmarks(),
            *self._of_scrolling(),
            *(
                f"role=img without name: {e.attributes}"
                for e in self.elements
                if e.attributes.get("role") == "img" and not self.named(e)
            ),
        ]

    def _of_the_document(self) -> list[str]:
        (document,) = self.all("html")
        faults = []
        if document.attributes.get("lang") != "en":
            faults.append("no language")
        if not self.all("title") or not self.all("title")[0].text.strip():
            faults.append("no title")
        faults += [f"{len(self.all(t))} <{t}>" for t in ("main", "h1") if len(self.all(t)) != 1]
        levels = [int(e.tag[1]) for e in self.all("h1", "h2", "h3", "h4", "h5")]
        faults += [f"h{a} before h{b}" for a, b in pairwise(levels) if b > a + 1]
        ids = Counter(e.attributes["id"] for e in self.elements if "id" in e.attributes)
        return faults + [f"id {name} twice" for name, count in ids.items() if count > 1]

    def _fields(self) -> list[Element]:
        return self.all("input", "select", "textarea")

    def _labelled(self, element: Element) -> bool:
        pointed = {label.attributes.get("for") for label in self.all("label")}
        inside = any(one.tag == "label" for one in element.within)
        return inside or element.attributes.get("id") in pointed or bool(self.named(element))

    def _of_landmarks(self) -> list[str]:
        names = Counter(
            (element.attributes.get("role") or LANDMARKS[element.tag], self.named(element))
            for element in self.elements
            if self.named(element)
            and (element.attributes.get("role") == "region" or element.tag in LANDMARKS)
        )
        return [f"landmark {name} {count} times" for name, count in names.items() if count > 1]

    def _of_scrolling(self) -> list[str]:
        return [
            f"cannot be scrolled from the keyboard: {element.attributes}"
            for element in self.elements
            if {"wide", "tall"} & {*element.attributes.get("class", "").split()}
            and (element.attributes.get("tabindex") != "0" or not self.named(element))
        ]


def _has_alt(element: Element) -> bool:
    return "alt" in element.attributes


def _caption(page: Page, table: Element) -> bool:
    return any(table in one.within for one in page.all("caption"))


@pytest.fixture
def report(shelf: Shelf) -> Path:
    """Methods of two seeds, one with all artefacts and one whose folder is gone."""
    for seed in (0, 1):
        furnish(shelf, shelf.add("crossx", 0.2, posterior=0.3, seed=seed))
        shelf.add("mib", 0.1, seed=seed, scenario="overlap=0.5")
    target = shelf.place / "report"
    finished = shelf.call("report", "-o", str(target), "--runs", str(shelf.runs))
    assert finished.status == 0, finished.err
    return target


def test_pages_of_a_report_can_be_heard_and_used_from_the_keyboard(report: Path) -> None:
    pages = sorted(report.rglob("*.html"))
    assert len(pages) == 8
    for file in pages:
        assert Page(file.read_text()).faults() == [], file.name


def test_tables_as_html_can_be_heard_and_used_from_the_keyboard() -> None:
    rows = (("a", ".1", ".2"), ("b", ".3", ".4"))
    spans = (("", 1), ("both", 2))
    layouts = [
        Layout("Scores", ("model", "x", "y"), rows, ("a note",), {}, spans=spans),
        Layout("Differences", ("model", "x", "y"), rows, (), {}, sections=(("one", 1), ("two", 1))),
    ]
    assert Page(html(layouts)).faults() == []


def test_drawing_page_can_be_heard_and_used_from_the_keyboard() -> None:
    text = files("dfbench.drawing").joinpath("page", "index.html").read_text(encoding="utf-8")
    page = Page(text)
    assert page.faults() == []
    (paper,) = page.all("canvas")
    assert paper.attributes["tabindex"] == "0"
    assert any(one.attributes.get("type") == "file" for one in page.all("input"))


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ("<img src='a'>", "img without alt"),
        ("<input type='text'>", "without label"),
        ("<table><caption>c</caption><tr><th>x</th></tr></table>", "th without scope"),
        ("<table><tr><td>x</td></tr></table>", "table without caption"),
        ("<div class='wide'>x</div>", "cannot be scrolled"),
        ("<main></main>", "2 <main>"),
        ("<h4>deep</h4>", "h1 before h4"),
        ("<section aria-label='a'></section><div role='region' aria-label='a'></div>", "landmark"),
        ("<svg role='img'></svg>", "role=img without name"),
        ("<p id='a'></p><p id='a'></p>", "id a twice"),
    ],
)
def test_a_page_with_a_fault_is_noticed(wrong: str, told: str) -> None:
    text = f"<html lang='en'><title>t</title><main><h1>h</h1>{wrong}</main></html>"
    (fault,) = Page(text).faults()
    assert told in fault


def _colours(css: str) -> tuple[dict[str, str], dict[str, str]]:
    """The colours that a style declares, light and dark."""
    light, _, dark = css.partition("@media (prefers-color-scheme: dark)")
    declared = [
        dict(re.findall(r"--([\w-]+): (#[0-9a-f]{3,6})\b", part.partition("* {")[0]))
        for part in (light, dark)
    ]
    return declared[0], declared[0] | declared[1]


def _luminance(colour: str) -> float:
    digits = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
    parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    red, green, blue = (p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(a: str, b: str) -> float:
    """The contrast of two colours by WCAG 2, from 1 to 21."""
    low, high = sorted((_luminance(a), _luminance(b)))
    return (high + 0.05) / (low + 0.05)


REPORT = files("dfbench.reporting.site").joinpath("assets", "report.css").read_text("utf-8")
DRAWING = files("dfbench.drawing").joinpath("page", "style.css").read_text("utf-8")
TABLES = html([Layout("t", ("a",), (("b",),), (), {})])
TEXTS = {
    "report": (REPORT, ("ink", "quiet", "link", "hit", "miss"), ("paper", "raised")),
    "warnings": (REPORT, ("ink", "link"), ("warn",)),
    "drawing": (DRAWING, ("ink", "faint", "accent"), ("page", "card")),
    "tables": (TABLES, ("ink",), ("page",)),
}
MARKS = ("first", "second", "c3", "c4", "c5", "c6", "quiet")


def test_contrast_is_that_of_the_standard() -> None:
    assert contrast("#000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#fff") == pytest.approx(4.478, abs=1e-3)


@pytest.mark.parametrize("page", TEXTS)
def test_texts_contrast_with_their_ground_in_light_and_dark(page: str) -> None:
    css, texts, grounds = TEXTS[page]
    for colours in _colours(css):
        for text in texts:
            for ground in grounds:
                assert contrast(colours[text], colours[ground]) >= 4.5, (text, ground, colours)


def test_marks_of_charts_contrast_with_their_ground_in_light_and_dark() -> None:
    for colours in _colours(REPORT):
        for mark in MARKS:
            assert contrast(colours[mark], colours["paper"]) >= 3


@pytest.mark.parametrize("css", [REPORT, DRAWING, TABLES], ids=["report", "drawing", "tables"])
def test_focus_of_the_keyboard_is_seen(css: str) -> None:
    assert re.search(r":focus-visible \{[^}]*outline: \d+px solid", css)
    assert not re.search(r"outline: (?:none|0)\b", css)
