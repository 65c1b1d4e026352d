"""Photos of figures: coloured, textured, lit, with background clutter and occlusion."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from dfbench.datasets.shapes.figures.draws import Draws
from dfbench.datasets.shapes.figures.figure import Figure, Piece, Tone, posed
from dfbench.datasets.shapes.figures.paths import Path, on_circle, oval, ribbon
from dfbench.datasets.shapes.figures.raster import SIDE, blurred, coverage

Plane = NDArray[np.float64]


def cloud(draws: Draws, cells: int, size: int) -> Plane:
    """Value noise on `cells` x `cells` squares, `[size, size]` in [-1, 1]."""
    grid = draws.array(cells + 1, cells + 1) * 2 - 1
    cell, following, t = _steps(cells, size)
    above = grid.take(cell, axis=0)
    rows = above + (grid.take(following, axis=0) - above) * t[:, None]
    left = rows.take(cell, axis=1)
    smooth: Plane = left + (rows.take(following, axis=1) - left) * t
    return smooth


def ramp(draws: Draws, size: int) -> Plane:
    """A straight gradient in a random direction, `[size, size]` in about [-1, 1]."""
    x, y = on_circle(draws.uniform())
    rows, columns = _centres(size)
    slope: Plane = ((columns - SIDE / 2) * x + (rows - SIDE / 2) * y) / (SIDE / 2)
    return slope


def waves(draws: Draws, period: float, size: int) -> Plane:
    """Stripes with a triangular profile and `period` in units, `[size, size]` in [-1, 1]."""
    x, y = on_circle(draws.uniform())
    rows, columns = _centres(size)
    phase = (columns * x + rows * y) / period + draws.uniform()
    stripes: Plane = 4 * np.abs(phase - np.floor(phase) - 0.5) - 1
    return stripes


def pattern(draws: Draws, size: int) -> Plane:
    """One of several surface textures, `[size, size]` in [-1, 1]."""
    kind = draws.integer(0, 4)
    if kind == 0:
        return waves(draws, draws.between(3, 9), size)
    if kind == 1:
        warp = waves(draws, draws.between(4, 10), size)
        return warp * waves(draws, draws.between(4, 10), size)
    if kind == 2:
        return cloud(draws, 4, size) * 0.6 + cloud(draws, 9, size) * 0.4
    return cloud(draws, draws.integer(3, 14), size)


@cache
def _centres(size: int) -> tuple[Plane, Plane]:
    """Pixel centres in units: of rows `[size, 1]` and of columns `[1, size]`."""
    centres: Plane = (np.arange(size, dtype=np.float64) + 0.5) / (size / SIDE)
    return centres[:, None], centres[None, :]


@cache
def _steps(cells: int, size: int) -> tuple[NDArray[np.int64], NDArray[np.int64], Plane]:
    """For each pixel its cell, the next one, and the weight of the next one."""
    position = (np.arange(size) + 0.5) * (cells / size)
    cell = np.floor(position).astype(np.int64)
    t = position - cell
    return cell, cell + 1, t * t * (3 - 2 * t)


Picture = NDArray[np.float64]
"""`[3, size, size]`, 0 black, 1 white; may exceed this range before exposure."""
_THINNEST = 1.3  # units: the thinnest line visible in a photo


@dataclass(frozen=True)
class PhotoStyle:
    """Parameters of the difficulty of photos."""

    smallest: float = 7.5
    """Half the longer side of the smallest figure, in units of the picture (see `raster`)."""
    largest: float = 13.5
    contrast: float = 0.13
    """Minimum brightness difference between a figure and its background."""
    clutter: int = 5
    """Maximum number of background objects."""
    occlusion: float = 0.5
    """Probability of an object in front of the figure."""
    grain: float = 0.08
    """Amplitude of the sensor's noise."""


def photo(figure: Figure, draws: Draws, style: PhotoStyle, size: int) -> NDArray[np.uint8]:
    """One photo of a figure, `[3, size, size]`; the same scene at every size."""
    pieces = posed(figure, draws, style.smallest, style.largest)
    masks = coverage([_area(piece) for piece in pieces], size)
    backdrop = draws.between(0.12, 0.88)
    picture = _background(draws, backdrop, style.clutter, size)
    whole = masks.max(axis=0)
    light = on_circle(draws.between(0.55, 0.95))
    picture = _shadowed(picture, whole, light, draws.between(0, 0.5))
    coat = _coat(draws, backdrop, style.contrast)
    surface = _relief(whole, light) * draws.between(0.15, 0.45)
    surface = surface + pattern(draws, size) * draws.between(0, 0.16) + ramp(draws, size) * 0.1
    for piece, mask in zip(pieces, masks, strict=True):
        colour = coat[piece.tone][:, None, None] + surface
        picture = picture + (colour - picture) * mask
    if draws.chance(style.occlusion):
        picture = _occluded(picture, draws)
    return _exposed(picture, draws, style.grain)


def _area(piece: Piece) -> Path:
    return ribbon(piece.path, max(piece.width, _THINNEST)) if piece.width else piece.path


def _colour(draws: Draws, brightness: float) -> NDArray[np.float64]:
    chroma = draws.array(3)
    chroma = chroma - (chroma[0] + chroma[1] + chroma[2]) / 3
    tinted: NDArray[np.float64] = brightness + chroma * draws.between(0, 0.7)
    return tinted


def _coat(draws: Draws, backdrop: float, contrast: float) -> dict[Tone, NDArray[np.float64]]:
    """Colours of a figure's tones; the body contrasts with the background."""
    room = backdrop - contrast - 0.1
    spare = 0.9 - backdrop - contrast
    if draws.uniform() * (max(room, 0) + max(spare, 0)) < max(room, 0):
        body = draws.between(0.1, 0.1 + room)
    else:
        body = draws.between(0.9 - spare, 0.9)
    accent = body + draws.pick((-1, 1)) * draws.between(0.1, 0.3)
    dark, light = body - draws.between(0.25, 0.4), body + draws.between(0.25, 0.4)
    swap = draws.chance(0.3)
    return {
        "body": _colour(draws, body),
        "accent": _colour(draws, accent),
        "dark": _colour(draws, light if swap else dark),
        "light": _colour(draws, dark if swap else light),
    }


def _background(draws: Draws, brightness: float, clutter: int, size: int) -> Picture:
    base = _colour(draws, brightness)[:, None, None]
    other = _colour(draws, brightness)[:, None, None]
    picture = base + (other - base) * (ramp(draws, size) * 0.5 + 0.5)
    picture = picture + pattern(draws, size) * draws.between(0, 0.22) + cloud(draws, 3, size) * 0.12
    things = coverage([_thing(draws, 5.0) for _ in range(draws.integer(1, clutter))], size)
    for mask in things:
        paint = _colour(draws, brightness + draws.around_zero(0.4))[:, None, None]
        strength = draws.between(0.4, 1.0)
        picture = picture + (paint + pattern(draws, size) * 0.1 - picture) * (mask * strength)
    return picture


def _thing(draws: Draws, reach: float) -> Path:
    """A blob, a splinter or a bar somewhere in the image."""
    centre = (draws.between(0, SIDE), draws.between(0, SIDE))
    kind = draws.integer(0, 2)
    if kind == 0:
        return oval(centre, draws.between(1.5, reach), draws.between(1.5, reach), 10)
    if kind == 1:
        x, y = on_circle(draws.uniform())
        length = draws.between(5, 22)
        end = (centre[0] + x * length, centre[1] + y * length)
        return ribbon([centre, end], draws.between(1, reach * 0.5))
    corners = draws.integer(3, 5)
    path = []
    for corner in range(corners):
        x, y = on_circle((corner + draws.uniform()) / corners)
        radius = draws.between(0.5, 1.3) * reach
        path.append((centre[0] + radius * x, centre[1] + radius * y))
    return path


def _shifted(plane: Plane, dx: float, dy: float) -> Plane:
    """The plane shifted by (dx, dy) units, rounded to whole pixels and padded with zeros."""
    size = len(plane)
    right, down = round(dx * size / SIDE), round(dy * size / SIDE)
    margin = max(abs(right), abs(down))
    padded = np.zeros((size + 2 * margin, size + 2 * margin))
    padded[margin : margin + size, margin : margin + size] = plane
    return padded[margin - down : margin - down + size, margin - right : margin - right + size]


def _shadowed(picture: Picture, mask: Plane, light: tuple[float, float], depth: float) -> Picture:
    shifted = _shifted(mask, *(-3 * part for part in light))
    shadow: Picture = picture * (1 - depth * blurred(shifted))
    return shadow


def _relief(mask: Plane, light: tuple[float, float]) -> Plane:
    """Shading of a cushion in the figure's shape: bright towards the light, dark away from it."""
    soft = blurred(blurred(mask))
    dx, dy = (2 * part for part in light)
    return _shifted(soft, -dx, -dy) - _shifted(soft, dx, dy)


def _occluded(picture: Picture, draws: Draws) -> Picture:
    size = picture.shape[-1]
    (mask,) = coverage([_thing(draws, 4.0)], size)
    paint = _colour(draws, draws.between(0.1, 0.9))[:, None, None]
    covered: Picture = picture + (paint + pattern(draws, size) * 0.1 - picture) * mask
    return covered


def _exposed(picture: Picture, draws: Draws, grain: float) -> NDArray[np.uint8]:
    softness = draws.between(0, 0.7)
    picture = picture + (blurred(picture) - picture) * softness
    picture = picture + _grain(draws, picture.shape[-1]) * draws.between(0, 2 * grain)
    picture = (picture - 0.5) * draws.between(0.7, 1.15) + 0.5 + draws.around_zero(0.1)
    return np.floor(np.clip(picture, 0, 1) * 255 + 0.5).astype(np.uint8)


def _grain(draws: Draws, size: int) -> Picture:
    """Noise with a triangular density in (-1, 1), independent per pixel at every size."""
    noise = draws.array(3, SIDE, SIDE) + draws.array(3, SIDE, SIDE) - 1
    if size != SIDE:  # from a separate stream, so that later draws are the same at every size
        draws = Draws("grain", str(noise[0, 0, 0]))
        noise = draws.array(3, size, size) + draws.array(3, size, size) - 1
    return noise
