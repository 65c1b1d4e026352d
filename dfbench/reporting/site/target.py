"""The folder of a report: new, empty, or that of an earlier report, whose files are replaced."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from dfbench.errors import InvalidInput
from dfbench.files import check_writable, entries, write_json

MANIFEST = "report.json"
"""Lists the files of a report, so that the next one can remove what it no longer has."""
_MAKER = "dfbench report"


def check_target(report: Path) -> None:
    """Raise `InvalidInput` for a folder with files that no report wrote, `FileFault` for none."""
    check_writable(report / MANIFEST)
    if not entries(report) or _listed(report) is not None:
        return
    raise InvalidInput(
        f"-o {str(report)!r} holds files that no report wrote; allowed: a new or empty folder, or "
        "that of an earlier report; name another with -o"
    )


def replace_listed(report: Path, files: Iterable[str]) -> None:
    """List the files of a report that is written, and remove what an earlier one left beside."""
    written = sorted(set(files))
    for address in set(_listed(report) or ()) - set(written):
        stale = (report / address).resolve()
        if stale.is_relative_to(report.resolve()) and stale.is_file():
            stale.unlink()
    write_json(report / MANIFEST, {"made by": _MAKER, "files": written})


def begin(report: Path) -> None:
    """Mark a folder as that of a report, before its pages are there."""
    if _listed(report) is None:
        write_json(report / MANIFEST, {"made by": _MAKER, "files": []})


def _listed(report: Path) -> list[str] | None:
    """The files of the report in a folder; None if there is none."""
    try:
        content = json.loads((report / MANIFEST).read_bytes())
    except (FileNotFoundError, ValueError):
        return None
    if not isinstance(content, dict) or content.get("made by") != _MAKER:
        return None
    return [str(file) for file in content.get("files", [])]
