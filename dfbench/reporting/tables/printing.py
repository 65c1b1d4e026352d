"""Output of tables: to the terminal, or as Markdown, LaTeX, HTML or JSON."""

from __future__ import annotations

import re

from dfbench.reporting.tables.layout import Layout
from dfbench.system.console import print_json, write
from dfbench.system.streams import Output

_MARKUP = re.compile(r"[\\|<*`]")


def print_layouts(layouts: list[Layout], form: str) -> None:
    """Print tables as `text`, `markdown`, `latex`, `html` or `json`."""
    if form == "json":
        print_json([layout.json for layout in layouts])
    elif form == "html":
        from dfbench.reporting.tables.markup import html

        encoding = Output().encoding
        write(html(layouts).encode(encoding, "xmlcharrefreplace").decode(encoding) + "\n")
    elif form == "latex":
        from dfbench.reporting.tables.markup import latex

        write(latex(layouts) + "\n")
    elif form == "markdown":
        write("".join(f"{markdown(layout)}\n" for layout in layouts))
    else:
        from dfbench.reporting.tables.terminal import print_texts  # imports rich

        print_texts(layouts)


def markdown(layout: Layout, level: int = 3) -> str:
    """A table as Markdown: heading, body and a list of notes; sections start with an italic row."""
    from tabulate import tabulate

    rows = []
    for heading, places in layout.parts():
        if heading:
            rows.append([f"*{heading}*", *[""] * (len(layout.header) - 1)])
        rows += [list(map(_literal, layout.rows[place])) for place in places]
    body = tabulate(
        rows,
        list(map(_literal, layout.whole_header(" "))),
        tablefmt="github",
        colalign=layout.alignment(),
        disable_numparse=True,
    )
    parts = (
        f"{'#' * level} {_literal(layout.title)}",
        body,
        "\n".join(f"- {_literal(line)}" for line in layout.notes),
    )
    return "\n\n".join(filter(None, parts)) + "\n"


def _literal(text: str) -> str:
    """Text escaped for Markdown, on one line."""
    return _MARKUP.sub(r"\\\g<0>", " ".join(text.split()))
