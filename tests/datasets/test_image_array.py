from __future__ import annotations

import numpy as np
import pytest

from dfbench.datasets.dataset import LazyImages, joined

ROWS = np.arange(6 * 3 * 2 * 2, dtype=np.uint8).reshape(6, 3, 2, 2)


def lazy() -> LazyImages:
    return LazyImages(ROWS.shape, lambda rows: ROWS[rows])


@pytest.mark.parametrize(
    "rows",
    [2, -1, slice(1, 4), slice(None, None, -2), [5, 0, 0], np.array([3, 1]), ROWS[:, 0, 0, 0] > 20],
)
def test_images_on_disk_are_indexed_as_an_array_is(rows: object) -> None:
    np.testing.assert_array_equal(lazy()[rows], ROWS[rows])  # type: ignore[call-overload]  # any index


def test_images_on_disk_end_where_they_end() -> None:
    assert len(lazy()) == len(list(lazy())) == 6
    with pytest.raises(IndexError):
        lazy()[6]
    np.testing.assert_array_equal(np.asarray(lazy()), ROWS)
    with pytest.raises(ValueError, match="without copying"):
        lazy().__array__(copy=False)


def test_joined_images_come_from_their_own_arrays_in_any_order() -> None:
    grey = ROWS[:4, :1] + 100
    parts = [(ROWS, np.array([4, 1])), (grey, np.array([], np.int64)), (grey, np.array([3, 0, 3]))]
    expected = np.concatenate([ROWS[[4, 1]], np.repeat(grey[[3, 0, 3]], 3, axis=1)])
    found = joined(parts)
    assert found.shape == expected.shape
    np.testing.assert_array_equal(found[:], expected)
    np.testing.assert_array_equal(found[np.array([4, 0, 2, 1, 0])], expected[[4, 0, 2, 1, 0]])


def test_joined_images_are_read_only_when_asked_for() -> None:
    asked: list[int] = []

    def read(rows: np.ndarray) -> np.ndarray:  # type: ignore[type-arg]  # indices and images
        asked.extend(rows.tolist())
        return ROWS[rows]

    found = joined([(LazyImages(ROWS.shape, read), np.array([5, 3, 1]))])
    assert asked == []
    found[1]
    assert asked == [3]
