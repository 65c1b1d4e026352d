"""Examination of a method, check by check."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from traceback import format_exc
from typing import Literal

from dfbench.conformance.check import Check, CheckFailed, check_named
from dfbench.conformance.stage import Stage
from dfbench.plugins.code import describe_fault, load_target, plugin_faults
from dfbench.plugins.host import PluginHost
from dfbench.request.settings import Settings

Status = Literal["passed", "failed", "expected", "not run"]


@dataclass(frozen=True)
class Verdict:
    """The result of a check."""

    check: Check
    status: Status
    """`expected`: it failed as expected."""
    remark: str
    """A reason or a remark, in one line; may be empty."""
    seconds: float = 0.0
    traceback: str | None = None
    """Traceback of an error in the plugin's code."""


class Examination:
    """Verdicts on one method; each check runs once, on first request.

    `expected_failures` gives a reason for each check that is expected to fail; if such a check
    passes, its verdict is `failed`. Raises `UnknownName` for an unknown check.
    """

    def __init__(self, stage: Stage, expected_failures: Mapping[str, str]) -> None:
        self._expected = {check_named(name): why for name, why in expected_failures.items()}
        self._stage = stage
        self._made: dict[str, Verdict] = {}

    def verdict(self, check: Check) -> Verdict:
        """The result of a check, taking expected failures into account."""
        plain = self._plain(check)
        if check not in self._expected or plain.status == "not run":
            return plain
        if plain.status == "failed":
            return replace(plain, status="expected", remark=self._expected[check], traceback=None)
        told = f"it passes but was expected to fail: {self._expected[check]}"
        return replace(plain, status="failed", remark=told)

    def _plain(self, check: Check) -> Verdict:
        if check.name not in self._made:
            lacking = [n for n in check.after if self._plain(check_named(n)).status != "passed"]
            if lacking:
                verdict = Verdict(check, "not run", f"it requires the check {lacking[0]!r} to pass")
            else:
                verdict = _made(check, self._stage)
            self._made[check.name] = verdict
        return self._made[check.name]


@contextmanager
def examined(
    host: PluginHost,
    label: str,
    *,
    settings: Settings,
    expected_failures: Mapping[str, str],
    cache: Path,
    device: str = "cpu",
) -> Iterator[Examination]:
    """An examination of a method in a temporary folder; `cache` stores drawings and teachers.

    Raises `UnknownName` or `InvalidConfig` for invalid settings.
    """
    with TemporaryDirectory(prefix="dfbench-check-") as place:
        stage = Stage(host, label, settings, place=Path(place), cache=cache, device=device)
        try:
            examination = Examination(stage, expected_failures)
            stage.check_settings()
            yield examination
        finally:
            stage.close()


def part_verdicts(
    host: PluginHost, kind: str, name: str, checks: Sequence[Check]
) -> Iterator[Verdict]:
    """The verdicts on a network, metric or re-ranker of plugins, check by check."""
    offer = host.find(kind, name)
    stage: object = None
    if kind == "networks":
        from dfbench.conformance.network import NetworkStage

        stage = NetworkStage(offer.load())
    elif kind == "rerankers":
        from dfbench.conformance.reranker import RerankerStage

        stage = RerankerStage(offer.spec, offer.load())
    else:
        from dfbench.conformance.metric import MetricStage

        stage = MetricStage(offer.spec, offer.load())
    passed = set()
    for check in checks:
        lacking = [other for other in check.after if other not in passed]
        if lacking:
            yield Verdict(check, "not run", f"it requires the check {lacking[0]!r} to pass")
            continue
        verdict = _made(check, stage)
        if verdict.status == "passed":
            passed.add(check.name)
        yield verdict


def part_checks(kind: str) -> tuple[Check, ...]:
    """The rules for networks, metrics or re-rankers, in report order."""
    if kind == "networks":
        from dfbench.conformance.network import NETWORK_CHECKS

        return NETWORK_CHECKS
    if kind == "rerankers":
        from dfbench.conformance.reranker import RERANKER_CHECKS

        return RERANKER_CHECKS
    from dfbench.conformance.metric import METRIC_CHECKS

    return METRIC_CHECKS


def _made(check: Check, stage: object) -> Verdict:
    test = load_target(f"{__package__}.{check.target}")
    started = time.monotonic()
    try:
        with plugin_faults():
            remark = test(stage) or ""
    except CheckFailed as failure:
        return Verdict(check, "failed", str(failure), time.monotonic() - started)
    except Exception as fault:  # noqa: BLE001  # a plugin may raise anything
        seconds = time.monotonic() - started
        return Verdict(check, "failed", describe_fault(fault), seconds, format_exc())
    return Verdict(check, "passed", remark, time.monotonic() - started)
