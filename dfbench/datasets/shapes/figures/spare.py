"""The alternative classes."""

from __future__ import annotations

from dfbench.datasets.shapes.figures.draws import Draws
from dfbench.datasets.shapes.figures.figure import Figure, Sheet
from dfbench.datasets.shapes.figures.paths import (
    arc,
    box,
    mirrored,
    on_circle,
    oval,
    ribbon,
    smooth,
    symmetric,
    trapezium,
)


def anchor(sheet: Sheet, draws: Draws) -> None:
    """A ring, a stock, a shank and two flukes."""
    thick = draws.between(0.14, 0.2)
    ring = draws.between(0.16, 0.22)
    sheet.line(arc((0, -0.8), ring, ring, 0.25, 1.25, 12), "body", thick * 0.8)
    sheet.line([(0, -0.6), (0, 0.8)], "body", thick)
    stock = draws.between(0.4, 0.6)
    sheet.line([(-stock, -0.4), (stock, -0.4)], "accent", thick)
    reach, low = draws.between(0.7, 0.9), draws.between(0.1, 0.3)
    sheet.line(arc((0, low), reach, 0.85 - low, 0, 0.5, 12), "body", thick)
    tip = [(reach - 0.22, low + 0.1), (reach + 0.05, low - 0.25), (reach + 0.2, low + 0.15)]
    sheet.fill(tip)
    sheet.fill(mirrored(tip))


def apple(sheet: Sheet, draws: Draws) -> None:
    """A round fruit with a stalk and mostly a leaf."""
    wide, low = draws.between(0.75, 0.9), draws.between(0.75, 0.95)
    half = [(0, -0.42), (wide * 0.55, -0.6), (wide, -0.1), (wide * 0.7, low * 0.75), (0.2, low)]
    sheet.line([(0, -0.4), (draws.around_zero(0.25), -0.9)], "dark", 0.11)
    if draws.chance(0.75):
        leaf = [(0.05, -0.7), (0.3, -1), (0.65, -0.95), (0.4, -0.7)]
        sheet.fill(smooth(leaf, closed=True), "accent")
    sheet.fill(symmetric(smooth(half, closed=False)))
    if draws.chance(0.4):
        sheet.line(arc((0, 0.1), wide * 0.7, 0.5, 0.45, 0.62, 5), "light", 0.1, detail=True)


def arrow(sheet: Sheet, draws: Draws) -> None:
    """A shaft with a triangular or an open head, some with feathers."""
    neck, head = draws.between(0.1, 0.4), draws.between(0.4, 0.65)
    if draws.chance(0.6):
        half = draws.between(0.12, 0.25)
        upper = [(-1, -half), (neck, -half), (neck, -head), (1, 0)]
        sheet.fill([*upper, (neck, head), (neck, half), (-1, half)])
        return
    sheet.line([(-1, 0), (1, 0)], "body", 0.14)
    sheet.line([(neck + 0.2, -head), (1, 0), (neck + 0.2, head)], "body", 0.14)
    for x in (-1, -0.8):
        sheet.line([(x - 0.15, -0.25), (x, 0), (x - 0.15, 0.25)], "accent", 0.1, detail=True)


def bottle(sheet: Sheet, draws: Draws) -> None:
    """A tall body with shoulders, a neck, often a label."""
    half, neck = draws.between(0.3, 0.42), draws.between(0.1, 0.16)
    shoulder = draws.between(-0.4, -0.1)
    sheet.fill(box(-neck * 1.2, -1, neck * 1.2, -0.82), "dark")
    side = smooth([(neck, -0.5), (half * 0.9, shoulder), (half, shoulder + 0.3)], closed=False)
    sheet.fill(symmetric([(neck, -0.85), *side, (half, 1)]))
    if draws.chance(0.65):
        sheet.fill(box(-half, 0.2, half, draws.between(0.5, 0.7)), "accent", detail=True)


def glasses(sheet: Sheet, draws: Draws) -> None:
    """Two lenses, a bridge and temples."""
    rx, ry = draws.between(0.36, 0.44), draws.between(0.28, 0.42)
    temple = [(0.5 + rx * 0.9, -0.1), (1.05, -draws.between(0.3, 0.55))]
    sheet.line(temple, "dark", 0.1)
    sheet.line(mirrored(temple), "dark", 0.1)
    sheet.line(arc((0, 0), 0.2, 0.15, 0.5, 1, 6), "dark", 0.1)
    square = draws.chance(0.4)
    lens = box(0.5 - rx, -ry, 0.5 + rx, ry) if square else oval((0.5, 0), rx, ry)
    inner = [(0.5 + (x - 0.5) * 0.72, y * 0.7) for x, y in lens]
    for rim, glass in ((lens, inner), (mirrored(lens), mirrored(inner))):
        sheet.fill(rim, "dark")
        sheet.fill(glass, "light", detail=True)


def heart(sheet: Sheet, draws: Draws) -> None:
    """Two lobes and a point, some pierced or doubled."""
    dip, wide = draws.between(-0.5, -0.3), draws.between(0.8, 1.0)
    half = [(0, dip), (wide * 0.5, -0.8), (wide, -0.4), (wide * 0.65, 0.25), (0, 0.95)]
    path = symmetric(smooth(half, closed=False))
    sheet.fill(path)
    if draws.chance(0.3):
        sheet.fill([(x * 0.6, y * 0.6) for x, y in path], "accent", detail=True)
    if draws.chance(0.25):
        sheet.line([(-1.1, 0.4), (1.1, -0.4)], "dark", 0.08, detail=True)


def ice_cream(sheet: Sheet, draws: Draws) -> None:
    """A cone with one to three scoops."""
    half = draws.between(0.38, 0.5)
    if draws.chance(0.5):
        for x in (-0.25, 0.25):
            sheet.fill(oval((x, -0.2), 0.34, 0.34, 12), draws.pick(("body", "light")))
    scoop = draws.between(0.4, 0.5)
    sheet.fill(oval((0, -0.4), scoop, scoop))
    sheet.fill([(-half, -0.1), (half, -0.1), (0, 1)], "accent")
    if draws.chance(0.6):
        for side in (-1, 1):
            sheet.line([(side * half * 0.4, -0.1), (-side * 0.18, 0.45)], width=0.06, detail=True)
    if draws.chance(0.4):
        sheet.fill(oval((0, -0.9), 0.12, 0.12, 8), "dark", detail=True)


def ladder(sheet: Sheet, draws: Draws) -> None:
    """Two rails and four to six rungs."""
    low, high = draws.between(0.32, 0.5), draws.between(0.25, 0.35)
    thick = draws.between(0.09, 0.14)
    rungs = draws.integer(4, 6)
    for rung in range(rungs):
        t = (rung + 0.7) / (rungs + 0.4)
        half = high + (low - high) * t
        y = -1 + 2 * t
        sheet.line([(-half, y), (half, y)], "accent", thick * 0.8)
    for side in (-1, 1):
        sheet.line([(side * high, -1), (side * low, 1)], "body", thick)


def lamp(sheet: Sheet, draws: Draws) -> None:
    """A shade on a stand with a foot."""
    top, rim = draws.between(0.25, 0.4), draws.between(0.6, 0.8)
    low = draws.between(-0.15, 0.1)
    sheet.line([(0, low), (0, 0.9)], "dark", draws.between(0.1, 0.16))
    sheet.fill(arc((0, 1), draws.between(0.35, 0.5), draws.between(0.12, 0.25), 0.5, 1, 8), "dark")
    sheet.fill(trapezium(-1, top, low, rim))
    if draws.chance(0.4):
        sheet.line([(-rim * 0.9, low - 0.15), (rim * 0.9, low - 0.15)], "accent", 0.1, detail=True)


def snail(sheet: Sheet, draws: Draws) -> None:
    """A spiral shell on a creeping foot, two feelers."""
    shell = draws.between(0.5, 0.62)
    centre = (draws.between(0.05, 0.2), 0.0)
    foot = [(1, 0.62), (0.2, 0.55), (-0.5, 0.6), (-0.78, 0.2), (-0.85, -0.2)]
    sheet.fill(ribbon(smooth(foot, closed=False), draws.between(0.24, 0.34)), "accent")
    for x in (-1.05, -0.75):
        sheet.line([(-0.85, -0.25), (x, -0.7)], "dark", 0.08)
    sheet.fill(oval(centre, shell, shell))
    coil = []
    for step in range(17):
        x, y = on_circle(0.3 + step / 9)
        radius = shell * (0.78 - 0.042 * step)
        coil.append((centre[0] + radius * x, centre[1] + radius * y))
    sheet.line(coil, "dark", 0.08)


SPARE = (
    Figure("anchor", anchor, tilt=0.08),
    Figure("apple", apple),
    Figure("arrow", arrow, tilt=0.25),
    Figure("bottle", bottle, tilt=0.08),
    Figure("glasses", glasses),
    Figure("heart", heart, tilt=0.07),
    Figure("ice-cream", ice_cream),
    Figure("ladder", ladder, tilt=0.06),
    Figure("lamp", lamp),
    Figure("snail", snail),
)
