from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dfbench.datasets.shapes.figures.paths import arc, box, on_circle, oval, ribbon, smooth
from dfbench.datasets.shapes.figures.raster import SIDE, blurred, coverage, ink

corner = st.floats(-10, 42, allow_nan=False)


@given(corner, corner, corner, corner)
def test_a_box_covers_its_area_within_the_image(x0: float, y0: float, x1: float, y1: float) -> None:
    (mask,) = coverage([box(min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1))], SIDE)
    wide = np.clip(max(x0, x1), 0, SIDE) - np.clip(min(x0, x1), 0, SIDE)
    high = np.clip(max(y0, y1), 0, SIDE) - np.clip(min(y0, y1), 0, SIDE)
    assert mask.min() >= 0
    assert mask.max() <= 1
    assert abs(mask.sum() - wide * high) <= 0.26 * wide + 0.01 * high + 0.01


@pytest.mark.parametrize("size", [32, 33, 64, 224])
def test_an_ellipse_covers_pi_r_r_at_every_size(size: int) -> None:
    (mask,) = coverage([oval((15.3, 16.1), 10, 7, 64)], size)
    assert mask.shape == (size, size)
    assert abs(mask.mean() * SIDE**2 - 3.14159 * 70) < 2


def test_direction_of_travel_does_not_matter() -> None:
    path = smooth([(3, 4), (28, 8), (20, 29), (9, 20)], closed=True)
    there, back = coverage([path, path[::-1]], SIDE)
    np.testing.assert_array_equal(there, back)


def test_areas_in_one_call_do_not_touch_each_other() -> None:
    paths = [box(1, 1, 9, 9), oval((20, 20), 6, 6), ribbon([(0, 0), (40, 31)], 2)]
    together = coverage(paths, SIDE)
    for path, mask in zip(paths, together, strict=True):
        np.testing.assert_array_equal(coverage([path], SIDE)[0], mask)


@settings(deadline=None)
@given(st.floats(-3, 3))
def test_on_circle_agrees_with_sine_and_cosine(turns: float) -> None:
    np.testing.assert_allclose(
        on_circle(turns), (np.cos(2 * np.pi * turns), np.sin(2 * np.pi * turns)), atol=1e-6
    )


def test_ink_is_dark_where_the_pen_was_and_never_adds_up() -> None:
    points = np.array([[5.5, 5.5], [5.5, 5.5], [-1.0, 40.0]])
    plane = ink(points, np.full(3, 1.0), np.array([0, 0, 1]), 2, SIDE)
    assert plane[0, 5, 5] == 1
    assert plane[0, 5, 8] == 0
    assert not plane[1].any()


def test_blur_keeps_a_flat_picture_and_spreads_a_point() -> None:
    np.testing.assert_allclose(blurred(np.full((3, SIDE, SIDE), 0.5)), 0.5)
    point = np.zeros((SIDE, SIDE))
    point[10, 10] = 9
    assert blurred(point)[9:12, 9:12].tolist() == [[1.0] * 3] * 3


def test_ink_reaches_as_far_as_its_radius_at_every_size() -> None:
    for size in (32, 64, 224):
        (plane,) = ink(np.array([[16.0, 16.0]]), np.full(1, 1.2), np.array([0]), 1, size)
        assert abs(plane.mean() * SIDE**2 - 3.14159 * 1.2**2) < 0.6


def test_blur_spreads_over_the_same_part_of_the_picture_at_every_size() -> None:
    for size in (8, 64, 96, 224):
        point = np.zeros((size, size))
        point[size // 2, size // 2] = 1
        spread = blurred(point)
        width = 2 * (3 * size // 64) + 1
        np.testing.assert_allclose(spread.sum(), 1)
        assert (spread > 0).sum() == width**2


def test_an_arc_includes_both_ends() -> None:
    path = arc((0, 0), 2, 1, 0, 0.5, 4)
    np.testing.assert_allclose(path[0], (2, 0), atol=1e-6)
    np.testing.assert_allclose(path[-1], (-2, 0), atol=1e-6)
