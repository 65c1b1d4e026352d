"""Animals and plants."""

from __future__ import annotations

from dfbench.datasets.shapes.figures.draws import Draws
from dfbench.datasets.shapes.figures.figure import Figure, Sheet
from dfbench.datasets.shapes.figures.paths import (
    Path,
    arc,
    mirrored,
    on_circle,
    oval,
    ribbon,
    smooth,
    symmetric,
    trapezium,
)


def butterfly(sheet: Sheet, draws: Draws) -> None:
    """Two pairs of wings, a thin body, feelers."""
    span, top = draws.between(0.8, 1.1), draws.between(0.65, 0.95)
    low, waist = draws.between(0.5, 0.9), draws.between(0.05, 0.2)
    upper = [(0.06, waist), (0.3, -top * 0.8), (span * 0.8, -top), (span, -top * 0.4), (0.6, waist)]
    lower = [(0.06, waist), (0.6, waist), (span * 0.75, low * 0.6), (0.45, low), (0.15, low * 0.6)]
    for wing in (smooth(lower, closed=True), smooth(upper, closed=True)):
        sheet.fill(wing)
        sheet.fill(mirrored(wing))
    if draws.chance(0.7):
        spot = oval((span * 0.6, -top * 0.5), 0.17, 0.17, 8)
        sheet.fill(spot, "accent", detail=True)
        sheet.fill(mirrored(spot), "accent", detail=True)
    sheet.fill(oval((0, 0.1), 0.09, draws.between(0.45, 0.65), 10), "dark")
    feeler = smooth([(0, -0.4), (0.1, -0.7), (0.3, -draws.between(0.85, 1.05))], closed=False)
    sheet.line(feeler, width=0.07)
    sheet.line(mirrored(feeler), width=0.07)


def cactus(sheet: Sheet, draws: Draws) -> None:
    """A column with one arm a side, or one arm, often in a pot."""
    width = draws.between(0.34, 0.5)
    arm_width = width * draws.between(0.6, 0.8)
    reach = width / 2 + draws.between(0.3, 0.45)
    arms = [(-1, draws.between(-0.1, 0.4)), (1, draws.between(-0.1, 0.4))]
    for side, y in arms if draws.chance(0.8) else arms[:1]:
        tip = y - draws.between(0.35, 0.7)
        knots = [(0, y), (side * reach * 0.75, y), (side * reach, y - 0.15), (side * reach, tip)]
        sheet.fill(ribbon(smooth(knots, closed=False), arm_width))
    base = 0.7
    half = width / 2
    sheet.fill([*arc((0, -0.85 + half), half, half, 0.5, 1, 8), (half, base), (-half, base)])
    if draws.chance(0.6):
        sheet.line([(0, -0.6), (0, base - 0.1)], "light", 0.06, detail=True)
    if draws.chance(0.65):
        sheet.fill(trapezium(base - 0.1, draws.between(0.4, 0.55), 1, 0.32), "accent")
    else:
        sheet.line([(-0.8, base), (0.8, base)], "accent", 0.08)


def cat(sheet: Sheet, draws: Draws) -> None:
    """A face with two pointed ears and whiskers."""
    rx, ry = draws.between(0.7, 0.9), draws.between(0.58, 0.75)
    tip = -draws.between(0.85, 1.1)
    ear = [(rx * 0.9, -0.05), (rx * draws.between(0.75, 1.0), tip), (rx * 0.2, -ry * 0.75)]
    for side in (ear, mirrored(ear)):
        sheet.fill(side)
    sheet.fill(oval((0, 0.1), rx, ry))
    eye = oval((rx * 0.42, 0), 0.12, draws.between(0.1, 0.18), 8)
    for side in (eye, mirrored(eye)):
        sheet.fill(side, "light" if draws.chance(0.5) else "dark")
    sheet.fill([(-0.12, 0.22), (0.12, 0.22), (0, 0.36)], "accent")
    if draws.chance(0.6):
        mouth = smooth([(0, 0.36), (0.12, 0.5), (0.28, 0.42)], closed=False)
        sheet.line(mouth, width=0.06, detail=True)
        sheet.line(mirrored(mouth), width=0.06, detail=True)
    for y in (0.2, 0.4) if draws.chance(0.7) else (0.3,):
        whisker = [(0.3, 0.3), (draws.between(1.0, 1.2), y + draws.around_zero(0.1))]
        sheet.line(whisker, width=0.06)
        sheet.line(mirrored(whisker), width=0.06)


def fish(sheet: Sheet, draws: Draws) -> None:
    """A side view: tail, eye, perhaps fins, gill and stripes."""
    high, tail = draws.between(0.32, 0.62), draws.between(0.3, 0.55)
    notch = draws.between(0.7, 1.0)
    sheet.fill([(0.4, 0), (1, -tail), (notch, 0), (1, tail)], draws.pick(("body", "accent")))
    if draws.chance(0.6):
        top = -high - draws.between(0.15, 0.35)
        sheet.fill([(-0.4, -high * 0.8), (0.05, top), (0.3, -high * 0.5)], "accent")
    if draws.chance(0.4):
        sheet.fill([(-0.2, high * 0.8), (0.15, high + 0.25), (0.2, high * 0.6)], "accent")
    half = [(-0.6, -high * 0.85), (-0.1, -high), (0.35, -high * 0.5)]
    lower = [(x, -y) for x, y in reversed(half)]
    sheet.fill(smooth([(-1, 0), *half, (0.62, 0), *lower], closed=True))
    sheet.fill(oval((-0.62, -high * 0.25), 0.11, 0.11, 8), draws.pick(("dark", "light")))
    if draws.chance(0.6):
        sheet.line(arc((-0.5, 0), 0.2, high * 0.65, -0.2, 0.2, 6), width=0.07, detail=True)
    if draws.chance(0.4):
        for x in (0.0, 0.28):
            sheet.line([(x, -high * 0.7), (x, high * 0.7)], "light", 0.1, detail=True)


def flower(sheet: Sheet, draws: Draws) -> None:
    """Petals round a centre, on a stem with leaves."""
    petals, start = draws.integer(5, 7), draws.uniform()
    ring, radius = draws.between(0.3, 0.4), draws.between(0.2, 0.26)
    top = -0.45
    bend = draws.around_zero(0.25)
    sheet.line(smooth([(0, top), (bend, 0.4), (0, 1.1)], closed=False), "accent", 0.12)
    for side in (-1, 1) if draws.chance(0.6) else (1,):
        y = draws.between(0.55, 0.8)
        leaf: Path = [(0, y), (side * 0.3, y - 0.35), (side * 0.6, y - 0.35), (side * 0.35, y)]
        sheet.fill(smooth(leaf, closed=True), "accent")
    for petal in range(petals):
        x, y = on_circle(start + petal / petals)
        sheet.fill(oval((ring * x, top + ring * y), radius, radius, 10))
    size = draws.between(0.17, 0.27)
    sheet.fill(oval((0, top), size, size, 10), draws.pick(("light", "dark")))


def mushroom(sheet: Sheet, draws: Draws) -> None:
    """A broad cap, mostly spotted, on a stout stem."""
    rx, ry = draws.between(0.8, 1.0), draws.between(0.65, 1.0)
    neck, foot = draws.between(0.2, 0.36), draws.between(0.26, 0.5)
    sheet.fill(symmetric(smooth([(neck, -0.1), (neck, 0.4), (foot, 0.9)], closed=False)), "light")
    rim = draws.between(0.08, 0.22)
    sheet.fill([*arc((0, 0), rx, ry, 0.5, 1, 12), *arc((0, 0), rx, rim, 0, 0.5, 8)[1:-1]])
    if draws.chance(0.8):
        for x in (-0.45, 0.05, 0.5):
            size = draws.between(0.09, 0.15)
            y = -ry * draws.between(0.3, 0.65)
            sheet.fill(oval((x * rx, y), size, size, 8), "light", detail=True)


def tree(sheet: Sheet, draws: Draws) -> None:
    """A fir of stacked triangles, or a round crown, on a trunk."""
    trunk = draws.between(0.1, 0.18)
    if draws.chance(0.5):
        sheet.fill(trapezium(0.5, trunk, 1, trunk), "accent")
        tiers = draws.integer(2, 3)
        spread = draws.between(0.6, 0.8)
        for tier in range(tiers):
            y = 0.65 - 1.1 * tier / tiers
            half = spread * (1 - 0.25 * tier)
            sheet.fill([(0, y - 1.9 / tiers), (half, y), (-half, y)])
        return
    sheet.fill(trapezium(-0.1, trunk, 1, trunk * draws.between(1.2, 1.8)), "accent")
    lobes, start = draws.integer(6, 9), draws.uniform()
    crown = draws.between(0.55, 0.72)
    knots = []
    for lobe in range(2 * lobes):
        x, y = on_circle(start + lobe / (2 * lobes))
        radius = crown * (1.0 if lobe % 2 else draws.between(0.72, 0.85))
        knots.append((radius * x, -0.35 + radius * y * 0.95))
    sheet.fill(smooth(knots, closed=True))
    if draws.chance(0.4):
        for x in (-0.25, 0.2):
            apple = oval((x, -0.35 + draws.around_zero(0.3)), 0.09, 0.09, 6)
            sheet.fill(apple, "accent", detail=True)


NATURE = (
    Figure("butterfly", butterfly, tilt=0.08),
    Figure("cactus", cactus),
    Figure("cat", cat),
    Figure("fish", fish, tilt=0.06),
    Figure("flower", flower),
    Figure("mushroom", mushroom, tilt=0.07),
    Figure("tree", tree, tilt=0.03),
)
