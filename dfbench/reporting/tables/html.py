"""Tables as a self-contained HTML page, without scripts or other files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

from dfbench.reporting.tables.layout import RANKS, Layout

_RANKS = {"best": "<strong>{}</strong>", "second": "<u>{}</u>"}
_STYLE = """\
:root { color-scheme: light dark; font: 1rem/1.5 system-ui, sans-serif }
body { margin: 2rem auto; max-width: 75rem; padding: 0 1rem }
figure { margin: 0 0 3rem; overflow-x: auto }
table { border-collapse: collapse; border-block: 2px solid }
caption { font-weight: bold; padding-block: .5rem; text-align: start }
th, td { padding: .2rem .7rem; text-align: start; white-space: nowrap }
thead tr:last-child th { border-block-end: 1px solid }
tbody + tbody tr:first-child > * { border-block-start: 1px solid }
.number { font-variant-numeric: tabular-nums; text-align: end }
.span { border-block-end: 1px solid; text-align: center }
tbody th { font-weight: normal }
th.section { font-style: italic }
figcaption { font-size: .875rem; max-width: 60rem }
figcaption p { margin: .2rem 0 }
"""


def html(layouts: Sequence[Layout]) -> str:
    """A whole page with one figure per table; all text is escaped."""
    titles = ", ".join(layout.title for layout in layouts)
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en">',
            "<head>",
            '<meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width">',
            f"<title>{escape(titles)}</title>",
            f"<style>\n{_STYLE}</style>",
            "</head>",
            "<body>",
            *(line for layout in layouts for line in _figure(layout)),
            "</body>",
            "</html>",
        ]
    )


def _figure(layout: Layout) -> Iterator[str]:
    yield "<figure>"
    yield f"<table>\n<caption>{escape(layout.title)}</caption>"
    yield "<thead>"
    if layout.spans:
        yield f"<tr>{''.join(_span(title, width) for title, width in layout.spans)}</tr>"
    yield f"<tr>{''.join(_heads(layout))}</tr>"
    yield "</thead>"
    for heading, places in layout.parts():
        yield "<tbody>"
        if heading:
            width = len(layout.header)
            yield f'<tr><th colspan="{width}" class="section">{escape(heading)}</th></tr>'
        yield from (f"<tr>{''.join(_cells(layout, place))}</tr>" for place in places)
        yield "</tbody>"
    yield "</table>"
    notes = "\n".join(
        f"<p>{escape(note)}</p>" for note in (*layout.notes, *([RANKS] if layout.ranks else []))
    )
    yield f"<figcaption>\n{notes}\n</figcaption>\n</figure>"


def _span(title: str, width: int) -> str:
    if not title:
        return f'<td colspan="{width}"></td>'
    return f'<th colspan="{width}" scope="colgroup" class="span">{escape(title)}</th>'


def _heads(layout: Layout) -> Iterator[str]:
    for name, side in zip(layout.header, layout.alignment(), strict=True):
        yield f'<th scope="col"{_kind(side)}>{escape(name)}</th>'


def _cells(layout: Layout, row: int) -> Iterator[str]:
    cells = zip(layout.rows[row], layout.alignment(), strict=True)
    for column, (cell, side) in enumerate(cells):
        rank = layout.ranks.get((row, column))
        text = _RANKS[rank].format(escape(cell)) if rank else escape(cell)
        yield f"<td{_kind(side)}>{text}</td>" if column else f'<th scope="row">{text}</th>'


def _kind(side: str) -> str:
    return ' class="number"' if side == "right" else ""
