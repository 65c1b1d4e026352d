from __future__ import annotations

import pytest
from bench import Bench
from click.testing import CliRunner

from dfbench.cli.app import app
from dfbench.request.values import Duration


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("90s", 90), ("30m", 1800), ("2h", 7200), ("1.5h", 5400)]
)
def test_duration_is_read_in_seconds_minutes_and_hours(text: str, seconds: float) -> None:
    assert Duration().take(text) == seconds


@pytest.mark.parametrize("text", ["", "0", "0m", "-5", "5d", "1h30m", "soon"])
def test_duration_that_is_none_is_named_with_what_is_allowed(text: str) -> None:
    with pytest.raises(ValueError, match="allowed") as fault:
        Duration().take(text)
    allowed = "more than 0 and up to 1e+09 seconds, e.g. 90, 30m or 2h"
    assert f"{text!r}; allowed: {allowed}" in str(fault.value)


_RUN = ["run", "--method", "classifier-only", "--dataset", "shapes"]


@pytest.mark.parametrize(
    "given",
    [
        [*_RUN, "--memory-limit", "nan"],
        [*_RUN, "--memory-limit", "inf"],
        [*_RUN, "--checkpoint-seconds", "nan"],
        [*_RUN, "--checkpoint-seconds", "inf"],
        [*_RUN, "--timeout", "99999999999999h"],
        [*_RUN, "--timeout", "9" * 400],
        ["suite", "run", "suite.toml", "--memory-limit", "nan"],
        ["suite", "run", "suite.toml", "--gpus-per-run", "nan"],
        ["compare", "--resamples", "99999999999999999999"],
    ],
)
def test_amounts_that_are_not_finite_are_refused(given: list[str]) -> None:
    result = CliRunner().invoke(app, given)
    assert result.exit_code == 2
    assert f"Invalid value for '{given[-2]}'" in result.output


def test_limits_reach_the_run(quick_bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    from dfbench.process import launch as memory

    seen = []
    real = memory.call

    def call(*arguments: object, **more: object) -> object:
        seen.extend(arguments[3:])
        return real(*arguments, **more)

    monkeypatch.setattr(memory, "call", call)
    limits = ("--timeout", "30m", "--memory-limit", "1.5", "--checkpoint-seconds", "7")
    quick_bench.record("classifier-only", *limits)
    *_, supervision = seen
    assert (supervision.limits.timeout, supervision.memory_mib) == (1800, 1536)
    assert supervision.limits.checkpoint_seconds == 7
