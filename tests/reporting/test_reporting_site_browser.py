"""A report in a real browser, opened from its files: it sorts, filters, compares and fits."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from shelf import Shelf
from site_shelf import furnish

from dfbench.reporting.run_folders import RunFolders

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
playwright = pytest.importorskip("playwright.sync_api", reason="needs the package playwright")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Debian's chromium")
PHONE, DESKTOP = {"width": 390, "height": 844}, {"width": 1280, "height": 900}
LOADED = """async () => {
    const images = [...document.images];
    images.forEach((image) => { image.loading = "eager"; });
    const sheets = [...document.querySelectorAll(".cell")]
        .map((cell) => getComputedStyle(cell).backgroundImage.slice(5, -2));
    const all = [...images.map((image) => image.src), ...new Set(sheets)];
    const seen = await Promise.all(all.map((src) => new Promise((done) => {
        const image = new Image();
        image.onload = () => done(image.naturalWidth > 0);
        image.onerror = () => done(false);
        image.src = src;
    })));
    return [seen.length, seen.every(Boolean)];
}"""
Open = Callable[..., Any]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as started:
        chromium = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture
def report(shelf: Shelf) -> Path:
    """Rows of two seeds with all artefacts."""
    for label, gain in (("crossx", 0.2), ("mib", 0.1), ("triplet", 0.05)):
        for seed in (0, 1):
            furnish(shelf, shelf.add(label, gain, seed=seed))
    target = shelf.place / "report"
    finished = shelf.call("report", "-o", str(target), "--runs", str(shelf.runs))
    assert finished.status == 0, finished.err
    return target


@pytest.fixture
def visit(browser: Any, report: Path) -> Iterator[Open]:
    """Opens a page of the report; at the end nothing may have been complained of."""
    complaints: list[str] = []
    opened: dict[tuple[int, str], Any] = {}

    def visit(address: str, viewport: dict[str, int] = DESKTOP, scheme: str = "light") -> Any:
        page = opened.get((viewport["width"], scheme))
        if page is None:
            page = browser.new_page(viewport=viewport, color_scheme=scheme, offline=True)
            page.on("console", lambda message: complaints.append(message.text))
            page.on("pageerror", lambda fault: complaints.append(str(fault)))
            page.on("requestfailed", lambda request: complaints.append(request.url))
            opened[viewport["width"], scheme] = page
        page.goto(f"{report.as_uri()}/{address}")
        return page

    yield visit
    for page in opened.values():
        page.close()
    assert complaints == []


def _column(page: Any, table: str, number: int) -> list[str]:
    texts: list[str] = page.locator(f"{table} tbody tr > :nth-child({number})").all_inner_texts()
    return texts


def test_the_overview_sorts_by_click_and_by_key(visit: Open) -> None:
    page = visit("index.html")
    heading = page.get_by_role("columnheader", name="mAP@all")
    assert heading.get_attribute("aria-sort") is None
    heading.get_by_role("button").focus()
    page.keyboard.press("Enter")
    assert heading.get_attribute("aria-sort") == "descending"
    assert _column(page, "#all-rows", 1) == ["Crossx", "Mib", "Triplet"]
    page.keyboard.press("Enter")
    assert heading.get_attribute("aria-sort") == "ascending"
    values = [float(text.split()[0]) for text in _column(page, "#all-rows", 2)]
    assert values == sorted(values)
    page.get_by_role("button", name="method").click()
    assert heading.get_attribute("aria-sort") is None
    assert _column(page, "#all-rows", 1) == ["Crossx", "Mib", "Triplet"]


def test_the_overview_shows_only_rows_with_all_words(visit: Open) -> None:
    page = visit("index.html")
    page.get_by_role("searchbox").fill("MIB sketchy")
    assert page.locator("#all-rows tbody tr:visible").all_inner_texts()[0].startswith("Mib")
    assert page.locator("output").inner_text() == "1 of 3"


def test_images_of_a_run_load_and_its_way_leads_to_a_comparison(visit: Open, shelf: Shelf) -> None:
    page = visit("index.html")
    page.get_by_role("link", name="run of Mib, seed 1").click()
    assert page.get_by_role("heading", level=1).inner_text().startswith("Mib")
    assert page.evaluate(LOADED) == [3, True]
    page.get_by_role("link", name="Compare this run").click()
    page.locator("#result .summary").wait_for()
    assert page.locator("#a").input_value() == _record_key(shelf, "mib", 1)
    assert "seed 1" in page.locator("#group option:checked").inner_text()


def test_two_runs_are_compared_query_by_query(visit: Open, shelf: Shelf) -> None:
    page = visit("compare.html")
    page.locator("#a").select_option(_record_key(shelf, "triplet", 0))
    page.locator("#b").select_option(_record_key(shelf, "crossx", 0))
    summary = page.locator("#result .summary")
    playwright.expect(summary).to_contain_text("-.150")
    rows = {one.method.label: one for one in shelf.records if one.seed == 0}
    values = [RunFolders(shelf.runs).values(rows[x], "map@all", "") for x in ("triplet", "crossx")]
    gaps = values[0] - values[1]
    table = "table:has(caption:text('Queries with a higher AP in B'))"
    assert next(int(text) for text in _column(page, table, 1)) == int(np.argmin(gaps))
    assert {*_column(page, "table:has(caption:text('By class'))", 1)} == {"a", "b"}
    page.get_by_role("button", name="Swap A and B").click()
    playwright.expect(summary).to_contain_text("+.150")
    page.locator("#group").select_option(index=1)
    assert page.locator("#a").input_value() == _record_key(shelf, "crossx", 1)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_is_wider_than_a_phone_and_each_follows_the_scheme(
    visit: Open, report: Path, scheme: str
) -> None:
    some = ["index.html", "compare.html"]
    some += [
        str(next(report.glob(f"{kind}/*.html")).relative_to(report)) for kind in ("data", "runs")
    ]
    for address in some:
        page = visit(address, PHONE, scheme)
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], address
        paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (paper == "rgb(255, 255, 255)") == (scheme == "light")


def test_the_keyboard_reaches_the_content_and_shows_where_it_is(visit: Open) -> None:
    page = visit("index.html")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to content"
    page.keyboard.press("Tab")
    focus = "getComputedStyle(document.activeElement).outlineStyle"
    assert page.evaluate(focus) == "solid"


def _record_key(shelf: Shelf, label: str, seed: int) -> str:
    (key,) = (
        record.eval_id[:12]
        for record in shelf.records
        if (record.method.label, record.seed) == (label, seed)
    )
    return key


CUT = """[...document.querySelectorAll(".wide")]
    .filter((box) => box.scrollWidth > box.clientWidth)
    .map((box) => box.getAttribute("aria-label"))"""


def test_no_table_of_a_page_is_cut_on_a_desktop(visit: Open, report: Path) -> None:
    for file in sorted(report.rglob("*.html")):
        page = visit(str(file.relative_to(report)))
        assert page.evaluate(CUT) == [], file.name


def test_scores_of_a_run_fit_a_phone(visit: Open, report: Path) -> None:
    page = visit(str(next(report.glob("runs/*.html")).relative_to(report)), PHONE)
    assert "the method's embeddings, table" not in page.evaluate(CUT)


IN_VIEW = """(number) => {
    const box = document.querySelector("#all-rows").parentElement;
    const cell = document.querySelector(`#all-rows tbody tr > :nth-child(${number})`);
    box.scrollLeft = box.scrollWidth;
    const [outer, inner] = [box.getBoundingClientRect(), cell.getBoundingClientRect()];
    return box.scrollLeft > 0 && inner.left >= outer.left && inner.right <= outer.right;
}"""


@pytest.mark.parametrize(("column", "stays"), [(1, True), (2, True), (3, False), (4, False)])
def test_name_and_score_stay_in_view_when_a_table_scrolls_on_a_phone(
    visit: Open, column: int, *, stays: bool
) -> None:
    assert visit("index.html", PHONE).evaluate(IN_VIEW, column) == stays


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_charts_can_be_read_in_both_schemes(visit: Open, scheme: str) -> None:
    page = visit("index.html", PHONE, scheme)
    colours = page.evaluate(COLOURS)
    assert len(colours) == 5
    assert min(_contrast(one, colours[0]) for one in colours[1:]) >= 3


COLOURS = """() => {
    const paper = getComputedStyle(document.body).backgroundColor;
    const parts = ["text.score", "text.heading", "g.first circle", ".chance"];
    const shown = parts.map((part) => getComputedStyle(document.querySelector(`.methods ${part}`)));
    const colours = shown.flatMap((style) => [style.fill, style.stroke]);
    return [paper, ...colours.filter((colour) => colour !== "none")];
}"""


def _contrast(first: str, second: str) -> float:
    lights = sorted(map(_luminance, (first, second)))
    return (lights[1] + 0.05) / (lights[0] + 0.05)


def _luminance(colour: str) -> float:
    parts = [int(number) / 255 for number in colour.removeprefix("rgb(").rstrip(")").split(",")]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return float(np.dot(linear, (0.2126, 0.7152, 0.0722)))
