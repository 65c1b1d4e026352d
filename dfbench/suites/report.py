"""A suite as a table and as JSON: each run with its state, and totals."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from dfbench.reporting.cells import duration
from dfbench.reporting.layout import Layout
from dfbench.runs.job import LOG_FILE
from dfbench.suites.inventory import STATUSES, Item

_AXES = ("row", "dataset", "scenario")
_RETRIED = ("failed", "timeout")
"""States of runs that are done again if --retry asks for it."""
_HEADER = ("seed", "identity", "state", "time")


def suite_layout(
    title: str, items: Sequence[Item], networks: Mapping[str, str], command: str
) -> Layout:
    """The table of a suite: runs, totals, networks to be trained, reasons, how to try again.

    `command` is what does the runs of the suite.
    A dataset or scenario that all runs have in common stands in the title.
    """
    axes = [_axes(item) for item in items]
    common = {axis: axes[0][axis] for axis in _AXES[1:] if len({a[axis] for a in axes}) == 1}
    shown = [axis for axis in _AXES if axis not in common]
    return Layout(
        title=", ".join((title, *common.values())),
        header=(*shown, *_HEADER),
        rows=tuple(
            (*(names[axis] for axis in shown), *_texts(item))
            for names, item in zip(axes, items, strict=True)
        ),
        notes=(_totals(items), *_networks(networks), *_reasons(items), *_again(items, command)),
        content=_suite_content(title, items, networks),
        text_columns=len(shown),
    )


def _suite_content(
    title: str, items: Sequence[Item], networks: Mapping[str, str]
) -> dict[str, Any]:
    """What `--format json` prints of a suite."""
    return {
        "title": title,
        "runs": [_content(item) for item in items],
        "networks": [{"name": name, "identity": key} for key, name in networks.items()],
        "totals": {
            **{status: sum(item.status == status for item in items) for status in STATUSES},
            "estimated_seconds": round(sum(item.estimate or 0 for item in _missing(items)), 1),
            "of_unknown_cost": sum(item.estimate is None for item in _missing(items)),
        },
    }


def _missing(items: Sequence[Item]) -> list[Item]:
    return [item for item in items if item.missing]


def _content(item: Item) -> dict[str, Any]:
    request, plan, state, record = item.run.request, item.run.plan, item.state, item.record
    return {
        "row": item.run.label,
        "dataset": item.run.dataset,
        "scenario": request.scenario,
        "seed": request.seed,
        "fit_id": plan.fit_id if plan else None,
        "eval_id": plan.eval_id if plan else None,
        "status": item.status,
        "reason": item.reason,
        "missing": item.missing,
        "attempts": record.attempts if record else state.attempts if state else 0,
        "seconds": item.seconds,
        "estimated_seconds": item.estimate,
        "folder": str(plan.folder) if plan else None,
        "digests": record.digests.model_dump() if record else None,
    }


def _axes(item: Item) -> dict[str, str]:
    run = item.run
    return {"row": run.label, "dataset": run.dataset, "scenario": run.request.scenario}


def _texts(item: Item) -> tuple[str, ...]:
    return (
        str(item.run.request.seed),
        item.run.plan.eval_id[:8] if item.run.plan else "-",
        item.status,
        _time(item),
    )


def _time(item: Item) -> str:
    if item.seconds is not None:
        return duration(item.seconds)
    if not item.missing:
        return "-"
    return "?" if item.estimate is None else f"~{duration(item.estimate)}"


def _totals(items: Sequence[Item]) -> str:
    counts = Counter(item.status for item in items)
    parts = [f"{counts[status]} {status}" for status in STATUSES if counts[status]]
    text = f"{len(items)} runs: {', '.join(parts)}"
    missing = _missing(items)
    if missing:
        known = [item.estimate for item in missing if item.estimate is not None]
        text += f"; to do: {len(missing)}"
        text += f", about {duration(sum(known))}" if known else ""
        unknown = len(missing) - len(known)
        text += f", {unknown} of unknown cost (?)" if unknown else ""
    return text


def _networks(networks: Mapping[str, str]) -> list[str]:
    if not networks:
        return []
    counts = Counter(networks.values())
    parts = [f"{count} {name}" for name, count in sorted(counts.items())]
    return [f"to be trained first: {', '.join(parts)}"]


def _reasons(items: Sequence[Item]) -> list[str]:
    return [
        f"{item.run.label} on {item.run.dataset}, seed {item.run.request.seed}: {item.status}: "
        f"{item.reason}{_log(item)}"
        for item in items
        if item.reason
    ]


def _log(item: Item) -> str:
    """Where the output of a failed run's processes is."""
    if item.run.plan is None or item.missing or item.status not in _RETRIED:
        return ""
    log = item.run.plan.folder / LOG_FILE
    return f" (log: {log})" if log.is_file() else ""


def _again(items: Sequence[Item], command: str) -> list[str]:
    """The command that tries again what is not missing, but failed."""
    ended = {item.status for item in items if not item.missing}.intersection(_RETRIED)
    if not ended:
        return []
    how = "all" if len(ended) > 1 else next(iter(ended))
    more = " --timeout TIME" if "timeout" in ended else ""
    return [f"to do these again, from their last checkpoints: {command} --retry {how}{more}"]
