"""Household objects."""

from __future__ import annotations

from dfbench.datasets.shapes.figures.draws import Draws
from dfbench.datasets.shapes.figures.figure import Figure, Sheet
from dfbench.datasets.shapes.figures.paths import (
    Path,
    arc,
    box,
    oval,
    rosette,
    smooth,
    symmetric,
    trapezium,
)


def bell(sheet: Sheet, draws: Draws) -> None:
    """A flared bell with a clapper and a ring on top."""
    shoulder, rim = draws.between(0.35, 0.5), draws.between(0.75, 0.95)
    if draws.chance(0.75):
        sheet.line(arc((0, -0.85), 0.17, 0.17, 0.3, 1.2, 10), "accent", 0.1)
    clapper = draws.between(0.14, 0.22)
    sheet.fill(oval((draws.around_zero(0.25), 0.78), clapper, clapper, 10), "dark")
    side = smooth([(0, -0.75), (shoulder, -0.5), (shoulder * 1.15, 0.2), (rim, 0.68)], closed=False)
    sheet.fill(symmetric(side))
    if draws.chance(0.6):
        y = draws.between(0.3, 0.5)
        half = shoulder * 1.15 + (rim - shoulder * 1.15) * (y - 0.2) * 1.6
        sheet.line([(-half, y), (half, y)], "accent", 0.09, detail=True)


def chair(sheet: Sheet, draws: Draws) -> None:
    """A kitchen chair, seen from the side and a little from the front."""
    seat, depth = draws.between(0.05, 0.25), draws.between(0.15, 0.3)
    half, slant = draws.between(0.42, 0.6), draws.between(0.15, 0.4)
    leg = draws.between(0.1, 0.15)
    for x, y in ((-half, seat), (half, seat), (-half + slant, seat - depth), (half + slant, seat)):
        sheet.line([(x, y), (x, 1 if y == seat and x <= half else 0.8)], "dark", leg)
    left, right = -half + slant, half + slant
    top = -draws.between(0.85, 1.05)
    back = seat - depth
    if draws.chance(0.5):
        sheet.fill(box(left, top, right, back), "accent")
    else:
        sheet.line([(left, back), (left, top), (right, top), (right, back)], "accent", leg)
        for y in (top + 0.3, top + 0.6):
            sheet.line([(left, y), (right, y)], "accent", leg, detail=True)
    sheet.fill([(-half, seat), (half, seat), (right, back), (left, back)])


def crown(sheet: Sheet, draws: Draws) -> None:
    """Three to five points over a band, often with jewels."""
    points, high = draws.integer(3, 5), draws.between(0.55, 0.85)
    flare, dip = draws.between(0.8, 1.0), draws.between(-0.1, 0.2)
    top: Path = []
    for point in range(points):
        x = -1 + 2 * point / (points - 1)
        peak = -high + 0.25 * x * x * draws.between(0, 1)
        top.append((x * flare, peak))
        if point < points - 1:
            top.append(((x + 1 / (points - 1)) * 0.85, dip))
    sheet.fill([*top, (0.72, 0.6), (-0.72, 0.6)])
    if draws.chance(0.6):
        for x, y in top[::2]:
            sheet.fill(oval((x, y), 0.11, 0.11, 8), "accent")
    sheet.fill(box(-0.74, draws.between(0.3, 0.42), 0.74, 0.62), "accent")
    if draws.chance(0.5):
        for x in (-0.4, 0, 0.4):
            sheet.fill(oval((x, 0.48), 0.08, 0.08, 6), "light", detail=True)


def hammer(sheet: Sheet, draws: Draws) -> None:
    """A handle and a head with a flat and a wedged or clawed end."""
    grip = draws.between(0.09, 0.14)
    sheet.fill(trapezium(-0.6, grip * 0.9, 1, grip * 1.2), "accent")
    face, high = draws.between(0.45, 0.6), draws.between(0.16, 0.22)
    y = -0.68
    peen = -draws.between(0.6, 0.75)
    if draws.chance(0.5):
        wedge: Path = [
            (-0.15, y - high),
            (peen, y + high * 0.6),
            (peen, y + high),
            (-0.15, y + high),
        ]
    else:
        wedge = smooth([(-0.1, y - high), (-0.45, y - high), (peen, y + 0.3)], closed=False)
        wedge = [*wedge, (-0.35, y + 0.1), (-0.15, y + high)]
    sheet.fill([*wedge, (face, y + high), (face, y - high)])
    sheet.fill(box(face - 0.05, y - high * 1.3, face + 0.17, y + high * 1.3))


def key(sheet: Sheet, draws: Draws) -> None:
    """A bow with a hole, a long shaft, two or three teeth."""
    bow, shaft = draws.between(0.32, 0.44), draws.between(0.1, 0.15)
    for tooth in range(draws.integer(2, 3)):
        x = 0.95 - 0.24 * tooth
        sheet.fill(box(x - 0.16, 0, x, draws.between(0.28, 0.42)))
    sheet.fill(box(-0.4, -shaft, 0.98, shaft))
    if draws.chance(0.6):
        sheet.fill(oval((-0.6, 0), bow, bow * draws.between(0.85, 1.15)))
    else:
        sheet.fill(rosette((-0.6, 0), bow * 1.15, bow * 0.85, 3, 0.5))
    hole = bow * draws.between(0.42, 0.58)
    sheet.fill(oval((-0.65, 0), hole, hole, 10), "dark")


def mug(sheet: Sheet, draws: Draws) -> None:
    """A straight or tapered cup with a handle, sometimes steaming."""
    top, bottom = draws.between(0.5, 0.62), draws.between(0.4, 0.62)
    high = draws.between(0.55, 0.8)
    reach, thick = draws.between(0.3, 0.42), draws.between(0.14, 0.2)
    handle = arc((top * 0.85, 0.05), reach, high * 0.55, -0.25, 0.25, 10)
    sheet.line(handle, "body", thick)
    sheet.fill(trapezium(-high, top, high, bottom))
    sheet.fill(oval((0, -high), top, draws.between(0.1, 0.2), 14), draws.pick(("dark", "light")))
    if draws.chance(0.45):
        sheet.fill(box(-top * 0.8, -0.1, top * 0.8, 0.25), "accent", detail=True)
    if draws.chance(0.3):
        for x in (-0.2, 0.15):
            knots = [(x, -high - 0.2), (x + 0.12, -high - 0.4), (x, -high - 0.6)]
            sheet.line(smooth(knots, closed=False), "light", 0.07, detail=True)


def star(sheet: Sheet, draws: Draws) -> None:
    """Five tips; drawn as an outline or as a pentagram of crossing strokes."""
    inner = draws.between(0.36, 0.52)
    path = rosette((0, 0), 1, inner, 5, -0.25)
    if draws.chance(0.25):
        tips = path[::2]
        sheet.line([tips[i] for i in (0, 2, 4, 1, 3, 0)], "body", 0.15)
        return
    sheet.fill(path)
    if draws.chance(0.35):
        sheet.fill([(x * 0.55, y * 0.55) for x, y in path], "accent", detail=True)
    elif draws.chance(0.3):
        for tip in path[::2]:
            sheet.line([(0, 0), tip], "dark", 0.06, detail=True)


def umbrella(sheet: Sheet, draws: Draws) -> None:
    """An open canopy with a scalloped edge, a shaft and a hook."""
    high, edge = draws.between(0.7, 0.95), draws.between(-0.1, 0.1)
    hook = draws.between(0.16, 0.26)
    shaft: Path = [(0, -high), (0, 0.85)]
    sheet.line([*shaft, *arc((hook, 0.85), hook, hook, 0.5, 0.1, 6)], "dark", 0.1)
    if draws.chance(0.6):
        sheet.line([(0, edge - high - 0.15), (0, edge - high + 0.1)], "dark", 0.1)
    scallops = draws.integer(3, 4)
    lower: Path = []
    for scallop in range(scallops):
        x = 1 - (2 * scallop + 1) / scallops
        lower += arc((x, edge), 1 / scallops, 0.16, 0, -0.5, 5)[:-1]
    sheet.fill([*arc((0, edge), 1, high, 0.5, 1, 12), *lower[1:]])
    if draws.chance(0.75):
        for side in (-1, 1):
            rib = arc((0, edge), side / scallops * 1.1, high, -0.25, 0, 6)
            sheet.line(rib, draws.pick(("dark", "light")), 0.06, detail=True)


OBJECTS = (
    Figure("bell", bell, tilt=0.07),
    Figure("chair", chair, tilt=0.03),
    Figure("crown", crown),
    Figure("hammer", hammer, tilt=0.15),
    Figure("key", key, tilt=0.2),
    Figure("mug", mug),
    Figure("star", star, tilt=0.1),
    Figure("umbrella", umbrella, tilt=0.07),
)
