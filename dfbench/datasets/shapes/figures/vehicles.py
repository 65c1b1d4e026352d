"""Vehicles and buildings."""

from __future__ import annotations

from dfbench.datasets.shapes.figures.draws import Draws
from dfbench.datasets.shapes.figures.figure import Figure, Sheet
from dfbench.datasets.shapes.figures.paths import Path, box, mirrored, oval, smooth, symmetric


def airplane(sheet: Sheet, draws: Draws) -> None:
    """An airliner or a light aircraft from above."""
    body = draws.between(0.12, 0.19)
    sweep, chord = draws.between(-0.02, 0.5), draws.between(0.22, 0.34)
    root, span = draws.between(-0.3, -0.1), draws.between(0.85, 1.05)
    wing = [(0, root), (span, root + sweep), (span, root + sweep + chord * 0.5), (0, root + chord)]
    fin_span = span * draws.between(0.34, 0.45)
    fin = [(0, 0.62), (fin_span, 0.75 + sweep * 0.4), (fin_span, 0.92 + sweep * 0.4), (0, 0.9)]
    for side in (wing, fin):
        sheet.fill(side)
        sheet.fill(mirrored(side))
    if draws.chance(0.5):
        x = span * 0.45
        y = root + sweep * 0.45
        engine = box(x - 0.08, y - 0.15, x + 0.08, y + 0.12)
        sheet.fill(engine, "dark", detail=True)
        sheet.fill(mirrored(engine), "dark", detail=True)
    half = [(0, -1), (body, -0.75), (body, 0.5), (body * 0.4, 1.0)]
    sheet.fill(symmetric(half), draws.pick(("body", "accent")))
    if draws.chance(0.5):
        sheet.line([(-body * 0.7, -0.7), (body * 0.7, -0.7)], width=0.12, detail=True)


def car(sheet: Sheet, draws: Draws) -> None:
    """A side view: saloon, beetle or van, two wheels, windows."""
    roof, sill, belt = -draws.between(0.5, 0.7), 0.3, -draws.between(0.05, 0.15)
    front, back = draws.between(-0.6, -0.4), draws.between(0.35, 0.75)
    kind = draws.integer(0, 2)
    hull: Path
    if kind == 0:
        cabin = [(front, belt), (front + 0.25, roof), (back - 0.2, roof), (back, belt)]
        hull = [(-1, sill), (-0.97, belt + 0.1), *cabin, (0.97, belt + 0.05), (1, sill)]
    elif kind == 1:
        hull = smooth(
            [(-1, sill), (-0.9, belt), (front, belt - 0.1), (-0.1, roof - 0.1), (0.6, belt - 0.25)],
            closed=False,
        )
        hull = [*hull, (0.95, belt + 0.15), (1, sill)]
    else:
        hull = [(-1, sill), (-1, -0.1), (-0.8, roof - 0.1), (0.95, roof - 0.1), (1, sill)]
    sheet.fill(hull)
    right = 0.75 if kind == 2 else back - 0.25
    left = front + (0.1 if kind == 2 else 0.28)
    middle = (left + right) / 2
    top = roof + 0.12
    sheet.fill(box(left, top, middle - 0.05, belt), "light", detail=draws.chance(0.3))
    sheet.fill(box(middle + 0.05, top, right, belt), "light", detail=draws.chance(0.3))
    wheel = draws.between(0.2, 0.28)
    for x in (-draws.between(0.5, 0.62), draws.between(0.5, 0.62)):
        sheet.fill(oval((x, sill), wheel, wheel, 12), "dark")
        if draws.chance(0.5):
            sheet.fill(oval((x, sill), wheel * 0.4, wheel * 0.4, 6), "light", detail=True)


def house(sheet: Sheet, draws: Draws) -> None:
    """A front with a gable or hipped roof, a door, windows and mostly a chimney."""
    half, eaves = draws.between(0.62, 0.85), draws.between(-0.25, 0.1)
    over = half + draws.between(0.05, 0.2)
    ridge = draws.pick((0.0, 0.0, half * 0.5))
    if draws.chance(0.6):
        x = half * draws.pick((-0.6, 0.55))
        sheet.fill(box(x - 0.1, -1, x + 0.12, eaves), "dark")
    sheet.fill(box(-half, eaves, half, 0.9))
    sheet.fill([(-over, eaves), (-ridge, -0.95), (ridge, -0.95), (over, eaves)], "accent")
    x = half * draws.pick((-0.45, 0, 0.45))
    sheet.fill(box(x - 0.16, draws.between(0.3, 0.45), x + 0.16, 0.9), "dark")
    for at in (-0.5, 0.5):
        clear = at * half - x
        if clear * clear > 0.12:
            y = eaves + 0.25
            sheet.fill(box(at * half - 0.14, y, at * half + 0.14, y + 0.27), "light", detail=True)


def rocket(sheet: Sheet, draws: Draws) -> None:
    """A pointed hull with fins, a porthole and mostly a flame."""
    half, shoulder = draws.between(0.24, 0.36), draws.between(-0.5, -0.2)
    if draws.chance(0.7):
        flame = [(-half * 0.6, 0.6), (half * 0.6, 0.6), (half * 0.2, 0.8), (0, 1.1)]
        sheet.fill([*flame, (-half * 0.2, 0.8)], "light")
    reach = half + draws.between(0.25, 0.4)
    fin = [(half * 0.7, 0.1), (reach, 0.5), (reach, 0.85), (half * 0.7, 0.62)]
    sheet.fill(fin, "accent")
    sheet.fill(mirrored(fin), "accent")
    tip = smooth([(0, -1), (half * 0.7, shoulder - 0.2), (half, 0.05)], closed=False)
    sheet.fill(symmetric([*tip, (half * 0.8, 0.65)]))
    size = half * draws.between(0.45, 0.6)
    sheet.fill(oval((0, -0.2), size, size, 10), draws.pick(("light", "dark")))
    if draws.chance(0.4):
        sheet.line([(-half, 0.25), (half, 0.25)], "accent", 0.1, detail=True)


def sailboat(sheet: Sheet, draws: Draws) -> None:
    """A hull with a mast and one or two sails."""
    half, deck = draws.between(0.75, 1.0), draws.between(0.4, 0.55)
    mast = draws.around_zero(0.2)
    sheet.line([(mast, -1), (mast, deck)], "dark", 0.09)
    keel = draws.between(0.55, 0.75) * half
    sheet.fill([(-half, deck), (half, deck), (keel, 0.95), (-keel, 0.95)], "accent")
    belly = draws.between(0.0, 0.15)
    boom = deck - 0.12
    edge = smooth(
        [(mast + 0.07, -0.95), (mast + 0.4 + belly, -0.2), (half * 0.85, boom)], closed=False
    )
    sheet.fill([*edge, (mast + 0.07, boom)])
    if draws.chance(0.65):
        low = draws.between(-0.8, -0.5)
        sheet.fill([(mast - 0.08, low), (mast - 0.08, boom), (-half * 0.75, boom)], "light")
    elif draws.chance(0.5):
        sheet.fill([(mast, -1), (mast, -0.8), (mast - 0.35, -0.9)], "accent", detail=True)


VEHICLES = (
    Figure("airplane", airplane, tilt=0.25),
    Figure("car", car),
    Figure("house", house, tilt=0.03),
    Figure("rocket", rocket, tilt=0.12),
    Figure("sailboat", sailboat, tilt=0.05),
)
