"""Tables as a self-contained HTML page, and in LaTeX for a paper (booktabs).

The LaTeX preamble needs `booktabs`, and UTF-8 input if titles of methods have non-ASCII letters.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from html import escape

from dfbench.reporting.tables.layout import RANKS, Layout

_HTML_RANKS = {"best": "<strong>{}</strong>", "second": "<u>{}</u>"}
_STYLE = """\
:root { color-scheme: light dark; font: 1rem/1.5 system-ui, sans-serif }
:root { --page: #fff; --ink: #1c1c1e }
@media (prefers-color-scheme: dark) { :root { --page: #17181b; --ink: #ececee } }
body { background: var(--page); color: var(--ink) }
body { margin: 2rem auto; max-width: 75rem; padding: 0 1rem }
h1 { clip-path: inset(50%); height: 1px; margin: 0; position: absolute; width: 1px }
figure { margin: 0 0 3rem }
.wide { overflow-x: auto }
.wide:focus-visible { outline: 2px solid; outline-offset: 2px }
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
            "<main>",
            f"<h1>{escape(titles)}</h1>",
            *(line for layout in layouts for line in _figure(layout)),
            "</main>",
            "</body>",
            "</html>",
        ]
    )


def _figure(layout: Layout) -> Iterator[str]:
    yield "<figure>"
    # A table that is wider than the page is scrolled with the keyboard, too.
    title = escape(layout.title)
    yield f'<div class="wide" tabindex="0" role="region" aria-label="{title}, table">'
    yield f"<table>\n<caption>{title}</caption>"
    yield "<thead>"
    if layout.spans:
        yield f"<tr>{''.join(_span(title, width) for title, width in layout.spans)}</tr>"
    yield f"<tr>{''.join(_heads(layout))}</tr>"
    yield "</thead>"
    for heading, places in layout.parts():
        yield "<tbody>"
        if heading:
            attributes = f'colspan="{len(layout.header)}" scope="rowgroup" class="section"'
            yield f"<tr><th {attributes}>{escape(heading)}</th></tr>"
        yield from (f"<tr>{''.join(_cells(layout, place))}</tr>" for place in places)
        yield "</tbody>"
    yield "</table>\n</div>"
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
        text = _HTML_RANKS[rank].format(escape(cell)) if rank else escape(cell)
        yield f"<td{_kind(side)}>{text}</td>" if column else f'<th scope="row">{text}</th>'


def _kind(side: str) -> str:
    return ' class="number"' if side == "right" else ""


_SPECIAL = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "±": r"$\pm$",
    "<=": r"$\leq$",
    ">=": r"$\geq$",
    **{letter: f"\\{letter}" for letter in "#$%&_"},
}
_LATEX_RANKS = {"best": r"\textbf{%s}", "second": r"\underline{%s}"}
_TOKEN = re.compile("<=|>=|.", re.DOTALL)
_INDEX = r"_(?:\{[^{}]*\}|[a-z])(?!\w)"
_FACTOR = (
    rf"(?:(?:sum|max|rel|[pq]){_INDEX}|P@[a-z]\b|min\([A-Z], \d+\)|\(1/R\)|log2\([a-z] \+ \d\))"
)
_FORMULA = re.compile(rf"(?<![\w@]){_FACTOR}(?: (?:/ )?{_FACTOR}| / \d+(?![\w.]))*")
"""Formulas as written in metric definitions and notes, e.g. `(1/R) sum_i rel_i P@i`."""
_SYMBOLS = (
    (re.compile(r"\b(sum|max|min)(?=[_(])"), r"\\\1"),
    (re.compile(r"\brel(?=_)"), r"\\mathrm{rel}"),
    (re.compile(r"\blog2(?=\()"), r"\\log_2"),
    (re.compile(r"\bP@"), r"\\mathrm{P@}"),
    (re.compile("<="), r" \\leq "),
    (re.compile(">="), r" \\geq "),
)
_LABEL = re.compile(r"[^a-z0-9]+")
_NEGATIVE = re.compile(r"(?<![\w.])-(?=\.?\d)")


def latex(layouts: Sequence[Layout]) -> str:
    """Tables as LaTeX floats, each with its own label."""
    labels: dict[str, int] = {}
    texts = [r"% needs \usepackage{booktabs}"]
    for layout in layouts:
        label = _LABEL.sub("-", layout.title.lower()).strip("-")
        labels[label] = labels.get(label, 0) + 1
        number = labels[label]
        texts.append(_table(layout, label if number == 1 else f"{label}-{number}"))
    return "\n".join(texts)


def escaped(text: str) -> str:
    r"""Text escaped for LaTeX; formulas and minus signs are set as mathematics.

    >>> print(escaped("50 % of -.1 ± .2 [no_pool]"))
    50 \% of $-$.1 $\pm$ .2 [no\_pool]
    >>> print(escaped("mean of sum_{i<=9} rel_i P@i / min(R, 9)"))
    mean of $\sum_{i \leq 9} \mathrm{rel}_i \mathrm{P@}i / \min(R, 9)$
    """
    parts, end = [], 0
    for found in _FORMULA.finditer(text):
        parts += [_prose(text[end : found.start()]), f"${_formula(found[0])}$"]
        end = found.end()
    return "".join([*parts, _prose(text[end:])])


def _prose(text: str) -> str:
    tokens = "".join(_SPECIAL.get(token, token) for token in _TOKEN.findall(text))
    return _NEGATIVE.sub("$-$", tokens)


def _formula(text: str) -> str:
    for pattern, symbol in _SYMBOLS:
        text = pattern.sub(symbol, text)
    return text


def _table(layout: Layout, label: str) -> str:
    sides = "".join(side[0] for side in layout.alignment())
    ranks = [RANKS] if layout.ranks else []
    caption = escaped(". ".join([layout.title, *layout.notes, *ranks]))
    return "\n".join(
        [
            r"\begin{table}",
            r"\centering",
            rf"\caption{{{caption}.}}",
            rf"\label{{tab:{label}}}",
            rf"\begin{{tabular}}{{{sides}}}",
            r"\toprule",
            *_spans(layout),
            _line(map(escaped, layout.header)),
            *_body(layout),
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
        ]
    )


def _spans(layout: Layout) -> Iterator[str]:
    """Headings above the header, each with a rule over its columns."""
    if not layout.spans:
        return
    cells, rules, start = [], [], 1
    for title, width in layout.spans:
        cells.append(rf"\multicolumn{{{width}}}{{c}}{{{escaped(title)}}}")
        if title:
            rules.append(rf"\cmidrule(lr){{{start}-{start + width - 1}}}")
        start += width
    yield _line(iter(cells))
    yield "".join(rules)


def _body(layout: Layout) -> Iterator[str]:
    for heading, places in layout.parts():
        yield r"\midrule"
        if heading:
            yield rf"\multicolumn{{{len(layout.header)}}}{{l}}{{\emph{{{escaped(heading)}}}}} \\"
        for row in places:
            cells = enumerate(map(escaped, layout.rows[row]))
            yield _line(_ranked(layout, row, column, cell) for column, cell in cells)


def _ranked(layout: Layout, row: int, column: int, cell: str) -> str:
    rank = layout.ranks.get((row, column))
    return _LATEX_RANKS[rank] % cell if rank else cell


def _line(cells: Iterator[str]) -> str:
    # After \\, a leading bracket or star would be parsed as its argument.
    text = " & ".join(cells)
    return (rf"{{}}{text}" if text.startswith(("[", "*")) else text) + r" \\"
