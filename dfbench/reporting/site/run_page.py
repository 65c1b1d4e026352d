"""The page of one run: its facts from the record, and the contents of its folder."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from PIL import Image

from dfbench.records.record import Record
from dfbench.records.showcase import COUNTED
from dfbench.reporting.cells import duration, short
from dfbench.reporting.comparisons.comparison import count
from dfbench.reporting.lines import MARK, Line, reranking_notes
from dfbench.reporting.overlap import query_groups
from dfbench.reporting.run_folders import repeat_command
from dfbench.reporting.site.figures import HEIGHT, WIDTH, Chart, class_rows, heatmap
from dfbench.reporting.site.files import Missing, RunFiles
from dfbench.reporting.site.pictures import PictureView, ShownRetrievals, gallery, view
from dfbench.reporting.site.rendering import run_key, run_page, write_page
from dfbench.reporting.site.thumbnails import Thumbnail, Thumbnails


@dataclass(frozen=True)
class Facts:
    """A titled list of names and values."""

    title: str
    rows: tuple[tuple[str, str], ...]


def configuration(record: Record) -> list[Facts]:
    """The method's settings, and the settings shared by all methods."""
    return [
        facts
        for facts in (
            Facts("Method", _texts(record.method.config)),
            Facts("Budget", _texts(record.budget.model_dump(mode="json"))),
            Facts("Teachers' recipe", _texts(record.recipe.model_dump(mode="json"))),
        )
        if facts.rows
    ]


def _data_facts(record: Record) -> Facts:
    """Facts of the data."""
    data = record.data
    rows = (
        ("queries (sketches)", f"{data.queries:,}"),
        ("gallery (photos)", f"{data.gallery:,}"),
        ("classes", str(len(data.classes))),
        ("image size", f"{data.image_size} px"),
        ("alternative images", data.alternative or "none"),
        ("chance mAP@all", short(record.chance)),
        ("queries without any relevant photo", str(record.skipped_queries)),
        ("fingerprint", data.fingerprint),
        *(("note", note) for note in data.notes),
    )
    return Facts("Data", rows)


def cost(record: Record) -> Facts:
    """Time, memory and model size; without the training of official teachers."""
    seconds = record.seconds
    parts = [("fit", seconds.fit), ("embedding", seconds.embed), ("ranking", seconds.rank)]
    if not record.official:
        parts.insert(0, ("training of the teachers", seconds.teachers))
    rows = (
        *((name, duration(value)) for name, value in parts),
        ("together", duration(sum(value for _, value in parts))),
        ("peak memory", f"{record.peak_memory_mib:,.0f} MiB"),
        ("parameters of both encoders", f"{record.parameters:,}"),
        ("attempts", str(record.attempts)),
    )
    return Facts("Cost", rows)


def provenance(record: Record) -> Facts:
    """Identities, versions and hardware."""
    made = record.environment
    commit = "not from a source tree" if made.commit is None else made.commit
    changes = ", with uncommitted changes" if made.dirty else ""
    rows = (
        ("identity of the fit", record.fit_id),
        ("identity of the record", record.eval_id),
        ("digest of the embeddings", record.digests.embeddings),
        ("method", f"{record.method.label}, version {record.method.version}"),
        ("plugin", f"{record.method.plugin} {record.method.plugin_version}"),
        ("numerics", record.numerics),
        ("device", f"{made.device}, {count(made.threads, 'thread')}"),
        ("processes of the fit", str(made.devices)),
        *(
            (("images per micro-batch (short of memory)", str(made.micro_batch)),)
            if made.micro_batch
            else ()
        ),
        ("dfbench", f"{made.dfbench}, {commit}{changes}"),
        ("Python", made.python),
        *made.packages.items(),
    )
    return Facts("Provenance", rows)


def _texts(values: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    return tuple((key, _text(value)) for key, value in values.items())


def _text(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Iterable) and not isinstance(value, str | dict):
        return ", ".join(map(_text, value)) or "none"
    return str(value)


_TEMPLATE = "run.html.j2"
Content = TypeVar("Content")


@dataclass(frozen=True)
class Placing:
    """The line and table that a run belongs to."""

    line: Line
    """Its line, which includes the other seeds."""
    table_title: str
    table_page: str


@dataclass
class ShownPictures:
    """The pictures of a page, and all items that are missing from it."""

    views: list[PictureView] = field(default_factory=list)
    gallery: ShownRetrievals | None = None
    sheet: Thumbnail | None = None
    """The first query of each class, if there is no showcase."""
    missing: list[Missing] = field(default_factory=list)


def write_run_page(
    report: Path, record: Record, place: Placing, found: RunFiles, shelf: Thumbnails
) -> ShownPictures:
    """Write the page; returns its pictures and what is missing from it."""
    shown = _shown(record, found, shelf)
    shown.missing[:0] = found.missing
    content: dict[str, Any] = {
        "record": record,
        "place": place,
        "name": place.line.name,
        "seeds": {r.seed: run_page(r) for r in place.line.records},
        "representations": {"": record.metrics, **record.representations},
        "reranked": {
            f"{label} {MARK}": {"": one.metrics, **one.representations}
            for label, one in record.reranked.items()
        },
        "reranking_notes": list(reranking_notes([record])),
        "groups": {name: record.groups[name] for name in query_groups([record])},
        "data": _data_facts(record),
        "cost": cost(record),
        "provenance": provenance(record),
        "configuration": configuration(record),
        "charts": _by_loop(found.charts),
        "chart_size": (WIDTH, HEIGHT),
        "shown": shown,
        "heatmap": None,
        "class_rows": [],
        "counted": COUNTED,
        "key": run_key(record),
        "comparable": found.values is not None,
        "missing": shown.missing,
    }
    if found.confusion is not None:
        classes = record.data.classes
        content["heatmap"] = heatmap(found.confusion, classes)
        content["class_rows"] = class_rows(classes, found.confusion, found.values, found.labels)
    write_page(report, run_page(record), _TEMPLATE, content)
    return shown


def _shown(record: Record, found: RunFiles, shelf: Thumbnails) -> ShownPictures:
    shown = ShownPictures()

    def attempt(what: str, make: Callable[..., Content | None], *given: Any) -> Content | None:
        try:
            return make(*given, shelf)
        except (OSError, ValueError, Image.DecompressionBombError) as fault:
            reason = " ".join(f"cannot be read ({type(fault).__name__}: {fault})".split())
            shown.missing.append(Missing(what, reason, repeat_command(record)))
            return None

    for name in dict.fromkeys([*found.pictures, *found.numbers]):
        files = found.pictures.get(name), found.numbers.get(name)
        made = attempt(f"the picture {name!r}", view, name, *files)
        shown.views += [made] if made else []
    if found.showcase:
        shown.gallery = attempt(
            "thumbnails of the queries", gallery, found.showcase, found.sheet, record
        )
    elif found.retrievals:
        shown.sheet = attempt("the picture of retrievals", _picture, found.retrievals)
    return shown


def _picture(file: Path, shelf: Thumbnails) -> Thumbnail:
    with Image.open(file) as picture:
        return shelf.add(picture)


def _by_loop(charts: list[Chart]) -> dict[str, list[Chart]]:
    found: dict[str, list[Chart]] = {}
    for chart in charts:
        found.setdefault(chart.loop, []).append(chart)
    return found
