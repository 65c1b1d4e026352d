"""LaTeX and CSV: what a paper and a spreadsheet take in."""

from __future__ import annotations

import csv
import io
import re
import shutil
import subprocess
from pathlib import Path
from statistics import fmean, stdev

import pytest
from matplotlib.mathtext import MathTextParser
from synthetic import synthetic_record

from dfbench.evaluation.definitions import conventions, metric
from dfbench.records.record import Record
from dfbench.reporting.tables.columns import csv_text
from dfbench.reporting.tables.layout import Layout
from dfbench.reporting.tables.leaderboard import leaderboards
from dfbench.reporting.tables.markup import escaped, latex
from dfbench.reporting.tables.printing import markdown

parse_mathematics = MathTextParser("path").parse
HOSTILE = r"A_b & 50 % of {x} $y$ #1 ~ ^ \cmd <i> | *z* ±"


def _records() -> list[Record]:
    return [
        *(synthetic_record("crossx", seed=s, value=0.6 + s / 100, posterior=0.7) for s in (0, 1)),
        synthetic_record("meta-data", value=0.5, posterior=0.65, needs=("activation records",)),
        synthetic_record("gaussian-prior", value=0.1, posterior=0.2),
        synthetic_record("classifier-only", value=0.3),
        synthetic_record("mib", value=0.9, posterior=0.8, needs=("training data",)),
    ]


def test_best_is_bold_and_second_underlined_among_comparable_rows_only() -> None:
    text = latex(leaderboards(_records()))
    lines = {line.split(" & ")[0]: line for line in text.splitlines() if " & " in line}
    assert r"\textbf{.605 $\pm$ .007}" in lines["Crossx"]
    assert r"\underline{.500}" in lines["Meta-Data"]
    assert "textbf" not in lines["Mib"]
    assert "textbf" not in lines["Classifier-Only"]
    assert "underline" not in lines["Gaussian-Prior"]


def test_equal_numbers_are_best_together() -> None:
    records = [synthetic_record(name, value=0.5) for name in ("crossx", "meta-data")]
    text = latex(leaderboards([*records, synthetic_record("gaussian-prior", value=0.1)]))
    lines = {line.split(" & ")[0]: line for line in text.splitlines() if " & " in line}
    assert r"\textbf{.500}" in lines["Crossx"]
    assert r"\textbf{.500}" in lines["Meta-Data"]
    assert r"\underline{.100}" in lines["Gaussian-Prior"]


def test_sections_rules_and_caption_are_those_of_a_paper() -> None:
    text = latex(leaderboards(_records()))
    rules = re.findall(r"\\(toprule|midrule|bottomrule)", text)
    assert rules == ["toprule", *["midrule"] * 3, "bottomrule"]
    assert r"\emph{data-dependent references}" in text
    (caption,) = re.findall(r"\\caption\{(.*)\}", text)
    assert "formula of map@all" in caption
    assert "2023" in caption
    columns = re.search(r"\\begin\{tabular\}\{([lr]+)\}", text)
    body = [line for line in text.splitlines() if " & " in line]
    assert columns is not None
    assert {line.count(" & ") + 1 for line in body} == {len(columns[1])}


def test_tables_of_one_title_have_labels_of_their_own() -> None:
    records = [synthetic_record(fingerprint=print_) for print_ in ("f1", "f2")]
    labels = re.findall(r"\\label\{(.*)\}", latex(leaderboards(records)))
    assert labels == ["tab:sketchy-closed-2-classes", "tab:sketchy-closed-2-classes-2"]


def test_nothing_in_a_title_is_a_command() -> None:
    text = escaped(HOSTILE)
    assert not re.search(r"(?<!\\)[%#&_]", text)
    assert r"\textbackslash{}cmd" in text
    assert r"\{x\}" in text


@pytest.mark.parametrize("name", conventions(200))
def test_formulas_of_metrics_become_mathematics(name: str) -> None:
    text = escaped(metric(name).definition.formula)
    prose = re.sub(r"\$[^$]*\$", "", text)
    assert not re.search(r"sum|rel_|max|\^|<|P@", prose)
    for formula in re.findall(r"\$[^$]*\$", text):
        parse_mathematics(formula)


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("(1/R) sum_i rel_i P@i over all", r"$(1/R) \sum_i \mathrm{rel}_i \mathrm{P@}i$ over all"),
        (
            "sum_{i<=9} rel_i P@i / 9, x",
            r"$\sum_{i \leq 9} \mathrm{rel}_i \mathrm{P@}i / 9$, x",
        ),
        ("the encoders' sum_c p_c q_c", r"the encoders' $\sum_c p_c q_c$"),
        ("hits <= 3 and >= 1", r"hits $\leq$ 3 and $\geq$ 1"),
        ("mAP@all of map_all, no_pool, p_value", r"mAP@all of map\_all, no\_pool, p\_value"),
        ("min(R, 200)", r"$\min(R, 200)$"),
    ],
)
def test_mathematics_and_names_are_told_apart(text: str, printed: str) -> None:
    assert escaped(text) == printed


def test_captions_have_no_mathematics_as_prose() -> None:
    for caption in re.findall(r"\\caption\{(.*)\}", latex(leaderboards(_records()))):
        assert r"$\sum_c p_c q_c$" in caption
        assert "sum\\_" not in caption


def test_json_has_the_title_and_notes_of_the_table() -> None:
    for layout in leaderboards(_records()):
        assert layout.json["notes"] == list(layout.notes)
        assert layout.json["title"] == layout.title
        assert layout.json["rows"] == layout.content["rows"]


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no pdflatex on this machine")
def test_latex_compiles_as_printed(tmp_path: Path) -> None:
    layouts = leaderboards([*_records(), synthetic_record("crossx", dataset="shapes")])
    layouts.append(Layout(HOSTILE, ("a", "b"), (("[x]", HOSTILE), ("*", "-.1")), (HOSTILE,), {}))
    document = "\n".join(
        [
            r"\documentclass{article}",
            r"\usepackage{booktabs}",
            r"\begin{document}",
            latex(layouts),
            r"\end{document}",
        ]
    )
    (tmp_path / "tables.tex").write_text(document, encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "tables.tex"]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stdout[-2000:]
    assert (tmp_path / "tables.pdf").stat().st_size > 10_000


def test_markdown_shows_a_hostile_title_as_it_is() -> None:
    text = markdown(Layout("t", ("a",), (("x | y <b> *z* `c`\nnext",),), ("<i>",), {}))
    assert r"x \| y \<b> \*z\* \`c\` next" in text
    assert r"- \<i>" in text


def test_csv_has_a_line_a_row_with_full_numbers() -> None:
    text = csv_text(leaderboards([*_records(), synthetic_record(dataset="shapes")]))
    rows = list(csv.DictReader(io.StringIO(text)))
    assert len(rows) == 6
    crossx = next(r for r in rows if r["method"] == "crossx" and r["dataset"] == "sketchy")
    values = [0.60, 0.61]
    assert float(crossx["map@all"]) == fmean(values)
    assert float(crossx["map@all std"]) == stdev(values)
    assert crossx["seeds"] == "2"
    assert float(crossx["posterior map@all"]) == 0.7
    assert float(crossx["published map@all"]) == 0.827
    assert crossx["section"] == "data-free, trained"
    alone = next(r for r in rows if r["dataset"] == "shapes")
    assert alone["map@all std"] == ""
    assert alone["published map@all"] == ""
