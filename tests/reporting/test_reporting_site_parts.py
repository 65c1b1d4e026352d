"""Parts of a report: small pictures, values as scripts, curves, classes."""

from __future__ import annotations

import io
import json
import re
from base64 import b64decode
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from site_shelf import noise, write

from dfbench.reporting.cells import duration
from dfbench.reporting.site.comparing import queries_script, stride_of, values_script
from dfbench.reporting.site.figures import HEIGHT, WIDTH, class_rows, heatmap, read_charts
from dfbench.reporting.site.thumbnails import FOLDER, Thumbnails


def test_a_picture_of_a_small_report_keeps_its_size_and_is_kept_once(tmp_path: Path) -> None:
    picture = noise(300, 200)
    shelf = Thumbnails(tmp_path, 300 * 200)
    first, again = shelf.add(picture), shelf.add(picture.copy())
    assert (first.width, first.height) == (300, 200)
    assert first == again
    assert len(list((tmp_path / FOLDER).iterdir())) == 1
    assert shelf.written == {first.address}


def test_pictures_of_a_large_report_stay_within_its_bytes(tmp_path: Path) -> None:
    each, count = 400 * 300, 2_000
    shelf = Thumbnails(tmp_path, each * count)
    shown = [shelf.add(noise(400, 300, seed)) for seed in range(5)]
    sizes = [(tmp_path / one.address).stat().st_size for one in shown]
    assert max(sizes) * count < 20_000_000
    with Image.open(tmp_path / shown[0].address) as picture:
        assert picture.size == (shown[0].width, shown[0].height)
        assert picture.width / picture.height == pytest.approx(4 / 3, abs=0.05)


def test_values_come_back_from_a_script_to_four_decimals() -> None:
    values = np.array([0.0, 0.12344, np.nan, 1.0])
    (key, packed) = json.loads(
        "[" + re.findall(r"\((.*)\)", values_script("k", values, 1))[0] + "]"
    )
    assert key == "k"
    assert np.frombuffer(b64decode(packed), "<u2").tolist() == [0, 1234, 65535, 10000]
    every_third = values_script("k", values, 3)
    packed = json.loads("[" + re.findall(r"\((.*)\)", every_third)[0] + "]")[1]
    assert np.frombuffer(b64decode(packed), "<u2").tolist() == [0, 10000]


def test_values_of_many_queries_are_thinned_only_when_there_are_many_runs() -> None:
    assert stride_of(2_000, 500) == 1
    assert stride_of(100_000, 10) == 1
    queries, runs = 100_000, 500
    stride = stride_of(queries, runs)
    assert stride > 1
    script = values_script("k", np.zeros(queries), stride)
    assert len(script) * runs < 6_000_000


def test_names_of_classes_cannot_end_a_script() -> None:
    script = queries_script("k", ["</script><b>", "\u2028"], np.zeros(2, np.int64), 1)
    assert "<" not in script
    assert json.loads("[" + script[script.index("(") + 1 : script.rindex(")")] + "]")[1] == [
        "</script><b>",
        "\u2028",
    ]


def test_a_curve_fills_its_box_and_breaks_where_a_value_is_not_finite(tmp_path: Path) -> None:
    points = [[0, 2.0], [50, 1.0], [60, None], [70, 0.0], [100, 0.5]]
    write(tmp_path / "students.curves.json", json.dumps({"loss": points, "once": [[0, 1.0]]}))
    (chart,) = read_charts(tmp_path)
    assert (chart.loop, chart.name, chart.steps) == ("students", "loss", 100)
    assert (chart.first, chart.last, chart.low, chart.high) == (2.0, 0.5, 0.0, 2.0)
    pieces = re.findall(r"[ML][^ML]*", chart.path)
    assert [piece[0] for piece in pieces] == ["M", "L", "M", "L"]
    assert pieces[0] == "M0 0.0"
    assert pieces[2] == f"M{0.7 * WIDTH:.0f} {HEIGHT:.1f}"
    assert pieces[-1].startswith(f"L{WIDTH} ")


def test_a_long_curve_keeps_its_ends_and_few_points(tmp_path: Path) -> None:
    points = [[step, float(step)] for step in range(10_001)]
    write(tmp_path / "a.curves.json", json.dumps({"loss": points}))
    (chart,) = read_charts(tmp_path)
    pieces = re.findall(r"[ML][^ML]*", chart.path)
    assert len(pieces) < 90
    assert pieces[0] == f"M0 {HEIGHT:.1f}"
    assert pieces[-1] == f"L{WIDTH} 0.0"


def test_heatmap_is_one_pixel_a_cell_and_more_opaque_for_larger_shares() -> None:
    shares = np.array([[1.0, 0.0], [0.5, 0.5]], np.float32)
    shown = heatmap(shares, ("ant", "bee"))
    payload = b64decode(shown.address.partition(",")[2])
    with Image.open(io.BytesIO(payload)) as picture:
        alpha = np.asarray(picture.convert("RGBA"))[..., 3]
    assert alpha[0].tolist() == [255, 0]
    assert 100 < alpha[1, 0] < 200
    assert shown.classes == ("ant", "bee")
    assert heatmap(np.eye(60, dtype=np.float32), tuple(map(str, range(60)))).classes == ()


def test_rows_of_classes_name_what_is_retrieved_most_instead() -> None:
    shares = np.array([[0.5, 0.2, 0.3], [0.0, 1.0, 0.0], [0.0, 0.0, 0.0]], np.float32)
    values, labels = np.array([0.4, 0.6, np.nan, 0.8]), np.array([0, 0, 0, 1])
    first, second, third = class_rows(("ant", "bee", "cow"), shares, values, labels)
    assert (first.queries, first.confused_with) == (2, "cow")
    assert first.average_precision == pytest.approx(0.5)
    assert first.confused_share == pytest.approx(0.3)
    assert (second.r_precision, second.confused_with) == (1.0, None)
    assert (third.queries, third.average_precision, third.r_precision) == (0, None, None)
    untold = class_rows(("ant", "bee", "cow"), shares, None, None)[0]
    assert (untold.queries, untold.average_precision) == (None, None)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (4.25, "4.2 s"),
        (59.97, "1 min 0 s"),
        (119.7, "2 min 0 s"),
        (399.1, "6 min 39 s"),
        (3599.6, "1 h 0 min"),
        (7320, "2 h 2 min"),
    ],
)
def test_durations_are_read_at_a_glance(seconds: float, text: str) -> None:
    assert duration(seconds) == text
