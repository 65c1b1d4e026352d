"""How much there is to be shown, before any of it is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from PIL import Image

from dfbench.reporting.site.artefacts import PICTURES_FOLDER, RETRIEVALS
from dfbench.runs.record import Record
from dfbench.runs.showcase import SHEET_FILE, SHOWCASE_FOLDER
from dfbench.runs.store import run_folder


def shown_pixels(runs: Path, records: Iterable[Record]) -> int:
    """Pixels of all pictures that pages of these records show; what is no picture has none."""
    return sum(
        _pixels(picture)
        for record in records
        for picture in _pictures(
            run_folder(runs, record.data.name, record.row.label, record.seed, record.fit_id)
        )
    )


def _pictures(folder: Path) -> Iterator[Path]:
    sheet = folder / SHOWCASE_FOLDER / SHEET_FILE
    pictures = {file.stem: file for file in (folder / PICTURES_FOLDER).glob("*.png")}
    if sheet.is_file():
        pictures |= {RETRIEVALS: sheet}  # the page shows it instead
    yield from pictures.values()


def _pixels(picture: Path) -> int:
    # What cannot be read is told where it would be shown.
    with suppress(OSError, ValueError, Image.DecompressionBombError), Image.open(picture) as opened:
        return opened.width * opened.height
    return 0
