r"""Tables for a paper, with booktabs; best in bold, second best underlined.

The preamble needs `\usepackage{booktabs}`, and UTF-8 input if titles of methods have non-ASCII
letters.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from dfbench.reporting.tables.layout import RANKS, Layout

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
_RANKS = {"best": r"\textbf{%s}", "second": r"\underline{%s}"}
_TOKEN = re.compile("<=|>=|.", re.DOTALL)
_INDEX = r"_(?:\{[^{}]*\}|[a-z])(?!\w)"
_FACTOR = rf"(?:(?:sum|max|rel|[pq]){_INDEX}|P@[a-z]\b|min\([A-Z], \d+\)|\(1/R\))"
_FORMULA = re.compile(rf"(?<![\w@]){_FACTOR}(?: (?:/ )?{_FACTOR}| / \d+(?![\w.]))*")
"""Formulas as written in metric definitions and notes, e.g. `(1/R) sum_i rel_i P@i`."""
_SYMBOLS = (
    (re.compile(r"\b(sum|max|min)(?=[_(])"), r"\\\1"),
    (re.compile(r"\brel(?=_)"), r"\\mathrm{rel}"),
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
    return _RANKS[rank] % cell if rank else cell


def _line(cells: Iterator[str]) -> str:
    # After \\, a leading bracket or star would be parsed as its argument.
    text = " & ".join(cells)
    return (rf"{{}}{text}" if text.startswith(("[", "*")) else text) + r" \\"
