"""The page in the system's browser: strokes of a mouse, of a keyboard, and what comes back."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from draw_bench import Told, serving
from PIL import Image, ImageDraw
from shape_strokes import DRAWINGS, Stroke

from dfbench.datasets import DatasetRequest
from dfbench.datasets.shapes import open_shapes
from dfbench.drawing import DrawServer, read_drawing

sync_api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
SIDE = 32
OpenPage = Callable[..., Any]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """The system's Chromium; the test is skipped where there is none."""
    if CHROMIUM is None:
        pytest.skip("no chromium on PATH (Debian: apt-get install chromium)")
    with sync_api.sync_playwright() as playwright:
        # Its sandbox needs rights that containers lack.
        sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=sandbox)
        yield running
        running.close()


@pytest.fixture
def open_page(browser: Any) -> Iterator[OpenPage]:
    """Opens the page of a server; whatever the browser complains of fails the test."""
    faults: list[str] = []
    contexts: list[Any] = []

    def opened(url: str, **options: Any) -> Any:
        context = browser.new_context(**{"viewport": {"width": 1200, "height": 900}, **options})
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: faults.append(message.text))
        page.on("pageerror", lambda fault: faults.append(str(fault)))
        page.goto(url)
        page.wait_for_selector("#about:not(:empty)")
        return page

    yield opened
    for context in contexts:
        context.close()
    assert not faults


def draw(page: Any, strokes: list[Stroke]) -> None:
    """Draw with the mouse; returns when the last photos are there."""
    box = page.locator("#paper").bounding_box()
    for stroke in strokes:
        places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in stroke]
        page.mouse.move(*places[0])
        page.mouse.down()
        for place in places[1:]:
            page.mouse.move(*place, steps=4)
        with page.expect_response("**/rank"):
            page.mouse.up()
    page.locator("#photos img").first.wait_for()


def names(page: Any) -> list[str]:
    """What the photos are called, best first."""
    found: list[str] = page.locator("#photos .name").all_inner_texts()
    return found


def test_photos_follow_the_pen_and_leave_with_the_drawing(
    server: DrawServer, told: Told, open_page: OpenPage
) -> None:
    page = open_page(server.url)
    assert page.inner_text("#about") == "2 photos in <b>photos</b>, encoders of crossx, seed 3"
    assert page.locator("#undo").is_disabled()
    draw(page, DRAWINGS["mug"])
    assert names(page) == ["<i>b</i>.jpg", "a.jpg"]
    assert len(told.drawings) == 2
    loaded = "Promise.all([...document.images].map((i) => i.decode())).then(() => true)"
    assert page.evaluate(loaded)
    with page.expect_response("**/rank"):
        page.keyboard.press("Control+z")
    with page.expect_response("**/rank"):
        page.locator("#fit").click()
    page.locator("#undo").click()
    sync_api.expect(page.locator("#photos li")).to_have_count(0)
    assert page.inner_text("#status") == "Nothing drawn yet."
    draw(page, DRAWINGS["star"])
    page.locator("#clear").click()
    assert page.locator("#clear").is_disabled()


def test_what_is_sent_is_dark_on_white_and_fills_the_frame(
    server: DrawServer, told: Told, open_page: OpenPage
) -> None:
    page = open_page(server.url, color_scheme="dark")
    small = [[(0.1 + 0.2 * x, 0.7 + 0.2 * y) for x, y in stroke] for stroke in DRAWINGS["star"]]
    draw(page, small)
    with page.expect_response("**/rank"):
        page.locator("#fit").click()
    fitted, plain = (np.asarray(drawing.convert("L")) for drawing in told.drawings)
    for pixels, left, right in ((fitted, 0.09, 0.91), (plain, 0.09, 0.31)):
        assert pixels[0, 0] == 255
        assert pixels.min() == 0
        columns = np.flatnonzero((pixels < 128).any(axis=0)) / pixels.shape[1]
        assert columns.min() == pytest.approx(left, abs=0.03)
        assert columns.max() == pytest.approx(right, abs=0.03)


def test_keyboard_draws_too(server: DrawServer, told: Told, open_page: OpenPage) -> None:
    page = open_page(server.url)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "paper"
    page.keyboard.press("Space")
    for key in ("ArrowRight", "ArrowDown", "Shift+ArrowLeft"):
        page.keyboard.press(key)
    with page.expect_response("**/rank"):
        page.keyboard.press("Space")
    assert len(told.drawings) == 1
    reached = set()
    for _ in range(5):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.id"))
    assert {"undo", "clear", "file", "pen", "fit"} <= reached
    page.locator("#clear").focus()
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "paper"  # a disabled button has no focus


def test_sketch_in_a_file_is_searched_and_drawn_on_without_a_mouse(
    server: DrawServer, told: Told, open_page: OpenPage, tmp_path: Path
) -> None:
    page = open_page(server.url)
    for number, side in enumerate(((300, 100), (40, 80))):
        file = tmp_path / f"{number}.png"
        Image.new("L", side, 90).save(file)
        with page.expect_response("**/rank"):
            page.locator("#file").set_input_files(file)
        page.locator("#photos img").first.wait_for()
    wide, tall = (np.asarray(drawing.convert("L")) for drawing in told.drawings)
    assert wide[128, 10] == 90
    assert wide[10, 128] == 255
    assert tall[10, 128] == 90
    assert tall[128, 10] == 255
    page.locator("#paper").focus()
    page.keyboard.press("Space")
    page.keyboard.press("ArrowRight")
    with page.expect_response("**/rank"):
        page.keyboard.press("Space")
    drawn = np.asarray(told.drawings[-1].convert("L"))
    assert drawn[128, 130] == 0
    assert drawn[10, 128] == 90
    with page.expect_response("**/rank"):
        page.keyboard.press("Control+z")
    page.keyboard.press("Control+z")
    sync_api.expect(page.locator("#photos li")).to_have_count(0)
    (tmp_path / "text.png").write_text("no image")
    page.locator("#file").set_input_files(tmp_path / "text.png")
    sync_api.expect(page.locator("#status")).to_contain_text("text.png cannot be read; allowed: ")


def test_finger_draws_on_a_phone_without_scrolling_sideways(
    server: DrawServer, told: Told, open_page: OpenPage
) -> None:
    viewport = {"width": 360, "height": 740}
    page = open_page(server.url, viewport=viewport, has_touch=True, is_mobile=True)
    box = page.locator("#paper").bounding_box()
    with page.expect_response("**/rank"):
        page.touchscreen.tap(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    assert len(told.drawings) == 1
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert page.locator("#photos").bounding_box()["y"] < 740


class Outlines(Told):
    """Finds the class whose clean outline covers the drawing best; needs no training."""

    def __init__(self) -> None:
        super().__init__()
        self.templates = {name: _blurred(_outline(strokes)) for name, strokes in DRAWINGS.items()}

    def rank(self, png: bytes) -> list[dict[str, Any]]:
        drawing = _blurred(read_drawing(png))
        scores = {name: float((drawing * one).sum()) for name, one in self.templates.items()}
        ranked = sorted(scores, key=scores.__getitem__, reverse=True)
        return [{"index": i % 2, "name": n, "score": scores[n]} for i, n in enumerate(ranked)]


def _outline(strokes: list[Stroke]) -> Image.Image:
    image = Image.new("L", (256, 256), 255)
    for stroke in strokes:
        ImageDraw.Draw(image).line([(256 * x, 256 * y) for x, y in stroke], fill=0, width=12)
    return image


def _blurred(image: Image.Image) -> np.ndarray[Any, Any]:
    small = np.asarray(image.convert("L").resize((SIDE, SIDE), Image.Resampling.BOX), np.float64)
    ink = 255 - small
    return (ink - ink.mean()) / (ink - ink.mean()).std()


def test_drawing_arrives_upright_and_whole(open_page: OpenPage) -> None:
    with serving(DrawServer(Outlines())) as server:
        page = open_page(server.url)
        for name, strokes in DRAWINGS.items():
            draw(page, strokes)
            assert names(page)[0] == name
            page.locator("#clear").click()


@pytest.fixture(scope="module")
def shapes_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run on four classes of `shapes`, and a gallery of its test photos."""
    place = tmp_path_factory.mktemp("shapes")
    images = open_shapes(DatasetRequest(cache=place / "cache")).images("photo", "test")
    for name in DRAWINGS:
        (place / "gallery" / name).mkdir(parents=True)
        label = images.classes.index(name)
        for number in np.flatnonzero(images.labels == label)[:20]:
            pixels = np.broadcast_to(images.images[int(number)], (3, 32, 32)).transpose(1, 2, 0)
            file = place / "gallery" / name / f"{number}.png"
            Image.fromarray(np.ascontiguousarray(pixels)).save(file)
    settings = (
        "teachers.network=resnet-tiny",
        "teachers.steps=300",
        "teachers.alternative_steps=50",
    )
    subprocess.run(
        [
            *(sys.executable, "-c", "from dfbench.cli import main; main()", "run"),
            *("--method", "classifier-posterior", "--dataset", "shapes", "--alone"),
            *("--classes", ",".join(sorted(DRAWINGS)), "--device", "cpu", "--threads", "1"),
            *(part for setting in settings for part in ("--set", setting)),
            *("--results", "results", "--runs", "runs", "--cache", "cache"),
        ],
        cwd=place,
        check=True,
    )
    return place


@pytest.mark.slow
def test_clean_drawing_finds_its_class_first_on_shapes(
    shapes_run: Path, open_page: OpenPage, shell: dict[str, str]
) -> None:
    verb = [
        *(sys.executable, "-c", "from dfbench.cli import main; main()", "draw", "--no-browser"),
        *("--run", "classifier-posterior", "--gallery", "gallery", "--cache", "cache"),
    ]
    process = subprocess.Popen(
        verb, cwd=shapes_run, env=shell, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        page = open_page(process.stdout.readline().strip())
        for name, strokes in DRAWINGS.items():
            draw(page, strokes)
            assert names(page)[0].startswith(f"{name}/"), names(page)[:5]
            page.locator("#clear").click()
        page.close()
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 0
    assert "Traceback" not in told
    assert told.endswith("ended\n")
