"""Whether the folders of a run can be written to, known before anything is computed."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from dfbench.files import check_writable
from dfbench.runs.plan import Plan
from dfbench.runs.state import STATE_FILE
from dfbench.runs.store import record_file


def check_places(plans: Iterable[Plan]) -> None:
    """Raise `FileFault` unless records, run folders and missing networks can be written."""
    targets: dict[Path, Path] = {}
    for plan in plans:
        for target in _targets(plan):
            targets.setdefault(target.parent, target)
    for target in targets.values():
        check_writable(target)


def _targets(plan: Plan) -> list[Path]:
    session = plan.session
    request = session.request
    label, name, seed = plan.row.label, session.dataset.name, request.seed
    networks = map(session.network_file, plan.networks.values())
    return [
        record_file(request.places.results, name, label, seed, plan.eval_id),
        plan.folder / STATE_FILE,
        *(file for file in networks if not file.is_file()),
    ]
