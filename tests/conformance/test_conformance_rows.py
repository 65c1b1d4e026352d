"""The built-in rows keep the rules that others are held to.

The fast tier has teachers that know nothing; the slow one makes every check.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from dfbench.plugins.host import PluginHost

QUICK = {
    "teachers.steps": 2,
    "teachers.alternative_steps": 2,
    "teachers.modality_steps": 2,
    "budget.steps": 4,
}
QUICK_CHECKS = (
    *("names", "config", "fit", "needs", "trains", "teachers", "global-randomness", "embeddings"),
    *("batch-sizes", "batch-independence", "modes", "devices", "determinism"),
)
OWN: dict[str, dict[str, int]] = {
    "crossx": {"rounds": 2, "estimator_steps": 4, "estimator_batch": 8},
    "meta-data": {"image_steps": 2, "image_batch": 8},
    "unimodal-distillation": {"warm_up": 2, "pool_batches": 2, "estimator_batch": 8},
}
"""Settings at which rows that take long by themselves take a moment."""
SHORTER: dict[str, dict[str, int]] = {
    "crossx": {"rounds": 2, "estimator_steps": 40, "estimator_batch": 16},
    "meta-data": {"image_steps": 30, "image_batch": 24},
    "unimodal-distillation": {"warm_up": 40, "pool_batches": 10, "estimator_batch": 24},
}
"""Settings at which they still learn something."""
FAILURES = {
    "gaussian-prior": {"chance": "noise teaches next to nothing in a hundred steps"},
}


def rows() -> tuple[str, ...]:
    return tuple(name for name, o in PluginHost().methods.items() if o.plugin.name == "baselines")


def quick(test: Any) -> Any:
    for row in rows():
        settings = {**QUICK, **OWN.get(row, {})}
        failures = {n: why for n, why in FAILURES.get(row, {}).items() if n in QUICK_CHECKS}
        mark = pytest.mark.dfbench(
            row, settings=settings, only=QUICK_CHECKS, expected_failures=failures
        )
        test = mark(test)
    return test


def whole(test: Any) -> Any:
    for row in rows():
        test = pytest.mark.dfbench(
            row, settings=SHORTER.get(row), expected_failures=FAILURES.get(row)
        )(test)
    return test


@quick
def test_row_keeps_the_rules_at_a_glance(dfbench_check: Callable[[], None]) -> None:
    dfbench_check()


@whole
@pytest.mark.slow
def test_row_keeps_all_rules(dfbench_check: Callable[[], None]) -> None:
    dfbench_check()
